"""Searches through a simple launcher, whose jobs leave a state as training does."""

import logging

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.trial import TrialState

from unet_lightning.errors import ConfigError, OtherRun
from unet_lightning.sweeps.record import Record, is_sweep, read
from unet_lightning.sweeps.search import summary
from unet_lightning.sweeps.search.space import parse
from unet_lightning.sweeps.search.study import begin_study, open_study
from unet_lightning.sweeps.search.sweeper import Search, description, known, wanted
from unet_lightning.training.state import State

SPACE = parse(["x=interval(-4,4)", "y=1,2"], {})
GRID = parse(["x=range(0,3)", "y=true,false"], {})
BEST = OmegaConf.create({"callbacks": {"best": {"monitor": "val/dice_per_image", "mode": "max"}}})
SETTINGS = {
    "n_trials": 12, "n_jobs": 1, "seed": 0, "warmup": 0, "storage": None, "study": None,
    "sampler": {"_target_": "optuna.samplers.TPESampler"}, "pruner": {"_target_": "optuna.pruners.NopPruner"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr(summary, "write_page", lambda *arguments: None)


def peak(x, y):
    """Best at x = 1 with y = 2."""
    return y - (x - 1) ** 2


class Launcher:
    """Calls `job(number, values)`, whose figure or state it writes; remembers the overrides of each job."""

    def __init__(self, folder, job=lambda number, values: peak(**values)):
        self.folder, self.job, self.calls, self.jobs = folder, job, [], {}

    def launch(self, jobs, initial_job_idx):
        self.calls.append((initial_job_idx, len(jobs)))
        returned = []
        for *overrides, subdir in jobs:
            number = int(subdir.removeprefix("hydra.sweep.subdir=").strip("'"))
            self.jobs[number] = overrides
            values = {name: value for name, value in (one.split("=") for one in overrides) if name in "xy"}
            found = self.job(number, {name: float(value) for name, value in values.items() if value[0] not in "TF"})
            if not isinstance(found, OtherRun):
                ended = found if isinstance(found, State) else State("done", 0, value=found)
                (self.folder / str(number)).mkdir(exist_ok=True)
                ended.write(self.folder / str(number))
            returned.append(JobReturn(status=JobStatus.COMPLETED, _return_value=found))
        return returned


def search(folder, launcher, space=SPACE, **changed):
    settings = SETTINGS | changed
    settings["n_trials"] = wanted(settings, space)
    about = description(BEST, settings, space, folder)
    if is_sweep(folder):
        record = known(folder, [], about)
        study = open_study(record.search, folder)
    else:
        record, study = Record("quick", ".", "train", search=about), begin_study(about, folder)
    Search(study, space, settings, folder, launcher, record).run()
    return study


def test_tpe_finds_the_peak(tmp_path):
    study = search(tmp_path, Launcher(tmp_path), n_trials=25)
    assert study.best_params["y"] == 2 and abs(study.best_params["x"] - 1) < 0.3


def test_a_trial_is_the_job_of_its_number_with_the_values_of_the_study(tmp_path):
    launcher = Launcher(tmp_path)
    study = search(tmp_path, launcher, n_trials=4)
    assert launcher.calls == [(0, 1), (1, 1), (2, 1), (3, 1)]
    for trial in study.trials:
        assert launcher.jobs[trial.number] == [f"x={trial.params['x']}", f"y={trial.params['y']}"]
        assert trial.value == peak(**trial.params)
    assert read(tmp_path).jobs == {str(number): launcher.jobs[number] for number in range(4)}


def test_trials_go_to_the_launcher_together(tmp_path):
    launcher = Launcher(tmp_path)
    search(tmp_path, launcher, n_trials=7, n_jobs=3)
    assert launcher.calls == [(0, 3), (3, 3), (6, 1)]


class Killed(BaseException):
    """Ends the process, as far as a test can."""


@pytest.mark.parametrize("killed", [3, 11])  # while TPE draws by chance, and when it has learnt
def test_a_search_that_was_killed_ends_as_one_that_was_not(killed, tmp_path):
    def once(number, values):
        if number == killed and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise Killed
        return peak(**values)

    whole = search(tmp_path / "whole", Launcher(tmp_path / "whole"), n_trials=13)
    with pytest.raises(Killed):
        search(tmp_path / "parts", Launcher(tmp_path / "parts", once), n_trials=13)
    again = Launcher(tmp_path / "parts", once)
    parts = search(tmp_path / "parts", again, n_trials=13)
    assert sorted(again.jobs) == list(range(killed, 13))  # the one that was killed first, under its own number
    assert [(trial.params, trial.value) for trial in parts.trials] == [(t.params, t.value) for t in whole.trials]


def test_n_trials_is_the_total(tmp_path):
    search(tmp_path, Launcher(tmp_path), n_trials=4)
    nothing = Launcher(tmp_path)
    search(tmp_path, nothing, n_trials=4)
    search(tmp_path, nothing, n_trials=3)
    assert nothing.calls == []
    more = Launcher(tmp_path)
    study = search(tmp_path, more, n_trials=6)
    assert sorted(more.jobs) == [4, 5] and len({trial.params["x"] for trial in study.trials}) == 6


def test_a_job_that_had_ended_before_the_kill_is_not_run_again(tmp_path):
    def ended(number, values):
        (tmp_path / str(number)).mkdir()
        State("done", 0, value=0.5).write(tmp_path / str(number))
        raise Killed

    with pytest.raises(Killed):
        search(tmp_path, Launcher(tmp_path, ended), n_trials=1)
    launcher = Launcher(tmp_path)
    study = search(tmp_path, launcher, n_trials=1)
    assert launcher.calls == [] and study.trials[0].value == 0.5


def test_a_trial_that_was_half_drawn_is_drawn_to_the_end(tmp_path):
    study = search(tmp_path, Launcher(tmp_path), n_trials=1)
    optuna.trial.Trial(study, study._storage.create_new_trial(study._study_id)).suggest_float("x", -4, 4)
    launcher = Launcher(tmp_path)
    study = search(tmp_path, launcher, n_trials=2)
    assert sorted(launcher.jobs) == [1] and set(study.trials[1].params) == {"x", "y"}


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (State("done", 0), "no validation figure"),
        (State("failed", 1, error="No mask for image 21."), "No mask for image 21."),
        (State("running"), "it was killed"),
        (OtherRun("another run is there"), "another run is there"),
    ],
)
def test_a_trial_without_a_figure_is_noted_and_passed_over(ended, said, tmp_path, caplog):
    launcher = Launcher(tmp_path, lambda number, values: ended if number == 1 else 0.1 * number)
    with caplog.at_level(logging.WARNING):
        study = search(tmp_path, launcher, n_trials=4)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert said in study.trials[1].user_attrs["error"] and "Trial 1 failed" in caplog.text
    assert study.best_trial.number == 3
    again = Launcher(tmp_path)
    search(tmp_path, again, n_trials=4)
    assert again.calls == []


def test_what_a_lost_launcher_does_not_return_is_read_from_the_folders(tmp_path):
    def lost(jobs, initial_job_idx):
        for name, state in enumerate((State("done", 0, value=0.7), State("failed", 1, error="No mask."))):
            (tmp_path / str(name)).mkdir()
            state.write(tmp_path / str(name))
        raise RuntimeError("a worker was killed")

    launcher = Launcher(tmp_path)
    launcher.launch = lost
    study = search(tmp_path, launcher, n_trials=3, n_jobs=3)
    assert study.trials[0].value == 0.7
    said = [trial.user_attrs.get("error") for trial in study.trials[1:]]
    assert said == ["No mask.", "RuntimeError: a worker was killed"]


def test_what_the_launcher_refuses_ends_the_search_and_fails_no_trial(tmp_path):
    def refuse(jobs, initial_job_idx):
        raise ConfigError("Slurm does not take the jobs")

    launcher = Launcher(tmp_path)
    launcher.launch = refuse
    with pytest.raises(ConfigError, match="Slurm does not take the jobs"):
        search(tmp_path, launcher, n_trials=1)
    assert search(tmp_path, Launcher(tmp_path), n_trials=1).trials[0].state == TrialState.COMPLETE


def test_a_stopped_job_goes_on_in_the_next_search(tmp_path):
    study = search(tmp_path, Launcher(tmp_path, lambda number, values: State("stopped", 143)), n_trials=1)
    assert study.trials[0].state == TrialState.RUNNING
    launcher = Launcher(tmp_path, lambda number, values: 0.6)
    assert search(tmp_path, launcher, n_trials=1).trials[0].value == 0.6
    assert sorted(launcher.jobs) == [0]


def test_a_pruned_trial_is_not_run_again(tmp_path):
    launcher = Launcher(tmp_path, lambda number, values: State("pruned", 0, value=0.3))
    assert search(tmp_path, launcher, n_trials=2).trials[1].state == TrialState.PRUNED
    again = Launcher(tmp_path)
    search(tmp_path, again, n_trials=2)
    assert again.calls == []


ALL = {"sampler": {"_target_": "optuna.samplers.BruteForceSampler"}, "n_trials": 20}


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_a_grid_is_every_point_once_also_after_a_kill(n_jobs, tmp_path):
    def once(number, values):
        if number == 2 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise Killed
        return 0.5

    launcher = Launcher(tmp_path, once)
    with pytest.raises(Killed):
        search(tmp_path, launcher, space=GRID, n_jobs=n_jobs, **ALL)
    study = search(tmp_path, launcher, space=GRID, n_jobs=n_jobs, **ALL)
    points = sorted([f"x={x}", f"y={y}"] for x in (0, 1, 2) for y in ("True", "False"))
    assert sorted(launcher.jobs.values()) == points
    assert len(launcher.jobs) == len(study.trials) == 6


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (GRID, "6 points, and sweep.n_trials is 5: set sweep.n_trials=6"),
        (SPACE, "can be counted: write x as a choice or a range"),
    ],
)
def test_a_grid_that_cannot_be_tried_as_a_whole_is_refused(space, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        search(tmp_path, Launcher(tmp_path), space=space, **ALL | {"n_trials": 5})


def test_a_page_that_cannot_be_drawn_does_not_end_the_search(tmp_path, caplog, monkeypatch):
    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(summary, "write_page", full)
    study = search(tmp_path, Launcher(tmp_path), n_trials=3)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert "without its page: OSError: No space left on device" in caplog.text
