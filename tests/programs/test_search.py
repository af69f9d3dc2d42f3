"""`sweep=optuna` as a user calls it."""

import importlib.util
import json
import os
import signal

import optuna
import pytest
import yaml
from conftest import TINY_RUN
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from unet_lightning.errors import RunError
from unet_lightning.files import locked

SEARCH = ["-m", "sweep=optuna", *TINY_RUN, "optimizer.lr=tag(log, interval(1e-4, 1e-2))", "score=false"]


def study_in(folder):
    return optuna.load_study(study_name="search", storage=JournalStorage(JournalFileBackend(f"{folder}/study.journal")))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["sweep.n_trials=0"], "sweep.n_trials must be a whole number from 1, found 0"),
        (["sweep.storage=studies"], "sweep.storage cannot be opened"),
        (["sweep.storage=sqlite:////no/such/folder/study.db"], "unable to open database file"),
        (["sweep/sampler=tpa"], "tpa"),
        (["+sweep.sampler.sed=1"], "unexpected keyword argument 'sed'"),
        (["optimizer.lr=1e-3"], "Nothing to search"),
        (["optimizer.lr=tag(log, interval(0, 1))"], "is no space to search"),
        (["model=unet,unett"], "unett"),
        (["model.basec=2,4"], "basec"),
        (["sweep.n_trial=5"], "n_trial"),
    ],
)
def test_a_wrong_search_is_one_line_and_leaves_nothing(given, said, in_process, tmp_path):
    assert said in in_process("train", *SEARCH, *given, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert tmp_path.exists() and list(tmp_path.iterdir()) == []


def test_without_optuna_the_error_says_how_to_install_it(in_process, monkeypatch, tmp_path):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "optuna" else real(name, *more)
    )
    message = in_process("train", *SEARCH, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert message.endswith("sweep=optuna needs optuna: pip install 'unet-lightning[search]'.")


def test_one_search_at_a_time_works_in_a_folder(in_process, tmp_path):
    with locked(tmp_path / ".search.lock", RunError()):
        assert "Another search is at work" in in_process("train", *SEARCH, f"hydra.sweep.dir={tmp_path}")


def test_a_killed_search_goes_on_to_its_end(program, forks, tiny_drive, tmp_path):
    folder = tmp_path / "sweep"
    given = [*SEARCH, "trainer.max_epochs=12", "sweep.n_trials=2", f"hydra.sweep.dir={folder}"]
    search = forks.start("unet_lightning.train", given, tmp_path, os.environ | {"DRIVE_ROOT": str(tiny_drive)})
    while not (folder / "0/checkpoints/last.ckpt").exists():
        assert search.poll(0.05) is None
    os.killpg(search.pid, signal.SIGKILL)
    assert search.poll(60) == -signal.SIGKILL
    killed = study_in(folder)
    assert [trial.state.name for trial in killed.trials] == ["RUNNING"]
    done = program("train", f"resume={folder}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Going on with trial 0" in done.stdout and "2 trials: 2 complete" in done.stdout
    found = study_in(folder)
    assert found.trials[0].params == killed.trials[0].params != found.trials[1].params
    states = [json.loads((folder / name / "state.json").read_text()) for name in "01"]
    assert [state["attempts"] for state in states] == [2, 1]
    assert [state["value"] for state in states] == [trial.value for trial in found.trials]
    assert {"search.html", "study.journal", "sweep.yaml"} <= {path.name for path in folder.iterdir()}
    config = yaml.safe_load((folder / "0/config.yaml").read_text())
    assert "sweep" not in config and "prune" not in config["callbacks"]


def test_a_search_goes_on_to_more_trials(program, tmp_path):
    sweep = [*SEARCH, "trainer.max_epochs=1", "sweep.n_trials=1", "sweep/pruner=none", "hydra.sweep.dir=sweep"]
    assert program("train", *sweep, cwd=tmp_path).returncode == 0
    done = program("train", "resume=sweep", "sweep.n_trials=2", "sweep/sampler=random", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 trials: 2 complete" in done.stdout
    assert json.loads((tmp_path / "sweep/0/state.json").read_text())["attempts"] == 1


def test_ranks_of_a_trial_are_pruned_together(program, tmp_path):
    prune = "+sweep.pruner={_target_: optuna.pruners.ThresholdPruner, lower: 1.0}"
    given = [
        "trainer=ddp_cpu",
        "trainer.max_epochs=3",
        "sweep.warmup=0",
        prune,
        "sweep.n_trials=1",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    ]
    done = program("train", *SEARCH, *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "sweep/0/state.json").read_text())["state"] == "pruned"
    (trial,) = study_in(tmp_path / "sweep").trials
    assert trial.state.name == "PRUNED" and list(trial.intermediate_values) == [0]
    assert len((tmp_path / "sweep/0/metrics.csv").read_text().splitlines()) == 2
    assert (tmp_path / "sweep/0/curves.png").is_file()
