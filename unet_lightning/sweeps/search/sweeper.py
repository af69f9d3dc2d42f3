"""What Hydra calls for `sweep=optuna`: asks Optuna for trials, runs them as jobs, and tells it what came of them.

All that a search knows is in its study, so that it goes on from there. A trial is the job of its number.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import distribution_to_json
from optuna.exceptions import StorageInternalError
from optuna.samplers import BruteForceSampler, RandomSampler
from optuna.trial import Trial, TrialState

from unet_lightning.errors import ConfigError, RunError, UserError, one_line
from unet_lightning.files import locked
from unet_lightning.sweeps.jobs import launch, state_of
from unet_lightning.sweeps.record import Record, is_sweep, read, record_of
from unet_lightning.sweeps.search import study as studies
from unet_lightning.sweeps.search import summary
from unet_lightning.sweeps.search.space import Space, parse
from unet_lightning.sweeps.sweeper import report
from unet_lightning.text import masked, override_value, without_secrets
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.state import State

log = logging.getLogger(__name__)

NO_FIGURE = "it has no validation figure that is a number: does it validate, and reach the first time?"


def sweep(config: DictConfig, folder: Path, loader: ConfigLoader, launcher: Launcher, arguments: Sequence[str]) -> None:
    """Searches in the folder of a sweep, or goes on with the search there; `config` has the `hydra` node."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # Hydra and this module say what happens
    settings: Any = OmegaConf.to_container(config.sweep, resolve=True)
    space = parse(arguments, settings["params"] or {}, loader)
    settings["n_trials"] = wanted(settings, space)  # what is wrong comes up before the first trial
    for values in space.corners():
        loader.load_sweep_config(config, space.overrides(values))
    search = description(config, settings, space, folder)
    goes_on = is_sweep(folder)
    record = known(folder, arguments, search) if goes_on else replace(record_of(config, folder), search=search)
    study = (studies.open_study if goes_on else studies.begin_study)(record.search or {}, folder)
    folder.mkdir(parents=True, exist_ok=True)
    other = RunError(f"Another search is at work in {folder}: wait for its end, or stop it.")
    fault = f"The study of {folder} cannot be read or written"
    with locked(folder / ".search.lock", other), studies.one_line_faults(fault, StorageInternalError):
        RunFolder(folder).link_latest(record.name)
        running = Search(study, space, settings, folder, launcher, record)
        running.run()
        summary.say(study, space, search["monitor"])
    report(running.record, folder, running.refused)


@dataclass
class Search:
    """A search in the folder of a sweep, by the section `sweep` of its config."""

    study: optuna.Study
    space: Space
    settings: Mapping[str, Any]
    folder: Path
    launcher: Launcher
    record: Record
    refused: dict[str, str] = field(default_factory=dict)  # why jobs did not get their folders, by their names

    def run(self) -> None:
        """Goes on to `n_trials` in total: first what was stopped, then new trials."""
        if trials := self.open_trials():
            several = f"trial{'s' * (len(trials) > 1)} {', '.join(str(trial.number) for trial in trials)}"
            log.info(f"Going on with {several}, which did not end.")
        for trial in trials:
            for name, distribution in self.space.swept.items():
                trial._suggest(name, distribution)  # where a kill has left it half drawn
            self.tell(trial, None)
        self.run_batch(self.open_trials())
        while (present := len(self.study.trials)) < self.settings["n_trials"]:
            together = min(self.settings["n_jobs"], self.settings["n_trials"] - present)
            self.study.sampler = studies.sampler_of(self.settings["sampler"], self.settings["seed"], present)
            some = [self.study.ask({**self.space.swept}) for _ in range(together)]
            self.study.sampler = RandomSampler()  # BruteForceSampler would end `study.optimize`, which does not run
            self.run_batch(some)

    def open_trials(self) -> list[Trial]:
        """The trials that have not ended."""
        found = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [Trial(self.study, trial._trial_id) for trial in found]

    def run_batch(self, trials: Sequence[Trial]) -> None:
        """Runs trials and tells the study; a failed one is noted and passed over."""
        storage = str(self.settings["storage"])  # with a password, which a trial does not find in the record
        given = [f"sweep.storage={override_value(storage)}"] * (masked(storage) != storage)
        jobs = {str(trial.number): [*self.space.overrides(trial.params), *given] for trial in self.study.trials}
        self.record = replace(self.record, jobs=jobs)
        self.record.write(self.folder)
        lost = "it was killed"
        try:
            self.refused |= launch(self.launcher, self.record, [str(trial.number) for trial in trials], self.folder)
        except UserError:
            raise
        except Exception as error:  # a launcher that lost one job gives none of the others' results
            lost = one_line(error)
        for trial in trials:
            self.tell(trial, lost)
        try:
            summary.write_page(self.study, self.space, (self.record.search or {})["monitor"], self.folder)
        except Exception as error:  # a full disk, a fault of a plotting library
            log.warning(f"The search goes on without its page: {one_line(error)}")

    def tell(self, trial: Trial, lost: str | None) -> None:
        """Notes what came of a trial, if it has ended; `lost` is why one failed that ran and does not say so itself."""
        name = str(trial.number)
        state = state_of(self.folder / name) or State("running")
        lacks = NO_FIGURE if state.value is None else None
        errors = {"running": lost, "failed": state.error or "it failed without a word", "done": lacks}
        if error := self.refused.get(name) or errors.get(state.state):
            log.warning(f"Trial {name} failed and is passed over: {error}")
            trial.set_user_attr("error", error)
            self.study.tell(trial, state=TrialState.FAIL)
        elif state.state == "done":
            self.study.tell(trial, state.value)
        elif state.state == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)


def wanted(settings: Mapping[str, Any], space: Space) -> int:
    """The number of trials in total; ConfigError where a setting is wrong, or a grid has more points than that."""
    for name, least in (("n_trials", 1), ("n_jobs", 1), ("warmup", 0), ("seed", 0)):
        value = settings[name]
        if (type(value) is not int or value < least) and not (name == "seed" and value is None):
            raise ConfigError(f"sweep.{name} must be a whole number from {least}, found {value}.")
    studies.pruner_of(settings["pruner"], settings["warmup"])
    count = int(settings["n_trials"])
    if not isinstance(studies.sampler_of(settings["sampler"], settings["seed"], 0), BruteForceSampler):
        return count
    if (points := space.size()) > count:
        raise ConfigError(
            f"The grid has {points} points, and sweep.n_trials is {count}: set sweep.n_trials={points}, or search with "
            "sweep/sampler=tpe."
        )
    return points


def description(config: DictConfig, settings: Mapping[str, Any], space: Space, folder: Path) -> dict[str, Any]:
    """What a search is after and where its study is, for its record; ConfigError where no best checkpoint is kept."""
    storage, best = settings["storage"], config.callbacks.get("best")
    if not best or not best.get("monitor") or best.get("mode") not in ("max", "min"):
        raise ConfigError("A search needs callbacks.best with monitor and mode: that figure is what it improves.")
    return {name: settings[name] for name in ("storage", "pruner", "warmup")} | {
        "study": settings["study"] or ("search" if storage is None else f"{folder.parent.name}/{folder.name}"),
        "monitor": best.monitor,
        "direction": f"{best.mode}imize",
        "space": {name: distribution_to_json(one) for name, one in space.swept.items()},
    }


def known(folder: Path, arguments: Sequence[str], search: Mapping[str, Any]) -> Record:
    """The record of a search that goes on, as `search` describes it now; ConfigError where it is another."""
    record = read(folder).with_secrets(arguments)
    record.check_same(arguments, folder, searches=True)
    begun = record.search or {}
    for name in ("storage", "monitor", "direction", "space"):
        if without_secrets(begun[name]) != without_secrets(search[name]):
            raise ConfigError(
                f"The search in {folder} was begun with another {name}: {begun[name]}, found {search[name]}. Go on "
                "with the same, or begin a new search."
            )
    return replace(record, search={**search, "study": begun["study"]})  # whose folder may have moved
