"""Searches through a simple launcher: a job returns its figure, as training does, and leaves no state.json."""

import logging
import math
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import Engine, event

from unet_lightning.errors import ConfigError
from unet_lightning.sweeps.search.loop import Search
from unet_lightning.sweeps.search.settings import read
from unet_lightning.sweeps.search.space import parse
from unet_lightning.sweeps.search.study import Target, open_study
from unet_lightning.training.state import State

TARGET = Target("val/dice_per_image", "maximize")
SPACE = parse(["sweep=optuna", "x=interval(-4,4)", "y=1,2"], {})
GRID = parse(["x=range(0,3)", "y=true,false"], {})


@pytest.fixture(autouse=True)
def impatient_disk():
    """SQLite waits for the disk after each of the hundreds of small writes; a test need not survive a power cut."""

    def hurry(connection, record):
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", hurry)
    yield
    event.remove(Engine, "connect", hurry)


def values_of(overrides):
    return {name: float(value) for name, value in (one.split("=") for one in overrides) if name in "xy"}


def peak(x, y):
    """Best at x = 1 with y = 2."""
    return y - (x - 1) ** 2


class Launcher:
    """Calls `job(number, overrides)`, and remembers with what."""

    def __init__(self, job=lambda number, overrides: peak(**values_of(overrides))):
        self.job, self.calls, self.jobs = job, [], {}

    def __call__(self, jobs, first):
        self.calls.append((first, len(jobs)))
        returned = []
        for number, overrides in enumerate(jobs, start=first):
            self.jobs[number] = list(overrides)
            returned.append(SimpleNamespace(return_value=self.job(number, overrides)))
        return returned


def search(folder, launcher, space=SPACE, **settings):
    default = {"n_trials": 12, "n_jobs": 1, "sampler": "tpe", "seed": 0, "pruner": "none", "warmup": 0}
    chosen = read(default | {"storage": None, "study": None, "params": {}} | settings)
    study = open_study(chosen, space, TARGET, folder)
    Search(study, space, chosen, folder, launcher, lambda study: None).run()
    return study


def test_tpe_finds_the_peak(tmp_path):
    study = search(tmp_path, Launcher(), n_trials=25)
    assert study.best_params["y"] == 2 and abs(study.best_params["x"] - 1) < 0.3


def test_a_trial_is_the_job_of_its_number_with_the_values_of_the_study(tmp_path):
    launcher = Launcher()
    study = search(tmp_path, launcher, n_trials=4)
    assert launcher.calls == [(0, 1), (1, 1), (2, 1), (3, 1)]
    for trial in study.trials:
        assert launcher.jobs[trial.number] == ["sweep=optuna", f"x={trial.params['x']}", f"y={trial.params['y']}"]
        assert trial.value == peak(**trial.params)


def test_trials_go_to_the_launcher_together(tmp_path):
    launcher = Launcher()
    search(tmp_path, launcher, n_trials=7, n_jobs=3)
    assert launcher.calls == [(0, 3), (3, 3), (6, 1)]


class Killed(BaseException):
    """Ends the process, as far as a test can."""


@pytest.mark.parametrize("killed", [3, 11])  # while TPE draws by chance, and when it has learnt
def test_a_search_that_was_killed_ends_as_one_that_was_not(killed, tmp_path):
    def once(number, overrides):
        if number == killed and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise Killed
        return peak(**values_of(overrides))

    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = search(tmp_path / "whole", Launcher(), n_trials=13)
    with pytest.raises(Killed):
        search(tmp_path / "parts", Launcher(once), n_trials=13)
    again = Launcher(once)
    parts = search(tmp_path / "parts", again, n_trials=13)
    assert sorted(again.jobs) == list(range(killed, 13))  # the one that was killed first, under its own number
    assert [(trial.params, trial.value) for trial in parts.trials] == [(t.params, t.value) for t in whole.trials]


def test_n_trials_is_the_total(tmp_path):
    search(tmp_path, Launcher(), n_trials=4)
    nothing = Launcher()
    search(tmp_path, nothing, n_trials=4)
    search(tmp_path, nothing, n_trials=3)
    assert nothing.calls == []
    more = Launcher()
    study = search(tmp_path, more, n_trials=6)
    assert sorted(more.jobs) == [4, 5] and len({trial.params["x"] for trial in study.trials}) == 6


def test_a_job_that_had_ended_before_the_kill_is_not_run_again(tmp_path):
    def ended(number, overrides):
        State("done", 0, value=0.5).write(made(tmp_path / str(number)))
        raise Killed

    with pytest.raises(Killed):
        search(tmp_path, Launcher(ended), n_trials=1)
    launcher = Launcher()
    study = search(tmp_path, launcher, n_trials=1)
    assert launcher.calls == [] and study.trials[0].value == 0.5


def made(folder):
    folder.mkdir(exist_ok=True)
    return folder


def test_a_trial_that_was_half_drawn_is_drawn_to_the_end(tmp_path):
    settings = {"sampler": "random", "n_trials": 1}
    study = search(tmp_path, Launcher(), n_trials=1)
    optuna.trial.Trial(study, study._storage.create_new_trial(study._study_id)).suggest_float("x", -4, 4)
    launcher = Launcher()
    study = search(tmp_path, launcher, **settings | {"n_trials": 2})
    assert sorted(launcher.jobs) == [1] and set(study.trials[1].params) == {"x", "y"}


@pytest.mark.parametrize(
    ("returned", "said"),
    [(math.nan, "no number that could be compared: nan"), (math.inf, "inf"), (None, "no validation figure")],
)
def test_a_trial_without_a_figure_is_noted_and_passed_over(returned, said, tmp_path, caplog):
    launcher = Launcher(lambda number, overrides: returned if number == 1 else 0.1 * number)
    with caplog.at_level(logging.WARNING):
        study = search(tmp_path, launcher, n_trials=4)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert said in study.trials[1].user_attrs["error"] and "Trial 1 failed" in caplog.text
    assert study.best_trial.number == 3


class Broken:
    """What Hydra gives for a job that raised."""

    @property
    def return_value(self):
        raise ValueError("out of\nmemory")


def test_a_failed_job_leaves_its_error_at_its_trial(tmp_path):
    launcher = Launcher()
    study = search(tmp_path, lambda jobs, first: [Broken()] if first == 1 else launcher(jobs, first), n_trials=3)
    assert study.trials[1].user_attrs["error"] == "ValueError: out of memory"
    assert [trial.state.is_finished() for trial in study.trials] == [True] * 3


def test_what_a_lost_launcher_does_not_return_is_read_from_the_folders(tmp_path):
    def lost(jobs, first):
        State("done", 0, value=0.7).write(made(tmp_path / str(first)))
        State("failed", 1, error="No mask for image 21.").write(made(tmp_path / str(first + 1)))
        State("running").write(made(tmp_path / str(first + 2)))
        raise RuntimeError("job 2 was killed by Slurm")

    study = search(tmp_path, lost, n_trials=3, n_jobs=3)
    assert study.trials[0].value == 0.7
    assert [trial.user_attrs.get("error") for trial in study.trials[1:]] == [
        "No mask for image 21.",
        "RuntimeError: job 2 was killed by Slurm",
    ]


def test_a_stopped_job_goes_on_in_the_next_search(tmp_path):
    def stopped(number, overrides):
        State("stopped", 143).write(made(tmp_path / str(number)))

    study = search(tmp_path, Launcher(stopped), n_trials=1)
    assert study.trials[0].state == TrialState.RUNNING

    def goes_on(number, overrides):
        State("done", 0, value=0.6).write(tmp_path / str(number))

    launcher = Launcher(goes_on)
    assert search(tmp_path, launcher, n_trials=1).trials[0].value == 0.6
    assert sorted(launcher.jobs) == [0]


def test_a_pruned_trial_is_not_run_again(tmp_path):
    def pruned(number, overrides):
        State("pruned", 0, value=0.3).write(made(tmp_path / str(number)))

    assert search(tmp_path, Launcher(pruned), n_trials=2).trials[1].state == TrialState.PRUNED
    launcher = Launcher(pruned)
    search(tmp_path, launcher, n_trials=2)
    assert launcher.calls == []


def test_values_that_were_trained_are_not_trained_again(tmp_path):
    few = parse(["y=1,2", "x=0,1"], {})
    launcher = Launcher()
    study = search(tmp_path, launcher, space=few, n_trials=8, n_jobs=2)
    trained = [tuple(jobs) for jobs in launcher.jobs.values()]
    assert len(set(trained)) == len(trained) <= 4 < len(study.trials) == 8
    for trial in study.trials:
        twin = trial.user_attrs.get("same_as", trial.number)
        assert (trial.value, trial.params) == (study.trials[twin].value, study.trials[twin].params)


def test_values_that_failed_get_another_chance(tmp_path):
    one = parse(["y=choice(1)"], {})
    launcher = Launcher(lambda number, overrides: None if number == 0 else 0.5)
    study = search(tmp_path, launcher, space=one, n_trials=3)
    assert sorted(launcher.jobs) == [0, 1] and study.trials[2].user_attrs["same_as"] == 1


def test_a_grid_is_every_point_once_also_after_a_kill(tmp_path):
    def once(number, overrides):
        if number == 2 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            raise Killed
        return 0.5

    launcher = Launcher(once)
    with pytest.raises(Killed):
        search(tmp_path, launcher, space=GRID, sampler="grid", n_trials=20)
    study = search(tmp_path, launcher, space=GRID, sampler="grid", n_trials=20)
    assert [launcher.jobs[number] for number in range(6)] == [
        [f"x={x}", f"y={y}"] for x in (0, 1, 2) for y in ("true", "false")
    ]
    assert len(launcher.jobs) == len(study.trials) == 6


def test_a_page_that_cannot_be_drawn_does_not_end_the_search(tmp_path, caplog):
    def full(study):
        raise OSError("No space left on device")

    chosen = {"n_trials": 3, "n_jobs": 1, "sampler": "random", "seed": 0, "pruner": "none", "warmup": 0}
    settings = read(chosen | {"storage": None, "study": None, "params": {}})
    study = open_study(settings, SPACE, TARGET, tmp_path)
    Search(study, SPACE, settings, tmp_path, Launcher(), full).run()
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert "without its page: OSError: No space left on device" in caplog.text


def test_a_grid_larger_than_the_search_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"6 points, and sweep.n_trials is 5: set sweep.n_trials=6"):
        search(tmp_path, Launcher(), space=GRID, sampler="grid", n_trials=5)
