"""What is said of the folds behind the entries of a leaderboard: which are a whole cross-validation."""

from collections.abc import Mapping, Sequence
from typing import Any

from unet_lightning.results.leaderboard.entries import Entry


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
