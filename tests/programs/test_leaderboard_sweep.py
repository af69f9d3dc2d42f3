import csv
import json
import math
import re

import pytest
from evaluation_folders import SECOND, dice, write_evaluation, write_run

from unet_lightning.errors import RunError
from unet_lightning.results.boards import board_of
from unet_lightning.results.leaderboard.evaluations import CHOSEN_BY_VALIDATION
from unet_lightning.results.leaderboard.formats import markdown, page
from unet_lightning.training.state import State

SELECTED = CHOSEN_BY_VALIDATION[0]


def write_state(folder, word="done", **values):
    folder.mkdir(parents=True, exist_ok=True)
    State(word, **values).write(folder)


def write_validated(folder, *values, reason=SELECTED, **config):
    """A run as training leaves it: measured on the validation images that selected its epoch."""
    images = list(dice(*values)["dice"])
    write_evaluation(
        write_run(folder, **config), dice(*values), leak=images, split="val", leak_reasons={reason: images}
    )
    return folder


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """A grid of two sizes and two losses; nothing but what training wrote. Means 0.70, 0.74, 0.78, 0.80."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs/sweep/2026-01-31_12-00-00"
    jobs = ((8, "dice", 0.70, 10), (8, "ce", 0.74, 20), (16, "dice", 0.78, 20), (16, "ce", 0.80, 15))
    for job, (size, loss, mean, seconds) in enumerate(jobs):
        write_validated(folder / str(job), mean - 0.01, mean + 0.01, model__base_c=size, loss___target_=f"x.{loss}")
        overrides = [f"model.base_c={size}", f"loss={loss}"]
        write_state(folder / str(job), seconds=seconds, peak_memory_mb=100.0 * size, overrides=overrides)
    return folder


def test_a_fresh_sweep_is_ranked_on_validation_for_choosing(sweep):
    board = board_of(sweep)
    assert board.title == "drive val"
    assert [(line.standing.rank, line.entry.name, line.leak) for line in board.lines] == [
        (1, "3", False),
        (2, "2", False),
        (3, "1", False),
        (4, "0", False),
    ]
    assert board.lines[1].standing.against_best.mean == pytest.approx(-0.02)
    for text in (markdown(board), page(board)):
        assert "Validation: for choosing among these, not for reporting." in text
        assert "LEAK" not in text
    lead, table = markdown(board).index("not for reporting"), markdown(board).index("| rank |")
    assert lead < table


@pytest.mark.parametrize(
    "reasons", [{"trained on": ["01", "02"]}, {"trained on": ["01"], SELECTED: ["02"]}, {SELECTED: ["01"]}, None]
)
def test_images_that_were_trained_on_or_leaked_for_no_reason_stay_without_rank(tmp_path, reasons):
    write_evaluation(write_run(tmp_path / "a"), dice(0.8, 0.9), leak=["01", "02"], split="val", leak_reasons=reasons)
    board = board_of(tmp_path / "a")
    assert [(line.standing.rank, line.leak) for line in board.lines] == [(None, True)]
    assert board.lead == ""


def test_test_images_that_chose_the_epoch_stay_without_rank(tmp_path):
    write_evaluation(write_run(tmp_path / "a"), dice(0.8), leak=["01"], leak_reasons={SELECTED: ["01"]})
    assert [line.leak for line in board_of(tmp_path / "a").lines] == [True]


def test_beside_figures_that_chose_nothing_validation_is_a_leak(tmp_path):
    write_validated(tmp_path / "a", 0.9, 0.9)
    write_evaluation(write_run(tmp_path / "b", model__base_c=1), dice(0.8, 0.8), split="val")
    board = board_of(tmp_path / "a", tmp_path / "b")
    assert [(line.entry.name, line.standing.rank, line.leak) for line in board.lines] == [
        ("b", 1, False),
        ("a", None, True),
    ]


def test_the_effects_of_a_sweep_are_those_of_its_command_line(sweep):
    board = board_of(sweep)
    found = [(e.choice.name, [(v.value, v.jobs, round(v.standing.mean, 4)) for v in e.levels]) for e in board.effects]
    assert found == [
        ("model.base_c", [("8", 2, 0.72), ("16", 2, 0.79)]),
        ("loss", [("ce", 2, 0.77), ("dice", 2, 0.74)]),
    ]
    assert board.balanced
    assert "| loss | ce | 2 | 0.7700 (0.7600 to 0.7800) | best |" in markdown(board)
    assert "Not balanced" not in markdown(board)


def test_missing_jobs_are_listed_and_the_effects_said_to_be_unbalanced(sweep):
    (sweep / "3/evaluation").rename(sweep / "gone")
    write_state(sweep / "3", "failed", exit_code=1, error="OutOfMemoryError: no | memory", overrides=["loss=ce"])
    write_state(sweep / "4", "failed", exit_code=1, error="ConfigError: lr")  # failed before it had a config
    write_state(sweep / "0", "pruned", overrides=["loss=dice"])
    board = board_of(sweep)
    assert [(job.name, job.state, job.evaluated) for job in board.unfinished] == [
        ("0", "pruned", True),
        ("3", "failed", False),
        ("4", "failed", False),
    ]
    assert not board.balanced
    text = markdown(board)
    assert r"| 3 | failed | no | loss=ce | OutOfMemoryError: no \| memory |" in text
    assert "| 0 | pruned | yes |" in text
    assert "1 pruned, 2 failed." in text
    assert "Not balanced" in text


def test_a_sweep_without_any_evaluation_says_what_became_of_its_jobs(tmp_path):
    for job, word in (("0", "failed"), ("1", "running")):
        write_state(write_run(tmp_path / "s" / job), word)
    with pytest.raises(RunError, match="did not finish: 1 failed, 1 running"):
        board_of(tmp_path / "s")


def test_cost_stands_in_the_table_and_the_front_is_that_worked_out_by_hand(sweep):
    board = board_of(sweep)
    time, memory = board.costs
    # 0: 10 s, 0.70; 3: 15 s, 0.80; the others take 20 s and are worse than 3.
    assert [line.entry.name for line in board.front(time)] == ["0", "3"]
    # 1 is better than 0 for the same memory, 3 better than 2.
    assert [line.entry.name for line in board.front(memory)] == ["1", "3"]
    assert "| seconds (a job) | peak MB (of training) |" in markdown(board)
    assert re.search(r"\| 1 \| 3 \(.*\) \| .* \| 15 \* \| 1,600 \* \|", markdown(board).split("## Cost")[1])
    assert re.search(r"\| 4 \| 0 \(.*\) \| .* \| 10 \* \| 800 \|", markdown(board).split("## Cost")[1])


def test_runs_without_a_state_have_no_cost(sweep):
    for job in sweep.iterdir():
        (job / "state.json").unlink()
    board = board_of(sweep)
    assert board.costs == []
    assert "Cost" not in markdown(board) and "peak MB" not in page(board)
    assert [effect.choice.name for effect in board.effects] == ["model.base_c", "loss"]


def test_a_cross_validation_costs_the_mean_of_its_folds(tmp_path):
    for fold in (0, 1):
        write_state(
            write_run(tmp_path / f"cv/{fold}", data__fold=fold), seconds=10 + 20 * fold, peak_memory_mb=5 + fold
        )
    write_evaluation(tmp_path / "cv", dice(0.8, 0.9))
    (line,) = board_of(tmp_path / "cv").lines
    assert (line.entry.seconds, line.entry.peak_memory_mb) == (20, 6)


def test_a_method_whose_fold_failed_is_left_out_and_named(tmp_path):
    for size in (8, 16):
        for fold in (0, 1):
            folder = write_run(tmp_path / f"s/{size}-{fold}", model__base_c=size, data__fold=fold)
            if (size, fold) != (8, 1):
                write_evaluation(folder, {"dice": {f"0{fold}": 0.8}}, split="val")
    board = board_of(tmp_path / "s")
    assert [line.entry.name for line in board.lines] == ["16-0,16-1"]
    assert "Lacks the images of folds that are missing, and is left out: 8-0." in board.notes


def test_what_all_jobs_have_is_compared_and_what_some_have_is_offered(sweep):
    write_evaluation(sweep / "3", dice(0.7, 0.7))
    board = board_of(sweep)
    assert board.title == "drive val"
    assert any("1 of 4 jobs" in note and "--on drive-test" in note for note in board.notes)
    assert [line.entry.name for line in board_of(sweep, on="drive-test").lines] == ["3"]
    for job in "012":
        write_evaluation(sweep / job, dice(0.6, 0.6))
    assert board_of(sweep).title == "drive test"


def test_jobs_that_differ_in_seed_alone_and_a_single_job_have_no_effects(sweep, tmp_path):
    for seed in (0, 1):
        write_state(write_validated(tmp_path / f"seeds/{seed}", 0.8 + seed / 100, seed=seed), seconds=5)
    board = board_of(tmp_path / "seeds")
    assert [line.entry.name for line in board.lines] == ["0,1"]
    assert (board.effects, board.balanced) == ([], True)
    alone = board_of(sweep / "0")
    assert alone.effects == [] and alone.unfinished == []
    for one in (board, alone):
        assert 'class="parallel"' not in page(one) and 'class="scatter"' not in page(one)


def test_several_folders_together_have_the_effects_of_their_configs(sweep, tmp_path):
    write_validated(tmp_path / "more/0", 0.75, 0.77, model__base_c=32)
    write_state(tmp_path / "more/1", "failed", error="x")
    board = board_of(sweep, tmp_path / "more")
    assert {effect.choice.name for effect in board.effects} == {"model.base_c", "loss"}
    assert [job.name for job in board.unfinished] == [str(tmp_path / "more/1")]


def test_the_page_draws_a_line_and_marks_an_entry_and_says_what_they_are(sweep):
    text = page(board_of(sweep))
    assert text.count('class="trace') == 4
    assert text.count('class="trace first"') == 1
    assert text.count('class="point') == 8
    assert text.count('class="point chosen"') == 4
    assert "1. 3: dice 0.8000; loss=ce model.base_c=16" in text
    assert "1. 3: dice 0.8000, seconds 15" in text
    # Both choices have two values: lines of jobs with one value meet in one point.
    points = re.findall(r'class="drawn" points="([^"]*)"', text)
    sizes = [one.split()[1] for one in points]  # worst first: 0, 1, 2, 3
    assert sizes[0] == sizes[1] != sizes[2] == sizes[3]
    heights = [float(one.split()[2].partition(",")[2]) for one in points]
    assert heights == sorted(heights, reverse=True)
    assert not re.search(r"<script|https?:", text)


def test_a_search_of_hundreds_of_jobs_is_shown(tmp_path, sweep, capsys):
    from unet_lightning.leaderboard import main

    for job in range(60):
        rate = math.exp(job / 10)
        write_validated(tmp_path / "big" / str(job), 0.7 + job / 1000, 0.71 + job / 1000, optimizer__lr=rate)
    main([str(tmp_path / "big"), "--out", "out"])
    printed = capsys.readouterr().out
    assert "... and 20 further entries in the files written." in printed
    assert "Spearman +1.00" in printed
    text = (tmp_path / "out/leaderboard.html").read_text()
    assert text.count('class="trace') == 60
    with (tmp_path / "out/leaderboard.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 60


def test_names_of_jobs_and_values_are_text_in_the_page(tmp_path):
    for number in (0, 1):
        write_state(
            write_validated(tmp_path / f"s/<b>{number}", 0.8, 0.9, loss__kind=f"<i>{number}"), seconds=number + 1
        )
    text = page(board_of(tmp_path / "s"))
    assert "<b>" not in text and "<i>" not in text


@pytest.mark.parametrize("text", ["{", json.dumps({"state": "asleep"}), json.dumps({"state": "done", "seconds": "x"})])
def test_a_job_whose_state_is_broken_is_ranked_and_listed_with_the_error(sweep, text):
    (sweep / "1/state.json").write_text(text)
    board = board_of(sweep)
    assert [line.entry.name for line in board.lines] == ["3", "2", "1", "0"]
    assert math.isnan(board.lines[2].entry.seconds)
    ((name, state, evaluated, error),) = [(one.name, one.state, one.evaluated, one.error) for one in board.unfinished]
    assert (name, state, evaluated) == ("1", "unknown", True)
    assert f"{sweep / '1/state.json'} is " in error and "Remove it" in error
    assert "1 unknown." in markdown(board)


def test_a_run_whose_state_is_broken_is_ranked_and_that_is_noted(sweep):
    (sweep / "1/state.json").write_text("{")
    (sweep.parent / "linked").mkdir()
    (sweep.parent / "linked/mine").symlink_to(sweep / "1")
    for given in (sweep / "1", sweep.parent / "linked"):
        board = board_of(given)
        assert [line.entry.name for line in board.lines] == ["1"]
        (note,) = [note for note in board.notes if "state.json" in note]
        assert note.startswith("What 1 cost is unknown: ")
    assert not any("state.json" in note for note in board_of(sweep).notes)  # listed as a job


def test_a_fold_whose_state_is_broken_is_listed_and_the_others_tell_the_cost(tmp_path):
    for fold in (0, 1):
        write_state(write_run(tmp_path / f"cv/{fold}", data__fold=fold), seconds=10 + 20 * fold)
    write_evaluation(tmp_path / "cv", dice(0.8, 0.9))
    (tmp_path / "cv/0/state.json").write_text("[]")
    board = board_of(tmp_path / "cv")
    assert board.lines[0].entry.seconds == 30
    assert [(job.name, job.state) for job in board.unfinished] == [("0", "unknown")]


def test_the_second_observer_stands_beside_a_sweep_and_costs_nothing(tmp_path):
    for number in (0, 1):
        folder = write_run(tmp_path / f"s/{number}", model__base_c=number)
        write_evaluation(folder, {"model": dice(0.8, 0.8 + number / 10), SECOND: dice(0.7, 0.7)})
        write_state(folder, seconds=1 + number, peak_memory_mb=10)
    text = page(board_of(tmp_path / "s"))
    assert text.count('class="point') == 4
    assert text.count('class="second" x1="58"') == 2
