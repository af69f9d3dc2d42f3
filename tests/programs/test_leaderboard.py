import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from evaluation_folders import dice, write_evaluation, write_run

from unet_lightning.results.stored import SECOND


@pytest.fixture
def sweep(tmp_path):
    """A sweep of two seeds of two sizes, evaluated but for the last."""
    folder = tmp_path / "outputs/sweep/2026-01-31_12-00-00"
    values = ((0.80, 0.82), (0.82, 0.84), (0.85, 0.87), None)
    for job, (size, seed) in enumerate([(8, 0), (8, 1), (16, 0), (16, 1)]):
        write_run(folder / str(job), seed=seed, model__base_c=size)
        if values[job]:
            write_evaluation(folder / str(job), {"model": dice(*values[job]), SECOND: dice(0.83, 0.84)})
    return folder


def rows(folder):
    with (folder / "leaderboard.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_sweep_is_ranked_in_three_files_and_in_the_terminal(program, sweep, tmp_path):
    done = program("leaderboard", sweep, cwd=tmp_path, COLUMNS="120")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "outputs/leaderboard"
    assert sorted(path.name for path in out.iterdir()) == [f"leaderboard.{end}" for end in ("csv", "html", "md")]
    found = [(row["rank"], row["entry"], row["runs"], float(row["dice_per_image"])) for row in rows(out)]
    assert found == [
        ("1", "2", "1", pytest.approx(0.86)),
        ("", SECOND, "0", pytest.approx(0.835)),
        ("2", "0,1", "2", pytest.approx(0.82)),
    ]
    left_out = "Not evaluated on drive-test, and left out: 3 in"
    place = "Entries are folders in outputs/sweep/2026-01-31_12-00-00."
    for text in (done.stdout, (out / "leaderboard.md").read_text(), (out / "leaderboard.html").read_text()):
        assert left_out in text and place in text
        assert "model.base_c=16" in text
        assert SECOND in text
    assert "Written to outputs/leaderboard" in done.stdout


def test_help_answers_without_torch(program, tmp_path):
    blocked = tmp_path / "blocked/torch"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('torch was imported')")
    path = os.pathsep.join([str(blocked.parent), str(Path(__file__).parents[2])])
    done = program("leaderboard", "--help", cwd=tmp_path, PYTHONPATH=path, anew=True)
    assert done.returncode == 0, done.stderr
    assert "--figure" in done.stdout


@pytest.fixture
def leaderboard(tmp_path, monkeypatch):
    """Runs the program in this process; the rows of its CSV and its notes."""
    from unet_lightning.leaderboard import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        main([*map(str, arguments), "--out", "out"])
        text = (tmp_path / "out/leaderboard.md").read_text()
        return rows(tmp_path / "out"), [line[2:] for line in text.splitlines() if line.startswith("- ")]

    return run


def test_a_cross_validation_that_was_evaluated_is_one_entry(leaderboard, tmp_path):
    for fold in (0, 1):
        write_run(tmp_path / f"cv/{fold}", data__folds=2, data__fold=fold)
        write_evaluation(tmp_path / f"cv/{fold}", dice(0.5, 0.5))
    networks = [{"checkpoint": f"{fold}/checkpoints/last.ckpt"} for fold in (0, 1)]
    write_evaluation(tmp_path / "cv", dice(0.8, 0.9), networks=networks)
    write_evaluation(write_run(tmp_path / "one"), dice(0.7, 0.8))
    found, notes = leaderboard("cv", "one")
    assert [(row["entry"], row["networks"], row["settings"]) for row in found] == [
        ("cv", "2", "data.folds=2"),
        ("one", "1", ""),
    ]
    assert not any("left out" in note for note in notes)


def test_maps_of_another_program_are_ranked_by_the_name_of_their_folder(leaderboard, tmp_path):
    write_evaluation(write_run(tmp_path / "run"), dice(0.8, 0.9))
    write_evaluation(tmp_path / "theirs", dice(0.9, 0.9), networks=[], tta="-", scale="-")
    found, _ = leaderboard("run", "theirs")
    assert [(row["rank"], row["entry"], row["networks"]) for row in found] == [("1", "theirs", "0"), ("2", "run", "1")]


def test_a_folder_that_is_given_twice_is_counted_once(leaderboard, sweep):
    (sweep.parent / "latest").symlink_to(sweep.name)
    found, notes = leaderboard(sweep, sweep.parent / "latest", sweep / "2")
    assert [row["runs"] for row in found] == ["1", "0", "2"]
    assert notes.count("2 is given twice and counted once.") == 2  # below the folder that the entries are in


def test_a_link_among_the_runs_of_a_folder_is_no_second_run(leaderboard, sweep, tmp_path):
    (sweep / "latest").symlink_to("2")
    (sweep / "newest").symlink_to("3")  # not evaluated
    found, notes = leaderboard(sweep)
    assert [row["entry"] for row in found] == ["2", SECOND, "0,1"]
    assert not any("twice" in note for note in notes)
    assert f"Not evaluated on drive-test, and left out: 3 in {sweep.relative_to(tmp_path)}." in notes


def test_links_to_runs_elsewhere_are_followed(leaderboard, sweep, tmp_path):
    (tmp_path / "mine").mkdir()
    for job in "02":
        (tmp_path / "mine" / f"run{job}").symlink_to(sweep / job)
    found, _ = leaderboard("mine")
    assert [row["entry"] for row in found] == ["2", SECOND, "0"]


@pytest.fixture
def two_splits(tmp_path):
    """Runs with a validation and a test evaluation."""
    for name, shift in (("a", 0.0), ("b", 0.1)):
        write_run(tmp_path / name, model__base_c=name)
        write_evaluation(tmp_path / name, dice(0.8 - shift), split="test")
        write_evaluation(tmp_path / name, dice(0.7 + shift), split="val")
    return tmp_path


def test_the_evaluation_is_that_of_the_test_split_or_the_one_named(leaderboard, two_splits):
    assert {row["split"] for row in leaderboard("a", "b")[0]} == {"test"}
    found, _ = leaderboard("a", "b", "--on", "drive-val")
    assert [(row["entry"], row["split"]) for row in found] == [("b", "val"), ("a", "val")]


def test_of_several_protocols_the_usual_one_is_ranked(leaderboard, two_splits):
    for name in "ab":
        made = write_evaluation(two_splits / "made" / name, dice(0.9), tta="d4") / "evaluation/drive-test"
        made.rename(two_splits / name / "evaluation/drive-test_tta-d4")
        made = write_evaluation(two_splits / "made" / name, dice(0.9), split="val") / "evaluation/drive-val"
        made.rename(two_splits / name / "evaluation/drive-val_threshold-val")
    assert {row["tta"] for row in leaderboard("a", "b")[0]} == {"none"}
    assert {row["tta"] for row in leaderboard("a", "b", "--on", "drive-test_tta-d4")[0]} == {"d4"}
    for name in "ab":
        shutil.rmtree(two_splits / name / "evaluation/drive-test")
    assert {row["tta"] for row in leaderboard("a", "b")[0]} == {"d4"}
    for name in "ab":
        shutil.rmtree(two_splits / name / "evaluation/drive-test_tta-d4")
    assert {row["split"] for row in leaderboard("a", "b")[0]} == {"val"}


def test_several_test_splits_must_be_chosen_from(in_process, two_splits):
    for name in "ab":
        write_evaluation(two_splits / name, dice(0.8), dataset="chase_db1")
    message = in_process("leaderboard", "a", "b")
    assert "choose one by --on chase_db1-test or --on drive-test or --on drive-val" in message


def test_an_evaluation_that_is_not_everywhere_is_refused(in_process, two_splits):
    write_evaluation(write_run(two_splits / "c"), dice(0.8), split="other")
    assert "No evaluation drive-test in c: a has drive-test, drive-val; c has drive-other" in in_process(
        "leaderboard", "a", "c", "--on", "drive-test"
    )
    assert "No evaluation is in all folders: a has drive-test, drive-val; c has drive-other" in in_process(
        "leaderboard", "a", "c"
    )


def test_the_figure_can_be_chosen(leaderboard, tmp_path):
    for name, values in (("a", (0.1, 0.2)), ("b", (0.3, 0.3))):
        write_evaluation(
            write_run(tmp_path / name, model__base_c=name), dice(0.8, 0.9) | {"ece": dice(*values)["dice"]}
        )
    assert [row["entry"] for row in leaderboard("a", "b", "--figure", "ece")[0]] == ["a", "b"]


def test_a_class_can_be_chosen(leaderboard, tmp_path):
    figures = {"model: artery": dice(0.8), "model: vein": dice(0.7)}
    write_evaluation(write_run(tmp_path / "a"), figures, threshold="argmax")
    found, _ = leaderboard("a", "--class", "vein")
    assert float(found[0]["dice_per_image"]) == 0.7
    assert "vein" in (tmp_path / "out/leaderboard.md").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "No folder nowhere. Give run folders"),
        (["bare"], "<data set>-<split>/metrics.json. Of probability maps evaluate makes it, by predictions=bare"),
        (["untested"], "python -m unet_lightning.evaluate run=untested/0"),
        (["run", "--figure", "dise"], "--figure dise is not measured in run. All have: dice."),
        (["run", "--class", "vein"], "run has two classes: leave --class out"),
        (["broken"], "Broken metrics.json: its content is not as evaluate writes it"),
        (["short"], "Broken per_image.csv: 1 images of model, metrics.json has 2"),
        (["run", "other"], "cannot be compared: their region is"),
        (["run", "fewer"], "fewer lacks 02"),
        (["run", "--out", "file"], "Cannot write file/leaderboard.md"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(in_process, tmp_path, arguments, message):
    (tmp_path / "bare").mkdir()
    write_run(tmp_path / "untested/0")
    for name in ("run", "broken", "short"):
        write_evaluation(write_run(tmp_path / name), dice(0.8, 0.9))
    write_evaluation(write_run(tmp_path / "other"), dice(0.8, 0.9), region="whole image")
    write_evaluation(write_run(tmp_path / "fewer", model__base_c=1), dice(0.8))
    (tmp_path / "broken/evaluation/drive-test/metrics.json").write_text(json.dumps({})[:1])
    table = tmp_path / "short/evaluation/drive-test/per_image.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    (tmp_path / "file").write_text("a file, not a folder")
    assert message in in_process("leaderboard", *arguments)
    assert not (tmp_path / "outputs").exists()
