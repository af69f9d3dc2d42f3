"""Sweeps that survive: each job leaves its state, a failed one does not end the rest, and all of it can go on."""

import contextlib
import gc
import logging
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from unet_lightning.commandline import has_outside_ranks, outside_rank, quoted, shown
from unet_lightning.errors import ConfigError, OtherRun, RunError, one_line
from unet_lightning.files import write_text
from unet_lightning.training.state import ERROR, State, begun, state_or_fault

SWEEP = "sweep.yaml"

log = logging.getLogger(__name__)

MOST = 100  # as exit code; those above 128 mean signals
BEGUN: dict[Path, list[Path]] = {}  # sweeps that this process has begun, and the folders it made for each
REFUSED: list[str] = []  # jobs of this process that did not get their folder
SEARCHES = ".search.lock"  # of a search
# Where a sweep is kept is given anew when it goes on.
PLACE = ("hydra.sweep.dir=", "hydra.run.dir=")


@dataclass(frozen=True)
class Sweep:
    """The folder of a sweep."""

    path: Path

    @property
    def is_one(self) -> bool:
        """Whether this is the folder of a sweep that can go on."""
        return (self.path / SWEEP).is_file()

    def jobs(self) -> dict[str, State | None]:
        """The state of each job that has begun, by its number."""
        folders = [folder for folder in self.path.iterdir() if folder.name.isdigit() and folder.is_dir()]
        return {folder.name: state_of(folder) for folder in sorted(folders, key=lambda folder: int(folder.name))}

    def record(self) -> dict[str, Any]:
        """Of the command that it was: `flags`, `overrides`, the `name` that jobs may change, and where it was given.

        Raises:
            RunError: sweep.yaml is broken.
        """
        try:
            record = yaml.safe_load((self.path / SWEEP).read_text(encoding="utf-8"))
            texts = {key: str(record.get(key, "")) for key in ("name", "cwd")}
            return {"flags": record["flags"], "overrides": list(record["overrides"])} | texts
        except Exception as error:  # whatever a parser stumbles over
            raise RunError(f"{self.path / SWEEP} is broken: {' '.join(str(error).split())}") from error

    def arguments(self, further: list[str]) -> list[str]:
        """The command line that goes on with it.

        Args:
            further: of the present command line: values of hydra.* and sweep.* alone, such as another launcher.

        Raises:
            ConfigError: others.
            RunError: sweep.yaml is broken.
        """
        other = [given for given in further if not given.startswith(("hydra.", "hydra/", "sweep."))]
        if other:
            raise ConfigError(
                f"A sweep goes on with its own values, found {' '.join(other)}: only hydra.*, hydra/launcher and "
                "sweep.* may change. Begin a new sweep for other values."
            )
        record = self.record()
        check_sweep(self.path / SWEEP, record["flags"], record["overrides"])
        for folder in (self.path, *(self.path / name for name in self.jobs())):
            check_links(folder)
        if record["cwd"] and (self.path / record["cwd"]).is_dir():
            os.chdir(self.path / record["cwd"])  # relative paths among the values mean what they meant
        kept = [given for given in record["overrides"] if not given.startswith(PLACE)]
        return [*record["flags"], "-m", *kept, f"hydra.sweep.dir={quoted(self.path)}", *further]


class SweepRecord(Callback):
    """Hydra calls this at both ends of a multirun: the sweep can be repeated, and its exit code says what failed."""

    def on_multirun_start(self, config: DictConfig, **arguments: Any) -> None:
        """Writes `sweep.yaml`, where nothing is wrong yet."""
        from unet_lightning.program import one_line_errors

        one_line_errors(self._begin)(config)  # Hydra only warns of an exception here

    def _begin(self, config: DictConfig) -> None:
        from unet_lightning.sweeps import clusters

        clusters.check(config)
        folder, job = Path(config.hydra.sweep.dir).absolute(), config.hydra
        folders = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
        values = [*map(str, job.overrides.hydra), *map(str, job.overrides.task)]
        record = {
            # Hydra wants its flags first.
            "flags": [*(f"--config-dir={folder}" for folder in folders), f"--config-name={job.job.config_name}"],
            "overrides": [given for given in values if given != "hydra.mode=MULTIRUN"],
            "name": config.name,
            "cwd": os.path.relpath(Path.cwd(), folder),  # that relative paths are of; all of it may be moved
        }
        if not (folder / SWEEP).exists():
            BEGUN[folder] = [one for one in (folder, *folder.parents) if not one.exists()]
            write_text(folder / SWEEP, yaml.safe_dump(record, sort_keys=False, width=1000))
        elif tried(Sweep(folder).record()["overrides"]) != tried(record["overrides"]):
            raise OtherRun(
                f"{folder} holds another sweep. Go on with it by resume={shown(folder)}, or choose another folder by "
                "hydra.sweep.dir."
            )
        # A job that changes `name` stays in the folder of the sweep too.
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra += [f"hydra.sweep.dir={quoted(folder)}"]

    def on_job_start(self, config: DictConfig, **arguments: Any) -> None:
        """Points `latest` to the sweep: its values compose, so that it has jobs."""
        from unet_lightning.training.folder import RunFolder

        if in_sweep():
            sweep = Sweep(Path(config.hydra.sweep.dir))
            RunFolder(sweep.path).link_latest(sweep.record()["name"])

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **arguments: Any) -> None:
        """Lets go of what a job leaves in memory, such as its network, before the next one needs the room."""
        if in_sweep():
            job_return.cfg = job_return.hydra_cfg = None  # Hydra would keep two copies until the end of the sweep
            gc.collect()  # Trainer and network refer to each other

    def on_multirun_end(self, config: DictConfig, **arguments: Any) -> None:
        """Says what became of the jobs; the exit code is the number of those that failed."""
        from unet_lightning.program import one_line_errors

        one_line_errors(self._end)(config)

    def _end(self, config: DictConfig) -> None:
        folder = Path(config.hydra.sweep.dir)
        jobs = Sweep(folder).jobs()
        count = Counter("missing" if state is None else state.state for state in jobs.values())
        log.info(f"{len(jobs)} jobs: " + ", ".join(f"{number} {word}" for word, number in count.items()))
        failed = {name: state for name, state in jobs.items() if state is None or state.state in ("failed", "running")}
        faults: dict[str, list[str]] = {}
        for name, state in failed.items():
            said = "it ended without a word" if state is None or state.error is None else state.error
            faults.setdefault(said, []).append(name)
        for said, names in faults.items():
            job = f"job {names[0]}" if len(names) == 1 else f"jobs {', '.join(names)}"
            print(f"error: {job}: {said} ({folder / names[0] / ERROR})", file=sys.stderr, flush=True)
        for said in REFUSED:
            print(f"error: {said}", file=sys.stderr, flush=True)
        if failed and (folder / "search.json").is_file():
            log.info(f"Failed trials are not tried again; more trials: resume={shown(folder)} sweep.n_trials=...")
        elif failed:
            log.info(f"Go on: python -m unet_lightning.train resume={shown(folder)}")
        log.info(f"Sweep folder: {shown(folder)}")
        if any(str(given).startswith("data.fold=") for given in config.hydra.overrides.task):
            log.info(f"Evaluate the cross-validation: python -m unet_lightning.evaluate run={shown(folder)}")
        else:
            log.info(f"Compare them: python -m unet_lightning.leaderboard {shown(folder)}")
        if failed or REFUSED:
            sys.exit(min(len(failed) + len(REFUSED), MOST))


def discard_empty() -> None:
    """Removes the folder of a sweep whose values did not compose: nothing has begun in it."""
    for folder, made in BEGUN.items():
        if folder.is_dir() and {path.name for path in folder.iterdir()} <= {SWEEP, "multirun.yaml", SEARCHES}:
            for path in folder.iterdir():
                path.unlink()
            with contextlib.suppress(OSError):  # others have come to lie there meanwhile
                for one in made:
                    one.rmdir()
    BEGUN.clear()


def state_of(folder: Path) -> State | None:
    """The state of a job; a state.json that is broken counts as failed."""
    state, broken = state_or_fault(folder)
    return State("failed", 1, error=broken) if broken else state


def tried(overrides: Sequence[str]) -> set[str]:
    """The values of a sweep without where it is kept, where its jobs run, and how long it searches."""
    return {given for given in overrides if not given.startswith(("hydra.", "hydra/", "sweep."))}


def in_sweep() -> bool:
    """Whether this is a job of a multirun."""
    from hydra.types import RunMode

    return bool(HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN)


def recorded(job: Callable[[], float | None], folder: Path) -> float | None:
    """Calls a job of a sweep; what goes wrong is written into its folder, and the sweep goes on.

    Returns:
        what the job returned, None where it failed.
    """
    overrides = list(HydraConfig.get().overrides.task)
    try:
        return job()
    except OtherRun as error:  # its folder is not ours to write to
        REFUSED.append(str(error))
        log.error(f"Job refused: {error}")
        return None
    except Exception as error:
        if not outside_rank():
            write_text(folder / ERROR, traceback.format_exc())
            state = state_of(folder)
            if state is None or state.state in ("running", "stopped"):  # nobody below has noted it
                state = state if state is not None and state.pid == os.getpid() else begun(state, overrides)
            state.ended("failed", 1, error=one_line(error)).write(folder)
        log.error(f"Job failed: {one_line(error)}")
        if has_outside_ranks():  # a bad exit, by which srun ends those that wait for this one
            traceback.print_exc()
            sys.exit(1)
        return None
