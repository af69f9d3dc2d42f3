"""A search: asks Optuna for trials, runs them as jobs of the sweep, and tells it what came of them.

hydra-optuna-sweeper, which would do this, is made for Optuna 2 (`optuna<3`, `sqlalchemy<2`), ends with the first NaN,
and begins anew where it was stopped. This is the same idea on Optuna's ask and tell: everything that a search knows is
in the study, so it goes on from there. A trial is the job of its number; one that was stopped goes on in its folder.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import optuna
from hydra.core.utils import JobReturn
from optuna.trial import TrialState

from unet_lightning.errors import ConfigError
from unet_lightning.sweeps.search import trials
from unet_lightning.sweeps.search.settings import Settings
from unet_lightning.sweeps.search.space import Space, members

log = logging.getLogger(__name__)

# Overrides of each job, and the number of the first, to what the jobs returned.
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]


@dataclass
class Search:
    """A search in a sweep folder.

    Attributes:
        study: with the trials so far.
        space: what is searched.
        settings: how.
        folder: of the sweep.
        launch: runs jobs.
        after_batch: called with the study when trials have come in.
    """

    study: optuna.Study
    space: Space
    settings: Settings
    folder: Path
    launch: Launch
    after_batch: Callable[[optuna.Study], None]

    def run(self) -> None:
        """Goes on to `n_trials` in total: first what was stopped, then new trials."""
        self._fill_queue()
        open_ones = [trial.number for trial in self._trials(TrialState.RUNNING)]
        if open_ones:
            log.info(f"Going on with {_listed(open_ones)}.")
            for number in open_ones:
                trials.complete(self.study, number, self.space.swept)
                trials.tell(self.study, number, trials.outcome(self.folder / str(number), None))
            self._run_batch([trial.number for trial in self._trials(TrialState.RUNNING)])
        while (left := self.settings.n_trials - len(self._begun())) > 0:
            self.study.sampler = self.settings.build_sampler(len(self._begun()))
            asked = [self.study.ask(self.space.swept) for _ in range(min(left, self.settings.n_jobs))]
            self._run_batch([trial.number for trial in asked])
        self._show()

    def _run_batch(self, numbers: Sequence[int]) -> None:
        """Runs trials and tells the study; a failed one is noted and passed over."""
        known = trials.by_number(self.study)
        twins = {number: twin for number, twin in trials.twins(known.values()).items() if number in numbers}
        for run in trials.consecutive([n for n in numbers if n not in twins], self.settings.n_jobs):
            returned: Sequence[JobReturn | Exception]
            try:
                returned = self.launch([self.space.overrides(known[n].params) for n in run], run[0])
            except Exception as error:  # a launcher that lost a job gives none of the others' results
                returned = [error] * len(run)
            for number, one in zip(run, returned, strict=True):
                what = trials.outcome(self.folder / str(number), one)
                if what.state == TrialState.FAIL:
                    log.warning(f"Trial {number} failed and is passed over: {what.error}")
                trials.tell(self.study, number, what)
        for number, twin in twins.items():
            log.info(f"Trial {number} has the values of trial {twin}, whose result it takes.")
            trials.tell(self.study, number, trials.of_twin(trials.by_number(self.study)[twin]), same_as=twin)
        self._show()

    def _show(self) -> None:
        """Calls `after_batch`; what shows a search must not end it."""
        try:
            self.after_batch(self.study)
        except Exception as error:  # a full disk, a fault of a plotting library
            log.warning(f"The search goes on without its page: {type(error).__name__}: {error}")

    def _fill_queue(self) -> None:
        """Puts every point of a grid into the queue, once.

        Raises:
            ConfigError: there are more of them than trials are wanted.
        """
        if self.settings.sampler != "grid":
            return
        values = [members(distribution, name) for name, distribution in self.space.swept.items()]
        count = 1
        for some in values:
            count *= len(some)
        if count > self.settings.n_trials:
            raise ConfigError(
                f"The grid has {count} points, and sweep.n_trials is {self.settings.n_trials}: set "
                f"sweep.n_trials={count}, or search with sweep.sampler=tpe."
            )
        self.settings = replace(self.settings, n_trials=count)
        for point in product(*values):
            self.study.enqueue_trial(dict(zip(self.space.swept, point, strict=True)), skip_if_exists=True)

    def _trials(self, *states: TrialState) -> list[Any]:
        return self.study.get_trials(deepcopy=False, states=states)

    def _begun(self) -> list[Any]:
        """All trials but those in the queue."""
        return [trial for trial in self._trials(*TrialState) if trial.state != TrialState.WAITING]


def _listed(numbers: Sequence[int]) -> str:
    """Such as `trials 3 and 4`."""
    return f"trial{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}, which did not end"
