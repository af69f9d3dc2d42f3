"""Evaluations take their places whole, and earlier ones stay."""

import errno
import os
import shutil

import pytest
from evaluation_folders import PROTOCOL, dice, protocol_of, write_evaluation

from unet_lightning.errors import OtherRun, RunError, UserError
from unet_lightning.files import locked
from unet_lightning.results.places import evaluation_name, held, place_of, put_in_place
from unet_lightning.results.stored import ending_of, read_stored, stored_evaluations

DRIVE = PROTOCOL | {"images": 2, "leak": []}


@pytest.fixture
def earlier(tmp_path):
    """An evaluation with a Dice of 0.8 and 0.9, with maps, a page, and files that no evaluation has written."""
    folder = write_evaluation(tmp_path / "run", dice(0.8, 0.9)) / "evaluation/drive-test"
    for name in ("table.md", "report.html", "probabilities/01.png", "probabilities/02.png", *OTHERS):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("earlier")
    return folder


OTHERS = ("report_thesis.html", "probabilities/figure1.png", "wandb/run.wandb", "notes.txt")


def build(folder):
    """Writes an evaluation of the image 01 alone, with a Dice of 0.3."""
    source = write_evaluation(folder / "made", dice(0.3)) / "evaluation/drive-test"
    for path in source.iterdir():
        path.rename(folder / path.name)
    shutil.rmtree(folder / "made")
    (folder / "probabilities").mkdir()
    (folder / "probabilities/01.png").write_text("new")


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def mean_dice(run):
    """Of the evaluation that a leaderboard finds."""
    return read_stored(stored_evaluations(run)["drive-test"]).per_image["model"]["dice"].mean()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "drive-test"),
        ({"tta": "d4", "threshold": "val"}, "drive-test_tta-d4_threshold-val"),
        ({"threshold": 0.2}, "drive-test_threshold-0.2"),
        ({"threshold": 1.0}, "drive-test_threshold-1"),
    ],
)
def test_a_folder_is_called_by_what_is_not_usual(settings, name):
    assert evaluation_name("drive", "test", settings) == name


def test_a_new_evaluation_leaves_what_no_evaluation_has_written(earlier):
    assert put_in_place(earlier, build) is True
    ours = ["metrics.json", "per_image.csv", "probabilities/01.png"]
    assert names(earlier) == sorted([*ours, *OTHERS])
    assert all((earlier / name).read_text() == "earlier" for name in OTHERS)
    assert (earlier / "probabilities/01.png").read_text() == "new"
    assert [path.name for path in earlier.parent.iterdir()] == ["drive-test"]


def test_a_first_evaluation_replaces_none(tmp_path):
    with held(tmp_path, "drive-test") as place:
        assert put_in_place(place, build) is False
    assert mean_dice(tmp_path) == 0.3


def test_a_build_that_fails_leaves_the_earlier_evaluation(earlier):
    before = {name: (earlier / name).read_bytes() for name in names(earlier)}

    def full_disk(folder):
        build(folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match="drive-test: No space left on device"):
        put_in_place(earlier, full_disk)
    assert {name: (earlier / name).read_bytes() for name in names(earlier)} == before
    assert [path.name for path in earlier.parent.iterdir()] == ["drive-test"]


def test_a_crash_at_any_moment_leaves_one_whole_evaluation(earlier, monkeypatch, tmp_path):
    """Each call that changes the disk is the last one in turn; what a kill would leave is then put right."""
    calls = [(os, name) for name in ("rename", "replace", "unlink", "rmdir", "mkdir")] + [(shutil, "rmtree")]
    moment, ended, seen = 0, False, set()
    while not ended:
        run = shutil.copytree(earlier.parents[1], tmp_path / f"copy{moment}")
        left = moment

        def dying(original):
            def call(*arguments, **options):
                nonlocal left
                if left == 0:
                    raise SystemExit  # and from here on nothing is written
                left -= 1
                return original(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for module, name in calls:
                patch.setattr(module, name, dying(getattr(module, name)))
            try:
                put_in_place(run / "evaluation/drive-test", build)
                ended = True
            except SystemExit:
                pass
        seen.add(mean_dice(run))
        assert mean_dice(run) in (pytest.approx(0.85), 0.3)
        with held(run, "drive-test") as place:
            assert mean_dice(run) in (pytest.approx(0.85), 0.3)
            assert set(OTHERS) <= set(names(place))
            assert {path.name for path in place.parent.iterdir()} == {"drive-test", ".drive-test.lock"}
        moment += 1
    assert len(seen) == 2 and moment > 10


def test_an_evaluation_is_made_by_one_process_at_a_time(tmp_path):
    with held(tmp_path, "drive-test"):
        with (
            pytest.raises(OtherRun, match=r"Another process makes the evaluation .*drive-test"),
            held(tmp_path, "drive-test"),
        ):
            pass
    assert not list(tmp_path.iterdir())  # as nothing came of it
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation/.drive-test.lock").touch()  # of a process that was killed
    with held(tmp_path, "drive-test"), held(tmp_path, "drive-test_tta-d4"):
        pass


@pytest.mark.parametrize(
    ("changes", "ids", "own"),
    [
        ({}, ["01", "02"], True),
        ({"threshold_source": "given"}, ["01", "02"], True),
        ({"commit": "another", "tiles": "of 512 pixels"}, ["02", "01"], True),
        ({}, ["01", "03"], False),
        ({"region": "whole image"}, ["01", "02"], False),
        ({"threshold": 0.2}, ["01", "02"], False),
        ({"threshold_source": "validation images 25"}, ["01", "02"], False),
        ({"networks": [{"checkpoint": "run/checkpoints/last.ckpt"}]}, ["01", "02"], False),
    ],
)
def test_an_evaluation_of_another_protocol_keeps_its_place(earlier, changes, ids, own):
    place = place_of(earlier, protocol_of(DRIVE | changes), ids)
    assert (place == earlier) is own
    if not own:
        assert place.name.startswith("drive-test_other-") and place == place_of(
            earlier, protocol_of(DRIVE | changes), ids
        )


@pytest.mark.parametrize(
    ("known", "given", "name"),
    [
        ({"photograph": "a1", "label": "b1"}, {"photograph": "a1", "label": "b1"}, "drive-test"),
        ({"photograph": "a1", "label": "b1"}, {"photograph": "a2", "label": "b1"}, "drive-test_other-photographs-"),
        ({"photograph": "a1", "label": "b1"}, {"photograph": "a1", "label": "b2"}, "drive-test_other-labels-"),
        (None, {"photograph": "a1"}, "drive-test"),  # of an earlier version, whose photographs nobody knows
    ],
)
def test_photographs_and_labels_of_the_same_names_are_told_apart(tmp_path, known, given, name):
    content = {} if known is None else {"content": {"01": known, "02": known}}
    earlier = write_evaluation(tmp_path, dice(0.8, 0.9), **content) / "evaluation/drive-test"
    place = place_of(earlier, protocol_of(DRIVE | {"content": {"01": given, "02": given}}), ["01", "02"])
    assert place.name.startswith(name) and (place == earlier) == (name == "drive-test")


def test_a_broken_evaluation_is_replaced(earlier):
    (earlier / "metrics.json").write_text("{")
    assert place_of(earlier, protocol_of(DRIVE), ["01", "02"]) == earlier
    put_in_place(earlier, build)
    assert mean_dice(earlier.parents[1]) == 0.3
    assert set(OTHERS) <= set(names(earlier))


def test_what_a_crash_left_of_other_evaluations_is_put_right_unless_somebody_makes_them(earlier):
    run, home = earlier.parents[1], earlier.parent
    earlier.rename(home / ".drive-test.old")
    for name in (".drive-val.new", ".chase_db1-test.new"):
        (home / name / "probabilities").mkdir(parents=True)
    with held(run, "drive-val_tta-d4"):
        assert earlier.is_dir() and not (home / ".drive-test.old").exists()
        assert not (home / ".drive-val.new").exists()
    (home / ".drive-val.new").mkdir()
    with locked(home / ".drive-val.lock", OtherRun()), held(run, "drive-val_tta-d4"):
        assert (home / ".drive-val.new").exists()


@pytest.mark.parametrize("link", ["drive-test", ".drive-test.new", ".drive-test.old", ".drive-test.lock"])
def test_nothing_is_written_where_links_lead_out_of_the_run(tmp_path, link):
    mine, run = tmp_path / "mine", tmp_path / "run"
    (mine / "probabilities").mkdir(parents=True)
    (mine / "table.md").write_text("precious")
    (run / "evaluation").mkdir(parents=True)
    (run / "evaluation" / link).symlink_to(mine)
    with pytest.raises(RunError, match=r"leads to .*mine, out of .*run"), held(run, "drive-test"):
        pass
    assert names(mine) == ["table.md"] and len(list(mine.iterdir())) == 2


def test_what_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "evaluation").write_text("a file")
    with pytest.raises(UserError, match="Cannot write"), held(tmp_path, "drive-test"):
        pass


def test_the_names_of_files_follow_the_class():
    assert [ending_of(name) for name in ("model", "model: vessel")] == ["", "_vessel"]
