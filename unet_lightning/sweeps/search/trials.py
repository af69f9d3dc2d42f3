"""Trials of a study and the jobs that they are: which to run, and what came of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import optuna
from hydra.core.utils import JobReturn
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from unet_lightning.errors import RunError, one_line
from unet_lightning.training.state import finite, read_state

# Notes at a trial.
ERROR, SAME_AS = "error", "same_as"


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        state: COMPLETE, PRUNED, FAIL, or RUNNING where it was stopped and can go on.
        value: the monitored figure of a complete one.
        error: why it failed.
    """

    state: TrialState
    value: float | None = None
    error: str | None = None


def outcome(folder: Path, returned: JobReturn | Exception | None) -> Outcome:
    """What came of a job, by its state.json; by what it returned where it has none.

    Args:
        folder: of the job.
        returned: of the launcher, or its error; None before the job is run.
    """
    try:
        state = read_state(folder)
    except RunError as error:
        return Outcome(TrialState.FAIL, error=str(error))
    if state is not None:
        if state.state == "done":
            return measured(state.value)
        if state.state == "pruned":
            return Outcome(TrialState.PRUNED)
        if state.state == "failed":
            return Outcome(TrialState.FAIL, error=state.error or "it failed without a word")
        if state.state == "stopped" or returned is None:
            return Outcome(TrialState.RUNNING)
    if returned is None:
        return Outcome(TrialState.RUNNING)
    if isinstance(returned, Exception):
        return Outcome(TrialState.FAIL, error=one_line(returned))
    if state is not None:  # says that it is running, and the launcher that it is not
        return Outcome(TrialState.FAIL, error="the job was killed")
    try:
        return measured(returned.return_value)
    except Exception as error:  # whatever ended the job
        return Outcome(TrialState.FAIL, error=one_line(error))


def measured(value: Any) -> Outcome:
    """A trial that ended with `value`; what cannot be compared is a failure."""
    if isinstance(value, int | float) and finite(value) is not None:
        return Outcome(TrialState.COMPLETE, float(value))
    if value is None:
        return Outcome(
            TrialState.FAIL, error="it has no validation figure: does it validate, and reach the first time?"
        )
    return Outcome(TrialState.FAIL, error=f"its validation figure is no number that could be compared: {value}")


def tell(study: optuna.Study, number: int, what: Outcome, same_as: int | None = None) -> None:
    """Notes what came of a trial; one that can go on stays open."""
    if what.state == TrialState.RUNNING:
        return
    trial = handle(study, number)
    if what.error is not None:
        trial.set_user_attr(ERROR, what.error)
    if same_as is not None:
        trial.set_user_attr(SAME_AS, same_as)
    study.tell(trial, what.value, what.state)


def complete(study: optuna.Study, number: int, space: dict[str, BaseDistribution]) -> FrozenTrial:
    """An open trial with all its values: a search that was killed may have left it half drawn."""
    trial = handle(study, number)
    for name, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            trial.suggest_categorical(name, distribution.choices)
        elif isinstance(distribution, IntDistribution):
            trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
        elif isinstance(distribution, FloatDistribution):
            trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
    return by_number(study)[number]


def handle(study: optuna.Study, number: int) -> Trial:
    """The trial as something that can be written."""
    storage = study._storage  # Optuna gives no other way to a trial of another process
    return Trial(study, storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def by_number(study: optuna.Study) -> dict[int, FrozenTrial]:
    """All trials."""
    return {trial.number: trial for trial in study.get_trials(deepcopy=False)}


def twins(trials: Iterable[FrozenTrial]) -> dict[int, int]:
    """Trials that have the values of an earlier one, and the number of that: they would come to the same.

    A failed trial is nobody's twin: its values get another chance. Nor is one without values, which waits in the queue.
    """
    first: dict[tuple[Any, ...], int] = {}
    found: dict[int, int] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        if not trial.params or trial.state == TrialState.FAIL:
            continue
        key = tuple(sorted((name, repr(value)) for name, value in trial.params.items()))
        earlier = first.setdefault(key, trial.number)
        if earlier != trial.number:
            found[trial.number] = earlier
    return found


def of_twin(trial: FrozenTrial) -> Outcome:
    """What a trial comes to without being run, from its twin."""
    if trial.state == TrialState.FAIL:  # just now, in the same batch
        return Outcome(trial.state, error=trial.user_attrs.get(ERROR))
    return Outcome(trial.state, trial.value if trial.state == TrialState.COMPLETE else None)


def consecutive(numbers: Sequence[int], most: int) -> list[list[int]]:
    """Runs of consecutive numbers, `most` at a time: a launcher numbers the jobs of a call one after the other."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return [run[start : start + most] for run in runs for start in range(0, len(run), most)]
