"""Gathers runs into the entries of a leaderboard, where all were measured alike: runs of one method become one."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.metrics.comparison import mean, mean_over_runs
from unet_lightning.results.leaderboard.entries import AGAINST_SECOND, MODEL, SECOND, Entry, Run
from unet_lightning.results.leaderboard.evaluations import Evaluation
from unet_lightning.results.leaderboard.settings import differences, method

# Figures of two entries can be compared where these are the same; the images are looked at one by one.
ALIKE = ("dataset", "split", "reference", "region", "resolution")
SAME = 1e-6  # what a human drew gives the same Dice in every evaluation, but for rounding


def make_entries(runs: Sequence[Run], class_name: str | None = None) -> list[Entry]:
    """One entry a method, and one for the second observer where every image has theirs.

    Args:
        runs: at least one, each evaluated on the same split.
        class_name: the class that counts, where there are more than two.

    Raises:
        ConfigError: no such class, or several and none named.
        RunError: the runs were not measured on the same images in the same way.
    """
    _check_alike(runs)
    _check_class(runs, class_name)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.method, []).append(run)
    trained = [group for group in groups.values() if group[0].config]
    settings = dict(zip(map(id, trained), differences([method(group[0].config) for group in trained]), strict=True))
    suffix = f": {class_name}" if class_name else ""
    entries = [_entry(group, suffix, settings.get(id(group), [])) for group in groups.values()]
    _check_images(entries)
    human = _second_observer(runs, SECOND + suffix)
    return entries if human is None or human.images != entries[0].images else [*entries, human]


def whole(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """Without the methods whose folds do not cover the images of the others', as where the job of one fold failed.

    Returns:
        the runs that are left, and the names of the methods that are not; all runs where none would be left.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.method, []).append(run)
    covered = {key: {image for run in group for image in run.evaluation.images} for key, group in groups.items()}
    every = set[str]().union(*covered.values())
    lacking = [
        key for key, group in groups.items() if covered[key] != every and all(run.fold is not None for run in group)
    ]
    if len(lacking) == len(groups):
        return list(runs), []
    return (
        [run for run in runs if run.method not in lacking],
        [shared_name([run.name for run in groups[key]]) for key in lacking],
    )


def _check_alike(runs: Sequence[Run]) -> None:
    """Raises RunError where the protocols of two runs do not allow to compare them."""
    first = runs[0]
    for run in runs[1:]:
        for key in ALIKE:
            one, other = first.evaluation.protocol[key], run.evaluation.protocol[key]
            if one != other:
                raise RunError(
                    f"{first.name} and {run.name} cannot be compared: their {key} is '{one}' and '{other}'. "
                    "Evaluate both in the same way."
                )


def _check_class(runs: Sequence[Run], class_name: str | None) -> None:
    """Raises ConfigError where `class_name` is not what tells the model's classes apart."""
    for run in runs:
        observers = [observer.partition(": ") for observer in run.evaluation.per_image]
        classes = [name for observer, _, name in observers if observer == MODEL]
        if (class_name or "") not in classes:
            found = "two classes: leave --class out" if classes == [""] else f"the classes {', '.join(classes)}"
            raise ConfigError(f"{run.name} has {found}, found --class {class_name}.")


def _check_images(entries: Sequence[Entry]) -> None:
    """Raises RunError where an entry lacks images that another has."""
    every = set[str]().union(*(entry.images for entry in entries))
    lacking = {entry.name: sorted(every - entry.images) for entry in entries if entry.images != every}
    if lacking:
        found = "; ".join(f"{name} lacks {', '.join(images)}" for name, images in lacking.items())
        raise RunError(f"Entries are compared on the same images: {found}. Evaluate them all, or leave some out.")


def _entry(group: Sequence[Run], suffix: str, settings: Sequence[str]) -> Entry:
    """The mean of the runs of one method."""
    parts = [run.evaluation for run in group]
    known = [set(part.figures(MODEL + suffix)) for part in parts]
    figures = [name for name in parts[0].figures(MODEL + suffix) if name in set.intersection(*known)]
    per_image = {name: mean_over_runs([part.values(MODEL + suffix, name) for part in parts]) for name in figures}
    against = mean_over_runs([part.values(AGAINST_SECOND + suffix, "dice") for part in parts])
    return Entry(
        name=shared_name([run.name for run in group]),
        observer=MODEL + suffix,
        per_image=per_image,
        pooled=_mean_pooled(parts, MODEL + suffix),
        runs=tuple(group),
        settings=settings,
        against_second=mean(against),
        leak=sorted({image for part in parts for image in part.leak}),
    )


def _mean_pooled(parts: Sequence[Evaluation], observer: str) -> dict[str, float]:
    """Means over the evaluations of the pooled figures that all of them have."""
    pooled = [part.pooled[observer] for part in parts if observer in part.pooled]
    names = [name for name in pooled[0] if all(name in figures for figures in pooled)] if pooled else []
    return {name: fmean(figures[name] for figures in pooled) for name in names}


def _second_observer(runs: Sequence[Run], observer: str) -> Entry | None:
    """The second observer against the first, the same in all evaluations."""
    images: dict[str, dict[str, float]] = {}
    source: dict[str, Run] = {}
    for run in runs:
        for image, row in run.evaluation.per_image.get(observer, {}).items():
            known = images.get(image, row)
            if abs(row.get("dice", 0) - known.get("dice", 0)) > SAME:
                raise RunError(
                    f"The Dice of the second observer on image {image} is {known['dice']:.4f} in {source[image].name} "
                    f"and {row['dice']:.4f} in {run.name}: the labels or the fields of view behind them differ. "
                    "Evaluate both on the same data."
                )
            images[image], source[image] = {**known, **row}, source.get(image, run)
    if not images:
        return None
    figures = dict.fromkeys(name for row in images.values() for name in row)
    per_image = {name: {image: images[image].get(name, math.nan) for image in sorted(images)} for name in figures}
    return Entry(SECOND, observer, per_image, _mean_pooled([run.evaluation for run in runs], observer))


def shared_name(names: Sequence[str]) -> str:
    """Folders of one parent as `parent/0,1,2`."""
    homes: dict[Path, list[str]] = {}
    for name in names:
        homes.setdefault(Path(name).parent, []).append(Path(name).name)
    return " ".join((home / ",".join(members)).as_posix() for home, members in homes.items())
