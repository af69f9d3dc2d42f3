"""The study of a search: where it is, what proposes and prunes, and what came of the jobs that are its trials."""

import hashlib
import inspect
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from hydra.utils import get_class, instantiate
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import Trial, TrialState

from unet_lightning.errors import ConfigError, RunError, UserError, one_line
from unet_lightning.training.state import state_or_fault

JOURNAL = "study.journal"
ERROR = "error"  # a note at a trial that failed


def begin_study(search: Mapping[str, Any], folder: Path) -> optuna.Study:
    """A new study, as the record of a sweep describes it.

    Raises:
        UserError: the storage cannot be opened, or has a study of that name.
    """
    if search["storage"] is None:
        folder.mkdir(parents=True, exist_ok=True)
    with one_line_faults("sweep.storage cannot be opened"):
        try:
            return optuna.create_study(
                study_name=search["study"], storage=storage_of(search, folder), direction=search["direction"]
            )
        except DuplicatedStudyError as error:
            raise ConfigError(
                f"There is a study {search['study']} in sweep.storage already: go on by resume=<its sweep folder>, or "
                "name another by sweep.study=..."
            ) from error


def open_study(search: Mapping[str, Any], folder: Path) -> optuna.Study:
    """The study of a search that has begun, with its pruner.

    Raises:
        RunError: the study is not there, or cannot be read.
    """
    if search["storage"] is None and not (folder / JOURNAL).is_file():
        raise RunError(f"There is no study {folder / JOURNAL}: restore it, or begin a new search.")
    with one_line_faults(f"The study of {folder} cannot be read"):
        return optuna.load_study(
            study_name=search["study"],
            storage=storage_of(search, folder),
            sampler=optuna.samplers.RandomSampler(),  # until the search proposes
            pruner=pruner_of(search["pruner"], search["warmup"]),
        )


def storage_of(search: Mapping[str, Any], folder: Path) -> Any:
    """Where a study is: a file in the folder of its sweep, or what Optuna makes of a URL."""
    if search["storage"] is not None:
        return search["storage"]
    path = str(folder / JOURNAL)
    # Optuna would take a link for its lock, which Windows may not allow.
    return JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path) if os.name == "nt" else None))


@contextmanager
def one_line_faults(what: str, faults: type[Exception] = Exception) -> Iterator[None]:
    """One line for what a storage raises.

    Args:
        what: cannot be done.
        faults: those that a storage raises; each driver has some of its own.

    Raises:
        RunError: instead.
    """
    try:
        yield
    except UserError:
        raise
    except faults as error:
        said = one_line(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        # SQLAlchemy adds the statement, and a link.
        raise RunError(f"{what}: {said.split(' [SQL')[0].split(' (Background on')[0]}") from error


def sampler_of(spec: Mapping[str, Any], seed: int | None, present: int) -> optuna.samplers.BaseSampler:
    """The sampler of the next trials.

    Its seed depends on the number of trials present: a search that goes on proposes what one that was never stopped
    would have proposed, and not the first trials again.

    Raises:
        ConfigError: it is no sampler.
        HydraException: it refuses its arguments.
    """
    if seed is not None:
        seed = int.from_bytes(hashlib.sha256(f"{seed}:{present}".encode()).digest()[:4], "big")
    sampler: optuna.samplers.BaseSampler = built(spec, "sweep.sampler", optuna.samplers.BaseSampler, seed=seed)
    return sampler


def pruner_of(spec: Mapping[str, Any], warmup: int) -> optuna.pruners.BasePruner:
    """What says which trials are not worth going on with, none of them in the first epochs.

    Raises:
        ConfigError: it is no pruner.
        HydraException: it refuses its arguments.
    """
    first = {"n_warmup_steps": warmup, "min_resource": max(1, warmup)}  # as the median rule and Hyperband call it
    pruner: optuna.pruners.BasePruner = built(spec, "sweep.pruner", optuna.pruners.BasePruner, **first)
    return pruner


def built(spec: Any, key: str, kind: type, **late: Any) -> Any:
    """The object of `_target_` and arguments, with further ones as far as the class takes them.

    Raises:
        ConfigError: it is not of that kind.
        HydraException: it refuses its arguments.
    """
    try:
        taken = inspect.signature(get_class(spec["_target_"])).parameters
    except Exception as error:  # no mapping, or no class
        raise ConfigError(f"{key} must be a mapping with the _target_ of a {kind.__name__}, found {spec}.") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # who names a class has chosen it, experimental or not
        made = instantiate({name: value for name, value in late.items() if name in taken} | dict(spec), _convert_="all")
    if not isinstance(made, kind):
        raise ConfigError(f"{key} must be a mapping with the _target_ of a {kind.__name__}, found {spec}.")
    return made


def handle(study: optuna.Study, number: int) -> Trial:
    """A trial, also one of another process, as something that can be written."""
    return Trial(study, study.get_trials(deepcopy=False)[number]._trial_id)


def end_of(folder: Path, lost: str | None) -> tuple[TrialState, float | None, str | None]:
    """What came of a trial, by the state of its job: its state, the monitored figure, and why it failed.

    One that was stopped is still RUNNING: it can go on.

    Args:
        folder: of the job.
        lost: why a job failed that does not say so itself; None before it was run.
    """
    state, broken = state_or_fault(folder)
    if state is None or state.state == "running":
        error = broken or lost
        return (TrialState.RUNNING, None, None) if error is None else (TrialState.FAIL, None, error)
    if state.state == "stopped":
        return TrialState.RUNNING, None, None
    if state.state == "pruned":
        return TrialState.PRUNED, None, None
    if state.state == "done" and state.value is not None:
        return TrialState.COMPLETE, state.value, None
    lacks = "it has no validation figure that is a number: does it validate, and reach the first time?"
    return TrialState.FAIL, None, lacks if state.state == "done" else state.error or "it failed without a word"
