import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from evaluation_folders import dice, write_evaluation, write_run
from rich.console import Console

from unet_lightning.files import write_rows
from unet_lightning.results.leaderboard.board import make_leaderboard
from unet_lightning.results.leaderboard.entries import Run, make_entries
from unet_lightning.results.leaderboard.formats import csv_rows, markdown, page, terminal
from unet_lightning.results.stored import AGAINST_SECOND, SECOND, read_stored, stored_evaluations
from unet_lightning.training.folder import RunFolder

GOOD, FAIR = (0.84, 0.86) * 3, (0.82, 0.83) * 3  # means 0.85, 0.825


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Two seeds of one method, another with flips, a leaky one, and the second observer."""
    root = tmp_path_factory.mktemp("runs")

    def run(name, values, second=True, **evaluation):
        config = (
            {"seed": 1, "model__base_c": 16} if name == "b" else {"loss___target_": "x.Focal"} if name == "l" else {}
        )
        folder = write_run(root / name, **config | ({"model__base_c": 16} if name == "a" else {}))
        figures = {"model": dice(*values) | {"auroc": dice(*[0.9, 0.92] * 3)["dice"]}, SECOND: dice(*[0.81, 0.82] * 3)}
        if name == "c":
            figures[AGAINST_SECOND] = dice(*[0.7, 0.72] * 3)
        write_evaluation(folder, figures, **evaluation)
        (home,) = stored_evaluations(folder).values()
        title = {"l": "l|eaky <b>[x]"}.get(name, name)
        return Run(title, RunFolder(folder).read_config(), read_stored(home))

    runs = [
        run("a", GOOD),
        run("b", (0.86, 0.88) * 3, threshold=0.42, threshold_source="default"),
        run("c", FAIR, tta="flips"),
        run("l", (0.9, 0.9) * 3, leak=["02"]),
    ]
    stored = runs[1].evaluation
    runs[1] = replace(runs[1], evaluation=replace(stored, protocol=replace(stored.protocol, threshold=0.5)))
    return make_leaderboard(make_entries(runs), "dice")


DIFFERENCE = "difference to best (95 %, corrected)"


def cells(board):
    """The rows of the ranking, the first table."""
    lines = [line for line in markdown(board).split("\n## ")[0].splitlines() if line.startswith("|")]
    heading, _, *rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(heading, row, strict=True)) for row in rows]


def test_the_table_holds_figures_worked_out_by_hand(board):
    # a and b average to 0.85 and 0.87: mean 0.86; their seeds' means are 0.85 and 0.87: SD 0.02 / sqrt(2). Of
    # six images, 0.85 and 0.87 by turns, the standard error is 0.01 / sqrt(5), and Student's quantile 2.5706.
    first, second, human, leaky = cells(board)
    assert first["rank"] == "1"
    assert first["entry"] == "a,b (model.base_c=16 loss=DiceLoss)"
    assert first["dice_per_image (95 % interval)"] == "0.8600 (0.8485 to 0.8715)"
    assert (first["runs"], first["spread"]) == ("2 seeds", "0.0141")
    assert (first[DIFFERENCE], first["p"]) == ("best", "-")
    assert (first["dice_pooled"], first["auroc"], first["tta"], first["threshold"]) == (
        "0.8600",
        "0.9100",
        "none",
        "0.5",
    )
    # Differences -0.03 and -0.04: 0.005 / sqrt(5) times the quantile for three pairs, 3.5341.
    assert second[DIFFERENCE] == "-0.0350 (-0.0429 to -0.0271)"
    assert (second["p"], second["spread"], second["runs"], second["tta"]) == ("< 0.0001", "-", "1 run", "flips")
    assert second["dice_per_image (against second observer)"] == "0.7100"
    assert (human["rank"], human["entry"], human["runs"], human["auroc"]) == ("-", SECOND, "-", "-")
    assert human[DIFFERENCE] == "-0.0450 (-0.0529 to -0.0371)"
    assert leaky["entry"] == r"l\|eaky &lt;b>[x] LEAK (model.base_c=8 loss=Focal)"
    assert (leaky["rank"], leaky[DIFFERENCE], leaky["p"]) == ("-", "-", "-")


def test_markdown_lists_the_notes_below(board):
    text = markdown(board)
    assert text.startswith("# Leaderboard: drive test\n\n| rank |")
    assert "\n- drive test: 6 images, against the first observer, region: field of view" in text
    assert r"trained or selected on 02: l\|eaky &lt;b>[x]." in text


def test_a_threshold_that_differs_over_the_runs_is_a_range(tmp_path):
    runs = []
    for seed, threshold in ((0, 0.41), (1, 0.44)):
        folder = write_run(tmp_path / str(seed), seed=seed)
        write_evaluation(folder, dice(0.8), threshold=threshold, threshold_source=f"validation images {seed}")
        (home,) = stored_evaluations(folder).values()
        runs.append(Run(str(seed), RunFolder(folder).read_config(), read_stored(home)))
    (row,) = cells(make_leaderboard(make_entries(runs), "dice"))
    assert row["threshold"] == "0.41 to 0.44"
    # A single image has no interval, and a single entry nothing to be compared with.
    assert row["dice_per_image (95 % interval)"] == "0.8000 (no interval)"
    assert "p" not in row


@pytest.mark.parametrize(
    ("width", "figures"),
    [
        (40, ["0.8600", "0.8485 to 0.8715"]),
        (80, ["0.8600", "-0.0350", "-0.0429 to -0.0271", "< 0.0001", "2 seeds"]),
        (120, ["0.8600", "-0.0350", "2 seeds", "0.0141", "0.9100"]),
    ],
)
def test_a_narrow_terminal_breaks_names_and_no_numbers(board, width, figures):
    text = io.StringIO()
    Console(file=text, width=width).print(terminal(board, width))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    table = "".join(lines[: next(number for number, line in enumerate(lines) if line.startswith("drive test"))])
    assert table.count("LEAK") == 1
    assert [figure for figure in figures if figure not in table] == []
    assert ("0.9100" in table) == ("0.9100" in figures)


def test_the_terminal_keeps_to_the_main_columns(board):
    text = io.StringIO()
    Console(file=text, width=120).print(terminal(board, 120))
    heading = text.getvalue().split("─")[0]
    assert "auroc" in heading and "difference to best" in heading
    assert "dice_pooled" not in heading and "tta" not in heading
    assert "l|eaky <b>[x] LEAK" in text.getvalue()


def test_the_terminal_says_below_a_name_what_was_measured_otherwise(board):
    text = io.StringIO()
    Console(file=text, width=100).print(terminal(board, 100))
    table = text.getvalue().split("drive test:")[0]
    assert "tta=flips" in table and table.count("tta=none") == 2  # of the best, and of the leak
    assert "threshold=" not in table and "scale=" not in table  # the same in all rows
    assert "tta=" not in markdown(board)  # which has a column for it


def test_csv_holds_everything_in_full(board, tmp_path):
    write_rows(csv_rows(board), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open() as file:
        first, second, human, leaky = csv.DictReader(file)
    assert [row["rank"] for row in (first, second, human, leaky)] == ["1", "2", "", ""]
    assert float(first["dice_per_image"]) == pytest.approx(0.86, abs=1e-15)
    assert float(first["auroc_per_image"]) == pytest.approx(0.91, abs=1e-15)
    assert (float(first["auroc_low"]), float(first["auroc_high"])) == pytest.approx((0.8985, 0.9215), abs=1e-4)
    assert float(second["difference"]) == pytest.approx(-0.035)
    assert float(second["p_corrected"]) == pytest.approx(3 * float(second["p"]))
    assert (first["seeds"], first["folds"], first["runs"], first["networks"]) == ("2", "0", "2", "1")
    assert (first["tta"], second["tta"], first["region"]) == ("none", "flips", "field of view, masks of the data set")
    assert (leaky["leak"], first["leak"], leaky["settings"]) == ("02", "", "model.base_c=8 loss=Focal")
    assert (human["tta"], human["auroc_per_image"], first["initial_weights"]) == ("", "", "")
    assert first["folders"].count("drive-test") == 2
    assert "nan" not in {cell for row in (first, second, human, leaky) for cell in row.values()}


class Tags(HTMLParser):
    """The tags of a page, and those left open."""

    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_draws_each_entry(board):
    text = page(board)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not {"script", "link", "img"} & {tag for tag, _ in tags.seen}
    assert not re.search(r"https?:|url\((?!#)|@import", text)
    assert "default-src 'none'" in text
    pictures = [attrs["aria-label"] for _, attrs in tags.seen if attrs.get("role") == "img"]
    assert pictures == ["Means and 95 % intervals", "Each entry as a line over its choices to its dice"]
    assert sum(tag == "svg" for tag, _ in tags.seen) == 2
    assert [attrs.get("class") for tag, attrs in tags.seen if tag == "tr"][1:5] == [None, None, "human", "leaked"]
    assert 'l|eaky &lt;b&gt;[x] <span class="leak">LEAK</span>' in text
    assert "Dashed line: the second observer's mean." in text


def test_without_a_second_observer_there_is_no_dashed_line(tmp_path):
    write_evaluation(write_run(tmp_path / "a"), dice(0.8, 0.9))
    (home,) = stored_evaluations(tmp_path / "a").values()
    text = page(
        make_leaderboard(make_entries([Run("a", RunFolder(tmp_path / "a").read_config(), read_stored(home))]), "dice")
    )
    assert "Dashed line" not in text
