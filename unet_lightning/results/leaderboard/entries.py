"""What a leaderboard ranks: evaluated runs, put together to entries where they are of one method."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from unet_lightning.data.terms import Terms
from unet_lightning.errors import ConfigError, RunError
from unet_lightning.metrics.comparison import Values, mean_over_runs, spread_over_seeds
from unet_lightning.metrics.summary import PARTIAL
from unet_lightning.results.leaderboard.choices import Config, method_of, settings_of
from unet_lightning.results.protocol import Protocol
from unet_lightning.results.stored import ALL, MODEL, StoredEvaluation, of_class

# Figures of two entries can be compared where these are the same; the images are looked at one by one.
ALIKE = ("dataset", "split", "reference", "region", "resolution")
SAME = 1e-6  # what a human drew gives the same Dice in every evaluation, but for rounding


@dataclass(frozen=True)
class Run:
    """An evaluated run, ensemble, cross-validation, or folder of maps."""

    name: str  # what the leaderboard calls it
    config: Config  # what the runs of an ensemble have in common; empty for maps of another program
    evaluation: StoredEvaluation
    overrides: Sequence[str] | None = None  # what the command line of a sweep's job changed; None where unknown
    seconds: float = math.nan  # that its training took (the mean of the folds); NaN where unknown
    peak_memory_mb: float = math.nan  # of its training, 10^6 bytes (the greatest of the folds); NaN where unknown

    @property
    def seed(self) -> Any:
        """Seed of the run."""
        return self.config.get("seed")

    @property
    def fold(self) -> Any:
        """Fold of a cross-validation that the run held out, or None."""
        return self.config.get("data", {}).get("fold")

    @property
    def method(self) -> str:
        """The same text for runs that may be averaged: trained, and made into a vessel map, by one method."""
        protocol = self.evaluation.protocol
        # "validation images 25, 30" and "validation images 21, 26" are one way to find a threshold.
        threshold = protocol.threshold_source.partition(" images")[0] if protocol.is_chosen else protocol.threshold
        key = [method_of(self.config), threshold, protocol.tta, protocol.scale, protocol.tiles, protocol.files]
        return json.dumps(key if self.config else self.name, sort_keys=True, default=str)


@dataclass(frozen=True)
class Entry:
    """A row of the leaderboard."""

    name: str  # of the run, or of the runs
    observer: str  # who drew what is measured, as the evaluations call them
    per_image: Mapping[str, Values]  # of each figure: means over the runs that measured the image
    pooled: Mapping[str, float]  # figures over the pixels of all images: means over the runs
    runs: Sequence[Run] = ()  # none for the second observer
    settings: Sequence[str] = ()  # the values of its config in which the entries differ
    against_second: float = math.nan  # Dice per image against the second observer; NaN where that is not known
    leak: Sequence[str] = ()  # images that a network behind it was trained or selected on
    trivial: bool = False  # whether it is of a map that looks at no photograph
    twin: str = ""  # the entry whose maps these are, where they leak for that

    @property
    def human(self) -> bool:
        """Whether a person drew what is measured."""
        return not self.runs and not self.trivial

    @property
    def several(self) -> bool:
        """Whether there are more than two classes."""
        return any(run.evaluation.classes for run in self.runs)

    @property
    def images(self) -> set[str]:
        """Ids of the images measured."""
        return {image for values in self.per_image.values() for image in values}

    @property
    def protocols(self) -> list[Protocol]:
        """Of its runs."""
        return [run.evaluation.protocol for run in self.runs]

    @property
    def unknown(self) -> list[str]:
        """What nobody knows of its training, in words."""
        return list(dict.fromkeys(one for found in self.protocols for one in found.unknown))

    @property
    def for_choosing(self) -> bool:
        """Whether all that speaks against its figures is that validation images chose its epoch or threshold."""
        if self.twin:
            return False
        return bool(self.leak) and all(one.for_choosing for one in self.protocols if one.leak)

    def counting(self, figure: str) -> Values:
        """The values that count for the mean of a figure, as in the table of an evaluation: see `Summary`."""
        return _counting(self.per_image.get(figure, {}), figure, self.several or self.trivial)

    def spread(self, figure: str) -> float:
        """The SD over the seeds' means; NaN for a single seed."""
        values = [(run.seed, run.evaluation.values(self.observer, figure)) for run in self.runs]
        return spread_over_seeds([(seed, _counting(one, figure, self.several)) for seed, one in values])

    def protocol(self, key: str) -> list[Any]:
        """The values of a protocol key, each once, in the order of the runs."""
        values = [one.written.get(key) for one in self.protocols]
        return [value for number, value in enumerate(values) if value not in values[:number]]


def _counting(values: Values, figure: str, several: bool) -> Values:
    """Without the images that cannot have the figure: such as those without thin vessels, or without the class."""
    partial = several or figure in PARTIAL
    return {image: value for image, value in values.items() if not partial or not math.isnan(value)}


def make_entries(runs: Sequence[Run], class_name: str | None = None) -> list[Entry]:
    """One entry a method, and one for the second observer where every image has theirs.

    Raises:
        ConfigError: no such class, or several and none named.
        RunError: the runs were not measured on the same images in the same way.
    """
    for run in runs:
        _check(run, runs[0], class_name)
    groups = by_method(runs)
    trained = [key for key, group in groups.items() if group[0].config]
    settings = dict(zip(trained, settings_of([method_of(groups[key][0].config) for key in trained]), strict=True))
    suffix = f": {class_name}" if class_name else ""
    entries = [_entry(group, suffix, settings.get(key, [])) for key, group in groups.items()]
    every = set[str]().union(*(entry.images for entry in entries))
    if lacking := [entry for entry in entries if entry.images != every]:
        found = "; ".join(f"{entry.name} lacks {', '.join(sorted(every - entry.images))}" for entry in lacking)
        raise RunError(f"Entries are compared on the same images: {found}. Evaluate them all, or leave some out.")
    human = _second_observer(runs, runs[0].evaluation.protocol.terms, suffix)
    return [*entries, human] if human.images == every else entries


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs of each method."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.method, []).append(run)
    return groups


def _check(run: Run, first: Run, class_name: str | None) -> None:
    """Raises RunError where a run was measured otherwise than the first, ConfigError where it has no such class."""
    for key in ALIKE:
        one, other = (getattr(found.evaluation.protocol, key) for found in (first, run))
        if one != other:
            found = f"{first.name} and {run.name} cannot be compared: their {key} is '{one}' and '{other}'"
            raise RunError(f"{found}. Evaluate both in the same way.")
    classes = run.evaluation.classes
    if classes != first.evaluation.classes:
        one, other = (", ".join(found.evaluation.classes) or "two classes" for found in (first, run))
        raise RunError(f"{first.name} and {run.name} cannot be compared: they have {one}, and {other}.")
    if (MODEL if class_name is None else of_class(class_name)) not in run.evaluation.per_image:
        found = f"the classes {', '.join(classes)}" if classes else "two classes: leave --class out"
        remedy = f"found --class {class_name}."
        if class_name is None:
            remedy = "and no mean over them, as earlier versions wrote it: evaluate anew, or name one by --class."
        raise ConfigError(f"{run.name} has {found}, {remedy}")


def _entry(group: Sequence[Run], suffix: str, settings: Sequence[str]) -> Entry:
    observer, parts = MODEL + suffix, [run.evaluation for run in group]
    tables = [part.per_image[observer] for part in parts]
    figures = [name for name in tables[0] if all(name in table for table in tables)]

    def mean(name: str) -> Values:
        values = [part.values(observer, name) for part in parts]
        if not parts[0].classes:
            return mean_over_runs(values)
        # A class that one seed calls where there is none, and another does not, has a value of the first alone.
        every = sorted(set[str]().union(*values))
        return dict.fromkeys(every, math.nan) | mean_over_runs([_counting(one, name, True) for one in values])

    against = mean_over_runs([part.values(part.protocol.terms.against_second + suffix, "dice") for part in parts])
    return Entry(
        shared_name([run.name for run in group]),
        observer,
        {name: mean(name) for name in figures},
        _mean_pooled(group, observer),
        tuple(group),
        settings,
        fmean(against.values()) if against else math.nan,
        sorted({image for part in parts for image in part.protocol.leak}),
    )


def _mean_pooled(runs: Sequence[Run], observer: str) -> dict[str, float]:
    """Means over the runs of the pooled figures that all of them have."""
    pooled = [run.evaluation.pooled[observer] for run in runs if observer in run.evaluation.pooled]
    names = set.intersection(*map(set, pooled)) if pooled else set()
    return {name: fmean(figures[name] for figures in pooled) for name in names}


def trivial_entries(runs: Sequence[Run]) -> list[Entry]:
    """An entry a map that looks at no photograph, of those that are measured on every image; none of earlier versions.

    They are the same beside all runs.
    """
    every = {image for run in runs for image in run.evaluation.images}
    names = dict.fromkeys(name for run in runs for name in run.evaluation.per_image if name.startswith(ALL))
    entries = [Entry(name, name, _once(runs, name), _mean_pooled(runs, name), trivial=True) for name in names]
    return [entry for entry in entries if entry.images >= every]


def _once(runs: Sequence[Run], observer: str) -> dict[str, dict[str, float]]:
    """Figures by image of who is the same beside all runs."""
    values: dict[str, dict[str, float]] = {}
    for evaluation in (run.evaluation for run in runs):
        for figure in evaluation.per_image.get(observer, ()):
            values.setdefault(figure, {}).update(evaluation.values(observer, figure))
    return values


def _second_observer(runs: Sequence[Run], terms: Terms, suffix: str) -> Entry:
    """The second observer against the first, the same in all evaluations; without images where there is none."""
    observer = terms.second + suffix
    source: dict[str, tuple[str, float]] = {}  # of each image the first run with a Dice, and that
    for run in runs:
        for image, dice in run.evaluation.values(observer, "dice").items():
            name, known = source.setdefault(image, (run.name, dice))
            if math.isnan(known):
                source[image] = (run.name, dice)
            elif abs(dice - known) > SAME:
                raise RunError(
                    f"The Dice of the {terms.second} on image {image} is {known:.4f} in {name} and {dice:.4f} in "
                    f"{run.name}: the labels, or what counts of them, differ. Evaluate both on the same data."
                )
    nothing, found = dict.fromkeys(sorted(source), math.nan), _once(runs, observer)
    values = {figure: nothing | known for figure, known in found.items()}
    return Entry(terms.second, observer, values, _mean_pooled(runs, observer))


def shared_name(names: Sequence[str]) -> str:
    """Folders of one parent as `parent/0,1,2`."""
    homes: dict[Path, list[str]] = {}
    for name in names:
        homes.setdefault(Path(name).parent, []).append(Path(name).name)
    return " ".join((home / ",".join(members)).as_posix() for home, members in homes.items())
