import math
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from unet_lightning.errors import OtherRun, RunError, UserError
from unet_lightning.training.attempt import Attempt
from unet_lightning.training.callbacks.history import History
from unet_lightning.training.folder import RunFolder, claimed, followed
from unet_lightning.training.state import State

CONFIG = {"seed": 0, "data": {"root": "/data", "seed": 0}, "model": {"weights": None}, "trainer": {}}


def test_the_same_configuration_may_go_on_wherever_its_data_is(tmp_path):
    run = RunFolder(tmp_path)
    run.write_config(CONFIG)
    run.check_same(CONFIG | {"data": {"root": "/elsewhere", "seed": 0}})
    with pytest.raises(OtherRun, match="seed is 0 there, 1 here"):
        run.check_same(CONFIG | {"data": {"root": "/data", "seed": 1}, "seed": 1})


def test_a_run_that_goes_on_adds_an_attempt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunFolder(tmp_path / "run")
    run.write_provenance(CONFIG, "python -m unet_lightning.train seed=0", ["seed=0"], "new")
    run.write_provenance(CONFIG, "python -m unet_lightning.train resume=x", [], "resumed")
    found = yaml.safe_load((run.path / "repro.yaml").read_text())
    assert [attempt["command"].split()[-1] for attempt in found["attempts"]] == ["seed=0", "resume=x"]
    assert [attempt["kind"] for attempt in found["attempts"]] == ["new", "resumed"]
    assert found["repeat"] == "python -m unet_lightning.train rerun=run"


def test_a_run_that_cannot_be_put_back_loses_nothing(tmp_path, monkeypatch):
    def full(path):
        raise UserError(f"Cannot write {path}: No space left on device")

    run = RunFolder(tmp_path)
    run.config_file.write_text("new")
    attempt = Attempt(run, CONFIG, "resumed", SimpleNamespace(is_global_zero=True))
    attempt.before = {run.config_file: b"old"}
    with monkeypatch.context() as patch, pytest.raises(UserError):
        patch.setattr("unet_lightning.training.attempt.whole_file", full)
        attempt._put_back()
    assert run.config_file.read_text() == "new"
    attempt._put_back()
    assert run.config_file.read_text() == "old"


@pytest.mark.parametrize(("mode", "best"), [("max", (0.5, 3)), ("min", (0.25, 4))])
def test_the_best_figure_of_a_run_is_one_that_can_be_compared(tmp_path, mode, best):
    history = History()
    figures = [{}, {"val/dice": math.nan}, {"val/dice": math.inf}, {"val/dice": 0.5}, {"val/dice": 0.25}]
    history.rows = [{"epoch": epoch, "seconds": 1.0, **figure} for epoch, figure in enumerate(figures)]
    trainer = SimpleNamespace(
        callbacks=[history],
        checkpoint_callback=SimpleNamespace(monitor="val/dice", mode=mode),
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    attempt = Attempt(RunFolder(tmp_path), CONFIG, "new", trainer)
    attempt.state, attempt.started = State("running"), time.monotonic()
    found = attempt._figures()
    assert (found["value"], found["epoch"]) == best
    assert found["seconds"] == 5.0  # of five epochs, whatever the clock of this attempt says
    history.rows = history.rows[:3]
    assert attempt._figures()["value"] is None


@pytest.mark.parametrize("links", [True, False])
def test_latest_leads_to_the_newest_run_also_where_links_are_not_allowed(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(Path, "symlink_to", lambda *_: (_ for _ in ()).throw(OSError("not allowed")))
    for name in ("first", "second"):
        run = RunFolder(tmp_path / "outputs/quick" / name)
        run.path.mkdir(parents=True)
        run.link_latest("quick")
    latest = tmp_path / "outputs/quick/latest"
    assert latest.is_symlink() == links
    assert followed(latest).resolve() == run.path
    RunFolder(tmp_path / "elsewhere").link_latest("quick")
    assert followed(latest).resolve() == run.path


FILES = ("config.yaml", "threshold.json", "checkpoints/best.ckpt", "evaluation/drive-test/per_image.csv")


@pytest.fixture
def run(tmp_path):
    """A folder with files of a run."""
    for name in FILES:
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize("name", [*FILES, "checkpoints", "evaluation", "evaluation/drive-test"])
def test_what_leads_out_of_a_run_is_named(run, tmp_path, name):
    run.check_links()
    (run.path / name).rename(tmp_path / "elsewhere")
    (run.path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=f"{name} in it leads to {tmp_path}/elsewhere"):
        run.check_links()


@pytest.mark.parametrize("name", ["threshold.json", "evaluation/drive-test/metrics.json"])
def test_what_is_no_file_would_be_waited_for(run, name):
    (run.path / name).unlink(missing_ok=True)
    os.mkfifo(run.path / name)
    with pytest.raises(RunError, match=f"{name} in it is no file"):
        run.check_links()


def test_links_within_a_run_and_from_a_collection_to_runs_are_as_good_as_copies(run, tmp_path):
    (run.path / "checkpoints/last.ckpt").symlink_to("best.ckpt")
    (tmp_path / "latest").symlink_to("run")
    RunFolder(tmp_path / "latest").check_links()
    collection = RunFolder(tmp_path / "collection")
    collection.path.mkdir()
    (collection.path / "first").symlink_to(run.path)
    collection.check_links()
    (collection.path / "evaluation").symlink_to(run.path)
    with pytest.raises(RunError, match="evaluation in it leads to"):
        collection.check_links()


def test_each_folder_that_is_claimed_is_a_new_one(tmp_path):
    wanted = tmp_path / "outputs/train/2026-01-31_12-00-00"
    assert [claimed(wanted).name for _ in range(3)] == [wanted.name, f"{wanted.name}_2", f"{wanted.name}_3"]


@pytest.mark.parametrize(
    ("log", "other", "left"),
    [
        (b"", None, False),
        (b"[2026-01-31 12:00:00,000][unet_lightning.train][INFO] - What it saw before it was refused\n", None, False),
        (b"[2026-01-31 12:00:00,000][unet_lightning.train][INFO] - A run\n", "config.yaml", True),
        (b"[notes] of somebody\n", None, True),
    ],
)
def test_a_folder_in_which_nothing_began_goes_with_its_log_alone(tmp_path, log, other, left):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "train.log").write_bytes(log)
    if other:
        (folder / other).touch()
    RunFolder(folder).discard_empty()
    assert (folder / "train.log").exists() == folder.exists() == left
