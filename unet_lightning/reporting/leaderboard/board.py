"""A leaderboard: its entries in their order, and what stands below the table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unet_lightning.errors import ConfigError
from unet_lightning.metrics.comparison import Standing, Values, mean_interval, spread_over_seeds, standings
from unet_lightning.metrics.statistics import RESAMPLES
from unet_lightning.metrics.summary import CALIBRES, LOWER_IS_BETTER
from unet_lightning.reporting.leaderboard.entries import Entry

# Columns beside the figure of the ranking: of the pooled pixels, and means over images.
POOLED, PER_IMAGE = ("dice", "auroc", "average_precision", "sensitivity_thin"), ("dice", "cldice")
COMMIT = 12  # characters of a commit shown


@dataclass(frozen=True)
class Line:
    """An entry, where it stands, and the SD over its seeds' means; NaN for a single seed."""

    entry: Entry
    standing: Standing
    spread: float

    @property
    def leak(self) -> bool:
        """Whether figures of this entry prove nothing."""
        return bool(self.entry.leak)


@dataclass(frozen=True)
class Leaderboard:
    """Lines in their order.

    Attributes:
        figure: that they are ranked by.
        title: data set and split.
        lines: the ranked ones and the second observer by their means, then those that leaked.
        notes: sentences that say what was measured how.
    """

    figure: str
    title: str
    lines: Sequence[Line]
    notes: Sequence[str]

    @property
    def human(self) -> Line | None:
        """The second observer's line."""
        return next((line for line in self.lines if line.entry.human), None)


def make_leaderboard(
    entries: Sequence[Entry], figure: str, class_name: str | None = None, notes: Sequence[str] = ()
) -> Leaderboard:
    """Ranks entries by the mean over images of a figure.

    Args:
        entries: see `make_entries`.
        figure: such as `dice`.
        class_name: the class that counts, where there are more than two.
        notes: further sentences.

    Raises:
        ConfigError: a figure that not every entry has.
    """
    models = [entry for entry in entries if not entry.human]
    known = [name for name in models[0].per_image if all(name in entry.per_image for entry in models)]
    if figure not in known:
        lacking = [entry.name for entry in models if figure not in entry.per_image]
        raise ConfigError(
            f"--figure {figure} is not measured in {', '.join(lacking)}. All have: {', '.join(known) or 'none'}."
        )
    lower = figure in LOWER_IS_BETTER
    clean, leaked = [e for e in entries if not e.leak], [e for e in entries if e.leak]
    placed = standings([counting(e, figure) for e in clean], [not e.human for e in clean], lower)
    # A leak is shown and not compared: it may be as good as it is for the wrong reason.
    placed += [Standing(None, *mean_interval(counting(e, figure))) for e in leaked]
    lines = [Line(e, place, _spread(e, figure)) for e, place in zip([*clean, *leaked], placed, strict=True)]
    lines.sort(key=lambda line: _place(line, lower))
    dataset, split = (models[0].runs[0].evaluation.protocol[key] for key in ("dataset", "split"))
    title = f"{dataset} {split}" + (f", {class_name}" if class_name else "")
    return Leaderboard(figure, title, lines, [*_notes(lines, figure), *notes])


def _place(line: Line, lower: bool) -> tuple[bool, bool, float]:
    """Sorts the best first, what has no mean behind, and leaks last."""
    mean = line.standing.mean
    return line.leak, math.isnan(mean), 0.0 if math.isnan(mean) else mean if lower else -mean


def counting(entry: Entry, figure: str) -> Values:
    """The values that count for a mean, as in the table of an evaluation: see `Summary`."""
    return _having(entry.per_image.get(figure, {}), figure)


def _having(values: Values, figure: str) -> Values:
    """Without the images that cannot have the figure, such as those without thin vessels."""
    return {image: value for image, value in values.items() if figure not in CALIBRES or not math.isnan(value)}


def _spread(entry: Entry, figure: str) -> float:
    """The SD over the seeds' means."""
    values = [(run.seed, run.evaluation.values(entry.observer, figure)) for run in entry.runs]
    return spread_over_seeds([(seed, _having(one, figure)) for seed, one in values])


def _notes(lines: Sequence[Line], figure: str) -> list[str]:
    """What was measured how, in sentences."""
    models = [line.entry for line in lines if not line.entry.human]
    protocol = models[0].runs[0].evaluation.protocol
    compared = sum(line.standing.against_best is not None for line in lines)
    order = "lowest first" if figure in LOWER_IS_BETTER else "highest first"
    notes = [
        f"{protocol['dataset']} {protocol['split']}: {len(models[0].images)} images, against the "
        f"{protocol['reference']}, region: {protocol['region']}, resolution: {protocol['resolution']}.",
        f"Ranked by {figure}_per_image, the mean over images, {order}. Runs of one method are averaged image by image. "
        f"Intervals: 95 %, {RESAMPLES:,} bootstrap resamples of the images. Spread: SD of the seeds' means.",
        f"Of the pooled pixels, averaged over the runs: {', '.join(pooled_columns(models))}.",
    ]
    if compared:
        notes.append(
            "Difference to best: the entry less rank 1, image by image. p: Wilcoxon's signed-rank test, "
            f"two-sided, corrected by Holm's method for {compared} comparison{'s' * (compared > 1)}."
        )
    leaked: dict[str, list[str]] = {}
    for line in lines:
        if line.leak:
            leaked.setdefault(", ".join(line.entry.leak), []).append(line.entry.name)
    notes += [
        f"LEAK, without rank or comparison: trained or selected on {images}: {', '.join(names)}."
        for images, names in leaked.items()
    ]
    return [*notes, _made_by(models)]


def pooled_columns(entries: Sequence[Entry]) -> dict[str, str]:
    """The figures of pooled pixels that an entry has, by the names of their columns."""
    return {
        "dice_pooled" if name == "dice" else name: name
        for name in POOLED
        if any(name in entry.pooled for entry in entries)
    }


def _made_by(entries: Sequence[Entry]) -> str:
    """Which code and libraries evaluated."""
    protocols = [run.evaluation.protocol for entry in entries for run in entry.runs]
    versions: dict[str, dict[str, None]] = {}
    for protocol in protocols:
        for library, version in (protocol.get("versions") or {}).items():
            versions.setdefault(library, {})[str(version)] = None
    used = ", ".join(f"{library} {' and '.join(found)}" for library, found in versions.items())
    commits = dict.fromkeys(_short(protocol.get("commit")) for protocol in protocols)
    return f"Evaluated by {used or 'unknown versions'}; commit {', '.join(commits)}."


def _short(commit: Any) -> str:
    """The beginning of a commit, and whether files differed from it."""
    name, dash, dirty = str(commit or "unknown").partition("-")
    return name[:COMMIT] + dash + dirty
