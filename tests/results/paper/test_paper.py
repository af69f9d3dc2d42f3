"""Figures and tables of small evaluations: two classes by two methods, one of two seeds; and three classes."""

import csv
import io
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_folders import folder_section, write_run
from PIL import Image

from unet_lightning.data.folder import FolderDataset
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.figures import main, parse
from unet_lightning.results.boards import board_of
from unet_lightning.results.decided import Maps
from unet_lightning.results.leaderboard.formats import csv_rows
from unet_lightning.results.paper.montage import worst_median_best
from unet_lightning.results.paper.records import confusion_of
from unet_lightning.results.paper.tables import as_latex
from unet_lightning.results.places import held
from unet_lightning.results.published import write_evaluation
from unet_lightning.results.scores import evaluate_maps
from unet_lightning.training.origin import Origin
from unet_lightning.training.trained import Stamp

PICTURES = ["agreement", "confusion", "learning", "montage", "per_image", "reliability"]
TABLES = {"comparison.tex", "comparison.csv", "figures.tex", "figures.csv", "notes.txt", "written.json"}
ODD = "50% & $x_1$ #{a}~^\\ <b>"
NETWORK = Stamp("run/checkpoints/best.ckpt", "0", 3, 0)
ORIGIN = Origin(networks=[NETWORK], trained_on="mine", unknown_training=[], tta="none", scale="none", tiles="whole")
EPOCHS = "epoch,train/loss,val/loss,val/dice_per_image\n0,0.9,0.8,0.4\n1,0.7,,\n2,0.5,0.6,0.6\n"


def draw_set(root, classes, images=8):
    """Photographs of 24 x 24 with a square of each class but the background, by number wider, and a second observer."""
    for place in ("images", "labels", "labels2"):
        (root / place).mkdir(parents=True)
    for number in range(images):
        label = np.zeros((24, 24), dtype=np.uint8)
        for name in range(1, classes):
            top = 2 + 10 * (name - 1)
            label[top : top + 8, 2 : 8 + number] = name
        scale = 255 if classes == 2 else 1
        Image.fromarray(label * 60).convert("RGB").save(root / f"images/im_{number}.png")
        Image.fromarray(label * scale).save(root / f"labels/im_{number}.png")
        Image.fromarray(np.roll(label, 1, axis=1) * scale).save(root / f"labels2/im_{number}.png")


def measured(run, root, names, seed, noise, thresholds=None, **values):
    """A run folder with the evaluation of maps that are the labels and noise; returns it."""
    section = folder_section(root)
    section["dataset"] |= {"classes": names}
    write_run(run, data=section, seed=seed, **values)
    (run / "metrics.csv").write_text(EPOCHS, encoding="utf-8")
    dataset = FolderDataset(root, "all", "none", names)
    chance = torch.Generator().manual_seed(seed)
    maps = []
    for index, sample in enumerate(dataset):
        there = torch.stack([sample.target.as_subclass(torch.Tensor) == name for name in range(1, len(names))]).float()
        maps.append(there * 0.6 + noise * (1 + index / 8) * torch.rand(there.shape, generator=chance) * 0.5)
    thresholds = thresholds or [0.5] * len(dataset)
    evaluation = evaluate_maps(Maps(dataset, "all", maps, ORIGIN, thresholds=thresholds, threshold_source="given"))
    with held(run, f"{dataset.name}-all") as place:
        write_evaluation(evaluation, place, report=False)
    return run


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two methods: one of two seeds, and one with an odd name."""
    home = tmp_path_factory.mktemp("two")
    draw_set(home / "data", 2)
    names = ["background", "cell"]
    runs = [measured(home / f"runs/{seed}", home / "data", names, seed, 0.9) for seed in (0, 1)]
    odd = measured(home / "runs/a_b & c$", home / "data", names, 2, 1.6, model__base_c=16)
    return [*runs, odd]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """One method for three classes, with few images."""
    home = tmp_path_factory.mktemp("three")
    draw_set(home / "data", 3, images=3)
    return measured(home / "run", home / "data", ["background", "disc", "cup"], 0, 1.0)


def draw(out, *arguments, capsys=None):
    """What the program prints."""
    main([*map(str, arguments), "--out", str(out)])
    return capsys.readouterr().out if capsys else ""


def raises(*_):
    raise DataError("not drawn")


@pytest.fixture
def sketched(monkeypatch):
    """Figures are made, and not rendered; their widths in millimetres by the order in which they are."""
    widths = []

    def sketch(figure, kind):
        widths.append(figure.get_figwidth() * 25.4)
        return b"sketch"

    monkeypatch.setattr("unet_lightning.results.paper.draw.saved", sketch)
    return widths


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def drawn(two, tmp_path_factory):
    out = tmp_path_factory.mktemp("drawn")
    main([*map(str, two), "--out", str(out)])
    return out


def test_everything_is_drawn_as_pdf_and_svg_with_a_caption(drawn):
    pictures = {f"{name}.{ending}" for name in PICTURES for ending in ("pdf", "svg", "txt")}
    assert {path.name for path in drawn.iterdir()} == pictures | TABLES
    for name in PICTURES:
        caption = (drawn / f"{name}.txt").read_text(encoding="utf-8")
        assert "folder all: 8 images" in caption and "Student's t over images" in caption


def test_tables_have_the_figures_of_the_leaderboard_to_the_digit(drawn, two):
    board = board_of(*two)
    written = rows_of(drawn / "comparison.csv")
    assert [[str(value) for value in row.values()] for row in csv_rows(board)] == [[*row.values()] for row in written]
    every = {row["entry"]: row for row in rows_of(drawn / "figures.csv")}
    assert "all background" in every["Dice, per image"]
    for line in board.lines[board.lines["kind"] != "trivial"].to_dict("records"):
        mean, low, high = (f"{line[f'dice_{end}']:.4f}" for end in ("per_image", "low", "high"))
        assert every["Dice, per image"][line["entry"]] == f"{mean}\n{low} to {high}"
        assert f"{mean} ({low} to {high})" in (drawn / "figures.tex").read_text(encoding="utf-8")
        assert f"{mean} ({low} to {high})" in (drawn / "comparison.tex").read_text(encoding="utf-8")
        assert every["Dice, pooled"][line["entry"]] == f"{line['dice_pooled']:.4f}"


def test_the_same_input_gives_the_same_bytes(drawn, two, tmp_path, monkeypatch):
    for name in ("per_image", "confusion", "agreement", "learning"):  # which would take seconds
        monkeypatch.setattr(f"unet_lightning.results.paper.pictures.{name}", raises)
    draw(tmp_path, *two)
    assert {path.stem for path in tmp_path.glob("*.pdf")} == {"montage", "reliability"}
    for path in (one for one in tmp_path.iterdir() if one.name != "written.json"):
        assert path.read_bytes() == (drawn / path.name).read_bytes(), path.name


def test_fonts_are_embedded_and_text_in_svg_needs_none(drawn):
    for name in PICTURES:
        pdf = (drawn / f"{name}.pdf").read_bytes()
        fonts = len(re.findall(rb"/Type /FontDescriptor", pdf))
        assert fonts == len(re.findall(rb"/FontFile2 ", pdf)) > 0 and b"/Type3" not in pdf
        assert b"CreationDate" not in pdf
        svg = (drawn / f"{name}.svg").read_text(encoding="utf-8")
        assert "<text" not in svg and "<dc:date>" not in svg


def test_widths_are_those_of_a_column_and_a_page(drawn, two, tmp_path, sketched):
    for name, width in (("per_image", 85), ("montage", 180)):
        written = re.search(r'width="([\d.]+)pt"', (drawn / f"{name}.svg").read_text(encoding="utf-8"))[1]
        assert float(written) * 25.4 / 72 == pytest.approx(width, abs=0.01)
    draw(tmp_path, *two, "--column", 60, "--page", 120)
    assert sketched[::2] == pytest.approx([60, 120, 120, 60, 120, 120])
    with pytest.raises(SystemExit):
        parse(["run", "--column", "0"])


def test_odd_names_are_text_in_latex_and_may_be_given_anew(drawn, two, tmp_path, capsys, sketched):
    assert as_latex(ODD) == (
        r"50\% \& \$x\_1\$ \#\{a\}\textasciitilde{}\textasciicircum{}\textbackslash{} \textless{}b\textgreater{}"
    )
    assert r"a\_b \& c\$" in (drawn / "comparison.tex").read_text(encoding="utf-8")
    draw(tmp_path, *two, "--name", "0,1=U-Net", "--name", f"a_b & c$={ODD}")
    assert {row["entry"] for row in rows_of(tmp_path / "comparison.csv")} > {"U-Net", ODD, "second annotator"}
    for names, said in (
        (["x=y"], "--name x: no entry is called so. They are 0,1, a_b & c$"),
        (["0,1=a_b & c$"], "one"),
    ):
        with pytest.raises(SystemExit):
            draw(tmp_path, *two, *(word for name in names for word in ("--name", name)))
        assert said in capsys.readouterr().err


def test_the_montage_has_the_worst_the_lower_middle_and_the_best_image():
    first = {"a": 0.9, "b": 0.5, "c": 0.7, "d": 0.6, "e": math.nan}
    second = {"a": 0.7, "b": 0.5, "c": 0.5, "d": 0.6, "e": 0.1}
    assert worst_median_best([first]) == {"worst": "b", "median": "d", "best": "a"}
    assert worst_median_best([first, second]) == {"worst": "b", "median": "c", "best": "a"}  # c and d are equal
    assert worst_median_best([first], lower_is_better=True) == {"worst": "a", "median": "c", "best": "b"}
    assert worst_median_best([{"a": 1.0, "b": 0.0}]) == {"worst": "b", "best": "a"}
    assert worst_median_best([{"a": math.nan}]) == {}


def test_the_agreement_is_of_areas_by_the_labels(drawn):
    caption = (drawn / "agreement.txt").read_text(encoding="utf-8")
    # The second annotator drew the same shapes, one pixel to the right.
    assert "second annotator less labels: mean difference +0.00, lower limit +0.00" in caption
    assert "0,1 less second annotator: mean difference" in caption


def test_confusion_of_two_classes_follows_from_sensitivity_and_specificity(two):
    from unet_lightning.results.boards import entries_of

    entry = next(one for one in entries_of(two)[0] if len(one.runs) == 2)
    _, ((right, wrong), (missed, found)) = confusion_of(entry)
    assert (found, right) == (entry.pooled["sensitivity"], entry.pooled["specificity"])
    assert (missed + found, right + wrong) == (1, 1)


def test_several_classes_have_a_panel_each_and_few_images_no_interval(three, tmp_path, capsys, sketched):
    draw(tmp_path, three)
    assert {f"{name}.pdf" for name in PICTURES} <= {path.name for path in tmp_path.iterdir()}
    assert "run, cup less labels" in (tmp_path / "agreement.txt").read_text(encoding="utf-8")
    assert "(none below 6 images)" in (tmp_path / "agreement.txt").read_text(encoding="utf-8")
    said = draw(tmp_path, three, "--class", "cup", capsys=capsys)
    assert "confusion is left out: of cup alone there is none: leave --class out." in said
    assert not (tmp_path / "confusion.pdf").exists()  # that of before is of other figures


def test_what_is_not_there_leaves_pictures_out_and_says_so(two, tmp_path, capsys, sketched):
    run = shutil.copytree(two[0], tmp_path / "run")
    (run / "metrics.csv").unlink()
    config = (run / "config.yaml").read_text(encoding="utf-8")
    data = re.search(r'"root": "([^"]+)"', config)[1]
    (run / "config.yaml").write_text(config.replace(data, str(tmp_path / "moved")), encoding="utf-8")
    said = draw(tmp_path / "out", run, capsys=capsys)
    assert "learning is left out: no run has a metrics.csv." in said
    assert re.search("montage is left out: .*moved", said) and re.search("agreement is left out: .*moved", said)
    assert {path.stem for path in (tmp_path / "out").glob("*.pdf")} == {"per_image", "confusion", "reliability"}
    # Other photographs of the same names are not shown in their place.
    draw_set(tmp_path / "moved", 2)
    Image.new("RGB", (24, 24), "red").save(tmp_path / "moved/images/im_3.png")
    said = draw(tmp_path / "out", run, capsys=capsys)
    assert "montage is left out: image im_3 of folder has other pixels or another label than the one measured." in said
    # Named by the command, they are found.
    said = draw(tmp_path / "out", run, "data=folder", f"data.root={data}", capsys=capsys)
    assert "montage" not in said.partition("Written to")[0]


def test_thresholds_by_image_are_those_of_the_maps(tmp_path, capsys, sketched):
    draw_set(tmp_path / "data", 2)
    names = ["background", "cell"]
    run = measured(tmp_path / "run", tmp_path / "data", names, 0, 0.0, thresholds=[0.7, *[0.5] * 7])
    draw(tmp_path / "out", run, capsys=capsys)  # 0.6 in cells: nothing is called in the first image, all in the others
    first = 100 * 8 * 6 / 24**2  # percent
    assert f"run less labels: mean difference {-first / 8:+.2f}" in (tmp_path / "out/agreement.txt").read_text()


def test_files_of_others_are_not_written_over_and_not_removed(two, tmp_path, capsys, sketched):
    (tmp_path / "out").mkdir()
    for name in ("notes.txt", "learning.txt"):
        (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(SystemExit):
        draw(tmp_path / "out", two[0])
    assert "holds learning.txt, notes.txt, which this program has not written" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"notes.txt", "learning.txt"}
    (tmp_path / "out/notes.txt").unlink()
    (run := shutil.copytree(two[0], tmp_path / "run")).joinpath("metrics.csv").unlink()
    draw(tmp_path / "out", run)  # without learning curves
    assert (tmp_path / "out/learning.txt").read_text() == "mine"


def test_a_folder_without_an_evaluation_is_one_error_and_nothing_is_written(tmp_path, capsys):
    with pytest.raises(SystemExit):
        draw(tmp_path / "out", write_run(tmp_path / "run"))
    assert "has no evaluation" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_name_without_a_new_one_is_refused():
    from unet_lightning.figures import renaming

    assert renaming("a=b=c") == ("a=b", "c")
    with pytest.raises(ConfigError, match="ENTRY=NAME"):
        renaming("a")
    assert Path("figures") == parse(["run"]).out
