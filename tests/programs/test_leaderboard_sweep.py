import csv
import json
import math
import re

import pytest
from evaluation_folders import dice, write_evaluation, write_run

from unet_lightning.data.seen import Leak
from unet_lightning.errors import RunError
from unet_lightning.results.boards import board_of, unfinished_jobs
from unet_lightning.results.leaderboard.formats import markdown, page
from unet_lightning.results.stored import SECOND
from unet_lightning.training.state import State


def write_state(folder, word="done", **values):
    folder.mkdir(parents=True, exist_ok=True)
    State(word, **values).write(folder)


def write_validated(folder, *values, reason=Leak.EPOCH, **config):
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


def ranks(board):
    """The lines by rank, entry and kind; 0 without rank."""
    return list(zip(board.lines["rank"].fillna(0), board.lines["entry"], board.lines["kind"], strict=True))


def test_a_fresh_sweep_is_ranked_on_validation_for_choosing(sweep):
    board = board_of(sweep)
    assert board.title == "drive val"
    assert ranks(board) == [(1, "3", "model"), (2, "2", "model"), (3, "1", "model"), (4, "0", "model")]
    assert board.lines["difference"][1] == pytest.approx(-0.02)
    for text in (markdown(board), page(board)):
        assert "Validation: for choosing among these, not for reporting." in text
        assert " LEAK (" not in text
    lead, table = markdown(board).index("not for reporting"), markdown(board).index("| rank |")
    assert lead < table


@pytest.mark.parametrize("reason", ["the epoch was selected on", "the threshold was chosen on", Leak.THRESHOLD])
def test_reasons_in_the_words_of_earlier_versions_rank_as_their_codes(tmp_path, reason):
    write_validated(tmp_path / "a", 0.8, 0.9, reason=reason)
    assert ranks(board_of(tmp_path / "a")) == [(1, "a", "model")]


@pytest.mark.parametrize(
    "reasons",
    [
        {"trained": ["01", "02"]},
        {"trained on": ["01", "02"]},
        {"trained": ["01"], "epoch": ["02"]},
        {"epoch": ["01"]},
        {},
    ],
)
def test_images_that_were_trained_on_or_leaked_for_no_reason_stay_without_rank(tmp_path, reasons):
    write_evaluation(write_run(tmp_path / "a"), dice(0.8, 0.9), leak=["01", "02"], split="val", leak_reasons=reasons)
    board = board_of(tmp_path / "a")
    assert ranks(board) == [(0, "a", "leak")]
    assert board.lead == ""


def test_test_images_that_chose_the_epoch_stay_without_rank(tmp_path):
    write_evaluation(write_run(tmp_path / "a"), dice(0.8), leak=["01"], leak_reasons={Leak.EPOCH: ["01"]})
    assert ranks(board_of(tmp_path / "a")) == [(0, "a", "leak")]


def test_beside_figures_that_chose_nothing_validation_is_a_leak(tmp_path):
    write_validated(tmp_path / "a", 0.9, 0.9)
    write_evaluation(write_run(tmp_path / "b", model__base_c=1), dice(0.8, 0.8), split="val")
    assert ranks(board_of(tmp_path / "a", tmp_path / "b")) == [(1, "b", "model"), (0, "a", "leak")]


def test_the_reasons_are_those_that_evaluate_writes(tiny_run, tiny_drive, monkeypatch):
    from unet_lightning.inference.predictor import PredictionOptions
    from unet_lightning.results.maps import NetworkSource

    monkeypatch.setenv("DRIVE_ROOT", str(tiny_drive))
    maps = NetworkSource(tiny_run, {}, None, PredictionOptions(device="cpu")).maps("val")
    assert [*maps.found.leak_reasons] == [Leak.EPOCH]


def test_the_effects_of_a_sweep_are_those_of_its_command_line(sweep):
    board = board_of(sweep)
    assert board.effects[["choice", "value", "jobs"]].to_numpy().tolist() == [
        ["model.base_c", "8", 2],
        ["model.base_c", "16", 2],
        ["loss", "ce", 2],
        ["loss", "dice", 2],
    ]
    assert list(board.effects["mean"]) == pytest.approx([0.72, 0.79, 0.77, 0.74])
    assert board.balanced
    assert "| loss | ce | 2 | 0.7700 (no interval) | best |" in markdown(board)
    assert "Not balanced" not in markdown(board)


def test_missing_jobs_are_listed_and_the_effects_said_to_be_unbalanced(sweep):
    (sweep / "3/evaluation").rename(sweep / "gone")
    write_state(sweep / "3", "failed", exit_code=1, error="OutOfMemoryError: no | memory", overrides=["loss=ce"])
    write_state(sweep / "4", "failed", exit_code=1, error="ConfigError: lr")  # failed before it had a config
    write_state(sweep / "0", "pruned", overrides=["loss=dice"])
    board = board_of(sweep)
    assert board.unfinished[["job", "state", "ranked"]].to_numpy().tolist() == [
        ["0", "pruned", True],
        ["3", "failed", False],
        ["4", "failed", False],
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
    assert board.costs == ["seconds", "peak_memory_mb"]
    # 0: 10 s, 0.70; 3: 15 s, 0.80; the others take 20 s and are worse than 3.
    assert list(board.front("seconds")["entry"]) == ["0", "3"]
    # 1 is better than 0 for the same memory, 3 better than 2.
    assert list(board.front("peak_memory_mb")["entry"]) == ["1", "3"]
    assert "| seconds (a job) | peak MB (of training) |" in markdown(board)
    assert re.search(r"\| 1 \| 3 \(.*\) \| .* \| 15 \\\* \| 1,600 \\\* \|", markdown(board).split("## Cost")[1])
    assert re.search(r"\| 4 \| 0 \(.*\) \| .* \| 10 \\\* \| 800 \|", markdown(board).split("## Cost")[1])


def test_runs_without_a_state_have_no_cost(sweep):
    for job in sweep.iterdir():
        (job / "state.json").unlink()
    board = board_of(sweep)
    assert board.costs == []
    assert "Cost" not in markdown(board) and "peak MB" not in page(board)
    assert list(board.effects["choice"].unique()) == ["model.base_c", "loss"]


def test_a_cross_validation_costs_the_mean_of_its_folds(tmp_path):
    for fold in (0, 1):
        write_state(
            write_run(tmp_path / f"cv/{fold}", data__fold=fold), seconds=10 + 20 * fold, peak_memory_mb=5 + fold
        )
    write_evaluation(tmp_path / "cv", dice(0.8, 0.9))
    lines = board_of(tmp_path / "cv").lines
    assert lines[["seconds", "peak_memory_mb"]].to_numpy().tolist() == [[20, 6]]


def test_a_method_whose_fold_failed_is_left_out_and_named(tmp_path):
    for size in (8, 16):
        for fold in (0, 1):
            folder = write_run(tmp_path / f"s/{size}-{fold}", model__base_c=size, data__fold=fold)
            if (size, fold) != (8, 1):
                write_evaluation(folder, {"dice": {f"0{fold}": 0.8}}, split="val")
    board = board_of(tmp_path / "s")
    assert list(board.lines["entry"]) == ["16-0,16-1"]
    assert "Lacks the images of folds that are missing, and is left out: 8-0." in board.notes


def test_what_all_jobs_have_is_compared_and_what_some_have_is_offered(sweep):
    write_evaluation(sweep / "3", dice(0.7, 0.7))
    board = board_of(sweep)
    assert board.title == "drive val"
    assert any("1 of 4 jobs" in note and "--on drive-test" in note for note in board.notes)
    assert list(board_of(sweep, on="drive-test").lines["entry"]) == ["3"]
    for job in "012":
        write_evaluation(sweep / job, dice(0.6, 0.6))
    assert board_of(sweep).title == "drive test"


def test_jobs_that_differ_in_seed_alone_and_a_single_job_have_no_effects(sweep, tmp_path):
    for seed in (0, 1):
        write_state(write_validated(tmp_path / f"seeds/{seed}", 0.8 + seed / 100, seed=seed), seconds=5)
    board = board_of(tmp_path / "seeds")
    assert list(board.lines["entry"]) == ["0,1"]
    assert board.effects.empty and board.balanced
    alone = board_of(sweep / "0")
    assert alone.effects.empty and alone.unfinished.empty
    for one in (board, alone):
        assert 'id="parallel"' not in page(one) and "over cost" not in page(one)


def test_several_folders_together_have_the_effects_of_their_configs(sweep, tmp_path):
    write_validated(tmp_path / "more/0", 0.75, 0.77, model__base_c=32)
    write_state(tmp_path / "more/1", "failed", error="x")
    board = board_of(sweep, tmp_path / "more")
    assert {*board.effects["choice"]} == {"model.base_c", "loss"}
    assert list(board.unfinished["job"]) == [str(tmp_path / "more/1")]


def test_the_page_draws_means_choices_and_costs(sweep):
    text = page(board_of(sweep))
    pictures = re.findall(r'role="img" aria-label="([^"]*)"', text)
    assert pictures == [
        "Means and 95 % intervals",
        "Each entry as a line over its choices to its dice",
        "dice_per_image over cost",
    ]
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
    text = (tmp_path / "out/leaderboard.html").read_text(encoding="utf-8")
    assert re.search(r">60. \d+</text>", text)
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
    assert list(board.lines["entry"]) == ["3", "2", "1", "0"]
    assert math.isnan(board.lines["seconds"][2])
    (job,) = board.unfinished.to_dict("records")
    assert (job["job"], job["state"], job["ranked"]) == ("1", "unknown", True)
    assert f"{sweep / '1/state.json'} is " in job["error"] and "Remove it" in job["error"]
    assert "1 unknown." in markdown(board)


def test_a_job_that_is_removed_meanwhile_is_not_listed(sweep, monkeypatch):
    monkeypatch.setattr("unet_lightning.results.boards.state_or_fault", lambda job: (None, ""))
    assert unfinished_jobs(sweep, set()) == []


def test_a_run_whose_state_is_broken_is_ranked_and_that_is_noted(sweep):
    (sweep / "1/state.json").write_text("{")
    (sweep.parent / "linked").mkdir()
    (sweep.parent / "linked/mine").symlink_to(sweep / "1")
    for given in (sweep / "1", sweep.parent / "linked"):
        board = board_of(given)
        assert list(board.lines["entry"]) == ["1"]
        (note,) = [note for note in board.notes if "state.json" in note]
        assert note.startswith("What 1 cost is unknown: ")
    assert not any("state.json" in note for note in board_of(sweep).notes)  # listed as a job


def test_a_fold_whose_state_is_broken_is_listed_and_the_others_tell_the_cost(tmp_path):
    for fold in (0, 1):
        write_state(write_run(tmp_path / f"cv/{fold}", data__fold=fold), seconds=10 + 20 * fold)
    write_evaluation(tmp_path / "cv", dice(0.8, 0.9))
    (tmp_path / "cv/0/state.json").write_text("[]")
    board = board_of(tmp_path / "cv")
    assert board.lines["seconds"][0] == 30
    assert board.unfinished[["job", "state"]].to_numpy().tolist() == [["0", "unknown"]]


def test_the_second_observer_stands_beside_a_sweep_and_costs_nothing(tmp_path):
    for number in (0, 1):
        folder = write_run(tmp_path / f"s/{number}", model__base_c=number)
        write_evaluation(folder, {"model": dice(0.8, 0.8 + number / 10), SECOND: dice(0.7, 0.7)})
        write_state(folder, seconds=1 + number, peak_memory_mb=10)
    board = board_of(tmp_path / "s")
    assert ranks(board) == [(1, "1", "model"), (2, "0", "model"), (0, SECOND, "human")]
    assert math.isnan(board.lines["seconds"][2])
    assert page(board).count("Dashed line") == 2
