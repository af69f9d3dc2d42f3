"""The folds behind the entries of a leaderboard: which are a whole cross-validation, and what is said of the others."""

from collections.abc import Mapping, Sequence
from typing import Any

from unet_lightning.results.leaderboard.entries import Entry, Run, by_method, shared_name


def without_missing_folds(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs without the methods whose folds lack images of the others', as where one job failed; and their names.

    All runs stay where none would be left.
    """
    groups = by_method(runs)
    covered = {key: {image for run in group for image in run.evaluation.images} for key, group in groups.items()}
    every = set[str]().union(*covered.values())
    lacking = [key for key in groups if covered[key] != every and all(run.fold is not None for run in groups[key])]
    if len(lacking) == len(groups):
        return list(runs), []
    left = [run for run in runs if run.method not in lacking]
    return left, [shared_name([run.name for run in groups[key]]) for key in lacking]


def folds_in_words(entries: Sequence[Entry]) -> list[str]:
    """Sentences on entries whose runs are of some folds alone."""
    said = []
    for entry in entries:
        of_seeds = _folds_by_seed(entry)
        folds = max((number for _, number in of_seeds.values()), default=0)
        single = {fold for found, _ in of_seeds.values() for fold in found}
        if len(single) == 1 < folds:
            said.append(f"Of fold {next(iter(single))} of {folds} alone, and no cross-validation: {entry.name}.")
            continue
        lacking = [
            f"{', '.join(map(str, missing))}{f' of seed {seed}' if len(of_seeds) > 1 else ''}"
            for seed, (found, number) in of_seeds.items()
            if (missing := [fold for fold in range(number) if fold not in found])
        ]
        if lacking:
            said.append(f"Incomplete cross-validation, of {folds} folds without {'; '.join(lacking)}: {entry.name}.")
    return said


def _folds_by_seed(entry: Entry) -> Mapping[Any, tuple[set[int], int]]:
    """The folds of each seed, and how many there are; empty where runs are of no folds, or of all of them."""
    found: dict[Any, tuple[set[int], int]] = {}
    for run in entry.runs:
        number = run.config.get("data", {}).get("folds")
        if run.fold is not None and isinstance(number, int):
            found.setdefault(run.seed, (set(), number))[0].add(run.fold)
    return found
