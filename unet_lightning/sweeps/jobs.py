"""A job of a sweep: what goes wrong is written into its folder, and the sweep goes on."""

import contextlib
import gc
import importlib.util
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins import basic_launcher
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import RunMode

from unet_lightning import specs
from unet_lightning.errors import OtherRun, one_line
from unet_lightning.files import write_text
from unet_lightning.sweeps.orphans import announced, ends_with_its_sweep
from unet_lightning.sweeps.record import Record, is_search
from unet_lightning.text import as_lines, override_value
from unet_lightning.training.state import ERROR, State, begun, state_or_fault

log = logging.getLogger(__name__)


def in_sweep() -> bool:
    """Whether this is a job of a sweep."""
    return bool(HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN)


def recorded(job: Callable[[], float | None], folder: Path, rank: int, has_ranks: bool) -> float | OtherRun | None:
    """Calls a job of a sweep, and notes in its folder what goes wrong, unless it is not its own; None where it failed.

    Where Slurm has started several processes for this job, `has_ranks` is true and this one has a `rank`.
    """
    try:
        with ends_with_its_sweep():
            return job()
    except OtherRun as error:
        log.error(f"Job refused: {error}")
        return OtherRun(str(error))  # without the frames, which hold the network
    except Exception as error:
        if not rank:
            state = state_of(folder)
            if state is None or (state.state in ("running", "stopped") and state.pid != os.getpid()):
                # Nobody below has noted this attempt.
                state = begun(state, list(HydraConfig.get().overrides.task))
            note_failure(folder, state, one_line(error), traceback.format_exc())
        log.error(f"Job failed: {one_line(error)}")
        if has_ranks:  # a bad exit, by which srun ends those that wait for this one
            traceback.print_exc()
            sys.exit(1)
        return None
    finally:
        gc.collect()  # Trainer and network refer to each other, and the next job needs their room


def launch(
    launcher: Launcher, record: Record, names: Sequence[str], folder: Path, together: int | None = None
) -> dict[str, str]:
    """Runs the jobs of these names, some or all together, each in its folder; why some were refused, by their names."""
    # One after the other they are launched one by one: Hydra keeps two copies of each config until a launch ends.
    here = isinstance(launcher, basic_launcher.BasicLauncher)
    size = 1 if here else together or max(1, len(names))
    numbers, refused = list(record.jobs), {}
    for start in range(0, len(names), size):
        some = names[start : start + size]
        given = [[*record.jobs[name], f"hydra.sweep.subdir={override_value(name)}"] for name in some]
        if record.search is None:
            places = dict.fromkeys(str(numbers.index(name) + 1) for name in (some[0], some[-1]))
            log.info(f"Job{'s' * (len(some) > 1)} {' to '.join(places)} of {len(numbers)}")
        with contextlib.nullcontext() if here or outlive_the_sweep(launcher) else announced():
            found = launcher.launch(given, numbers.index(some[0]))
        for name, ended in zip(some, found, strict=True):
            returned = ended._return_value  # the property raises what a job has raised
            if isinstance(returned, OtherRun):
                refused[name] = str(returned)
            elif ended.status == JobStatus.FAILED:
                note_lost(folder / name, one_line(returned), record.jobs[name])
    return refused


def outlive_the_sweep(launcher: Launcher) -> bool:
    """Whether the jobs of a launcher run on other machines, and go on without the process that sent them."""
    return "slurm" in type(launcher).__name__.lower()


def note_lost(folder: Path, reason: str, overrides: Sequence[str]) -> None:
    """Writes into a job's folder that it failed, unless it has said itself how it ended."""
    with contextlib.suppress(OSError):
        os.listdir(folder)  # NFS remembers what a folder lacked until it is listed anew
    state = state_of(folder)
    if state is not None and state.state in ("done", "pruned"):
        log.warning(f"Job {folder.name} is {state.state}, though: {reason}")
        return
    if state is None or state.state in ("running", "stopped"):
        note_failure(folder, state or begun(None, overrides), reason, f"{reason}\n")
    log.error(f"Job {folder.name} failed: {reason}")


def note_failure(folder: Path, state: State, reason: str, trace: str) -> None:
    """Writes error.txt and the state of a job that failed."""
    write_text(folder / ERROR, as_lines(trace))
    state.ended("failed", 1, error=reason).write(folder)


def state_of(folder: Path) -> State | None:
    """The state of a job; a state.json that is broken counts as failed."""
    state, broken = state_or_fault(folder)
    return State("failed", 1, error=broken) if broken else state


def callbacks_for(folder: Path, storage: str | None = None) -> dict[str, Any]:
    """What a search adds to the callbacks of its trials: the one that ends them early; nothing for any other run.

    `storage` is that of the search where its record, which keeps no password, lacks it. The callback must be the last:
    it raises when training has ended, and those after it would not hear of that.
    """
    if not (folder.name.isdigit() and is_search(folder.parent) and importlib.util.find_spec("optuna")):
        return {}
    name = "unet_lightning.sweeps.search.pruning.Pruning"
    specs.trust([name])
    return {"prune": {"_target_": name, "folder": str(folder), "storage": storage}}
