"""The study of a search: where it is, and what proposes and prunes."""

import hashlib
import inspect
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import optuna
from hydra.utils import get_class, instantiate
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from unet_lightning.errors import ConfigError, RunError, UserError, one_line

JOURNAL = "study.journal"


def begin_study(search: Mapping[str, Any], folder: Path) -> optuna.Study:
    """A new study, as a record describes it; where its storage cannot be opened, nothing is left behind."""
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
    """The study of a search that has begun, with its pruner; RunError where it is not there, or cannot be read."""
    if search["storage"] is None and not (folder / JOURNAL).is_file():
        raise RunError(f"There is no study {folder / JOURNAL}: restore it, or begin a new search.")
    with one_line_faults(f"The study of {folder} cannot be read"):
        pruner, storage = pruner_of(search["pruner"], search["warmup"]), storage_of(search, folder)
        # Its sampler comes when something is to be proposed.
        return optuna.load_study(study_name=search["study"], storage=storage, sampler=RandomSampler(), pruner=pruner)


def storage_of(search: Mapping[str, Any], folder: Path) -> Any:
    """Where a study is: a file in the folder of its sweep, or what Optuna makes of a URL."""
    path = str(folder / JOURNAL)
    # Optuna would take a link for its lock, which Windows may not allow.
    lock = JournalFileOpenLock(path) if os.name == "nt" else None
    return search["storage"] or JournalStorage(JournalFileBackend(path, lock))


@contextmanager
def one_line_faults(what: str, faults: type[Exception] = Exception) -> Iterator[None]:
    """Raises RunError, one line that begins with `what`, for the faults of a storage; each driver has its own."""
    try:
        yield
    except UserError:
        raise
    except faults as error:
        said = one_line(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        # SQLAlchemy adds the statement, and a link.
        raise RunError(f"{what}: {said.split(' [SQL')[0].split(' (Background on')[0]}") from error


def sampler_of(spec: Mapping[str, Any], seed: int | None, present: int) -> BaseSampler:
    """The sampler of the next trials, seeded by the number of those present too: a search that goes on repeats none."""
    if seed is not None:
        seed = int.from_bytes(hashlib.sha256(f"{seed}:{present}".encode()).digest()[:4], "big")
    return cast(BaseSampler, built(spec, "sweep.sampler", BaseSampler, seed=seed))


def pruner_of(spec: Mapping[str, Any], warmup: int) -> BasePruner:
    """Says which trials are not worth going on with, after the epochs of `warmup`."""
    first = {"n_warmup_steps": warmup, "min_resource": max(1, warmup)}  # as the median rule and Hyperband call it
    return cast(BasePruner, built(spec, "sweep.pruner", BasePruner, **first))


def built(spec: Any, key: str, kind: type, **late: Any) -> Any:
    """The object of `_target_` and arguments, and those of `late` that it takes; ConfigError for another kind."""
    try:
        target = get_class(spec["_target_"])
        if not issubclass(target, kind):
            raise TypeError
    except Exception as error:  # no mapping, no class, or another one
        raise ConfigError(f"{key} must be a mapping with the _target_ of a {kind.__name__}, found {spec}.") from error
    taken = inspect.signature(target).parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # who names a class has chosen it, experimental or not
        more = {name: value for name, value in late.items() if name in taken}
        return instantiate(more | dict(spec), _convert_="all")
