"""A sweep: begun, gone on with, and what became of its jobs."""

import importlib.util
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins import basic_sweeper
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from unet_lightning.commands import command, shell_path, value_path
from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text
from unet_lightning.sweeps.jobs import launch, state_of
from unet_lightning.sweeps.plugins import check_launcher
from unet_lightning.sweeps.record import PLACE, Record, as_typed, is_sweep, is_tried, read, record_of
from unet_lightning.text import as_message, override_value, without_secrets
from unet_lightning.training.folder import RunFolder, claimed
from unet_lightning.training.state import ERROR

log = logging.getLogger(__name__)


class RecordedSweeper(Sweeper):
    """Every combination of the values given, as Hydra's own sweeper has it; what is not done can be run later."""

    def __init__(self, max_batch_size: int | None = None, params: Mapping[str, Any] | None = None) -> None:
        self.max_batch_size, self.params = max_batch_size, params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Checks what was typed and the launcher; keeps all jobs in one folder, also where one changes `name`."""
        for one in as_typed(config.hydra.overrides.task):
            if one.lstrip("+~").startswith(("resume=", "rerun=")) and one not in ("resume=null", "resume=auto"):
                raise ConfigError(f"{one} is for one run, or for a whole sweep: leave -m out.")
        from unet_lightning.training.processes import outside  # imports Lightning

        if outside() is not None:
            raise ConfigError("A sweep starts its own ranks: call it without srun or torchrun (see hydra/launcher).")
        check_launcher(config)
        self.folder = Path(config.hydra.sweep.dir).absolute()
        place: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
        self.is_new = "${now:" in place["dir"]
        if self.is_new:
            self.folder = claimed(self.folder)
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(self.folder)
            config.hydra.overrides.hydra += [f"hydra.sweep.dir={override_value(self.folder)}"]
        self.master_config, self.loader = config, hydra_context.config_loader
        with self.nothing_left():
            self.jobs_launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        """Runs the jobs that are not done; ends in SystemExit with the number of jobs that failed."""
        with self.nothing_left():
            self.run(arguments)

    @contextmanager
    def nothing_left(self) -> Iterator[None]:
        """Removes the folder that was made for a sweep, where that ends before anything is in it."""
        try:
            yield
        except BaseException:  # only then: what is claimed in setup stays ours until sweep
            if self.is_new:
                RunFolder(self.folder).discard_empty()
            raise

    def run(self, arguments: list[str]) -> None:
        """Runs the jobs that are not done; ends in SystemExit with the number of jobs that failed."""
        if settings := [one for one in arguments if not is_tried(one)]:
            raise ConfigError(f"{settings[0]} is for a search: add sweep=optuna.")
        folder = self.folder
        if is_sweep(folder):
            record = read(folder).with_secrets(arguments)
            record.check_same(arguments, folder, searches=False)
            states = {name: state_of(folder / name) for name in record.jobs}
            left = [name for name, state in states.items() if state is None or state.state not in ("done", "pruned")]
            log.info(f"{len(states) - len(left)} of {len(states)} jobs are done already.")
        else:
            record = replace(record_of(self.master_config, folder), jobs=self.expand(arguments))
            left = list(record.jobs)
            record.begin(folder)
            config: Any = OmegaConf.to_container(self.master_config)
            write_text(folder / "multirun.yaml", OmegaConf.to_yaml(without_secrets(config)))
        RunFolder(folder).link_latest(record.name)
        report(record, folder, launch(self.jobs_launcher, record, left, folder, self.max_batch_size))

    def expand(self, arguments: Sequence[str]) -> dict[str, list[str]]:
        """The overrides of each job, by the name of its folder; a job that does not compose is an error of Hydra's."""
        given = [*(f"{name}={value}" for name, value in self.params.items()), *arguments]
        overrides = OverridesParser.create(config_loader=self.loader).parse_overrides(given)
        jobs: dict[str, list[str]] = {}
        for number, job in enumerate(basic_sweeper.BasicSweeper.split_arguments(overrides, None)[0]):
            numbered = [*job, f"hydra.job.num={number}", f"hydra.job.id={number}"]
            name = str(self.loader.load_sweep_config(self.master_config, numbered).hydra.sweep.subdir)
            if name in jobs:
                raise ConfigError(f"hydra.sweep.subdir gives several jobs the folder {name}: let it name each job.")
            jobs[name] = job
        return jobs


class OptunaSweeper(RecordedSweeper):
    """`sweep=optuna`: the jobs of the sweep are the trials of a search."""

    def run(self, arguments: list[str]) -> None:
        """Searches; ConfigError where a package is missing."""
        for package in ("optuna", "plotly"):
            if importlib.util.find_spec(package) is None:
                raise ConfigError(f"sweep=optuna needs {package}: pip install 'unet-lightning[search]'.")
        from unet_lightning.sweeps.search.sweeper import sweep  # imports Optuna

        sweep(self.master_config, self.folder, self.loader, self.jobs_launcher, arguments)


def check_single(typed: Sequence[str]) -> None:
    """Raises ConfigError for what only a sweep takes, in a command without -m."""
    for one in typed:
        if one.startswith(("hydra/launcher=", "sweep=", "sweep.", "sweep/")):
            raise ConfigError(f"{one} is for the jobs of a sweep: add -m.")


def go_on(folder: Path, typed: Sequence[str], task_function: TaskFunction) -> None:
    """Goes on with a sweep, its jobs that are not done or its search; ends as `report` does.

    The present command may give values of hydra.* and sweep.* alone, such as another launcher.
    """
    folder, record = folder.resolve(), read(folder).with_secrets(typed)
    typed = [one for one in typed if not one.startswith((*PLACE, "resume=")) and one not in record.overrides]
    if other := [one for one in typed if is_tried(one)]:
        raise ConfigError(
            f"A sweep goes on with its own values, found {' '.join(other)}: only hydra.*, hydra/launcher and sweep.* "
            "may change. Begin a new sweep for other values."
        )
    of_hydra = record.hydra
    if any(one.startswith("hydra/launcher=") for one in typed):  # whose fields are others
        of_hydra = [one for one in of_hydra if not one.lstrip("+~").startswith(("hydra/launcher=", "hydra.launcher."))]
    if (folder / record.cwd).is_dir():
        os.chdir(folder / record.cwd)  # relative paths among the values mean what they meant
    path = GlobalHydra.instance().config_loader().get_search_path()
    for directory in record.config_dirs:
        path.prepend("command-line", directory, anchor="schema")  # which Hydra wants last
    hydra = Hydra(JobRuntime.instance().get("name"), ConfigLoaderImpl(path))
    place = ["hydra.mode=MULTIRUN", f"hydra.sweep.dir={override_value(folder)}"]
    hydra.multirun(record.config_name, task_function, [*place, *of_hydra, *record.overrides, *typed])


def report(record: Record, folder: Path, refused: dict[str, str]) -> None:
    """Says what became of the jobs and what comes next; raises SystemExit with the number of those that failed."""
    from unet_lightning.training.folds import is_cross_validation  # imports torch

    states = {name: state_of(folder / name) for name in record.jobs if name not in refused}
    words = ["missing" if state is None else state.state for state in states.values()] + ["refused"] * len(refused)
    log.info(f"{len(words)} jobs: " + ", ".join(f"{number} {word}" for word, number in Counter(words).items()))
    failed = {name: state for name, state in states.items() if state is None or state.state not in ("done", "pruned")}
    errors = {name: (state and state.error) or "it ended without a word" for name, state in failed.items()} | refused
    for error in dict.fromkeys(errors.values()):
        names = [name for name in errors if errors[name] == error]
        several = f"job{'s' * (len(names) > 1)} {', '.join(names)}"
        where = f" ({folder / names[0] / ERROR})" if names[0] in states else ""
        print(as_message(f"error: {several}: {error}{where}"), file=sys.stderr, flush=True)
    again = command("train", f"resume={value_path(folder)}")
    if errors and record.search is not None:
        log.info(f"Failed trials are not tried again; ten more trials: {again} sweep.n_trials=10")
    elif errors:
        log.info(f"Go on: {again}")
    log.info(f"Sweep folder: {shell_path(folder)}")
    if is_cross_validation(folder):
        log.info(f"Evaluate the cross-validation: {command('evaluate', f'run={value_path(folder)}')}")
    elif next(folder.glob("*/evaluation/*/metrics.json"), None):
        log.info(f"Compare them: {command('leaderboard', shell_path(folder))}")
    if errors:
        sys.exit(min(len(errors), 100))  # codes above 128 mean signals
