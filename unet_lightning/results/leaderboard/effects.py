"""Main effects: what each choice of a sweep changes on average, whatever the other choices are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata

from unet_lightning.metrics.comparison import Standing, Values, mean_over_runs, standings
from unet_lightning.metrics.statistics import LEVEL, RESAMPLES
from unet_lightning.results.leaderboard.choices import Choice

Floats = npt.NDArray[np.float64]
PARTS = 3  # of a range searched: low, middle and high


@dataclass(frozen=True)
class Level:
    """A value of a choice, or a part of the range searched.

    Attributes:
        value: as text.
        jobs: that had it.
        standing: the mean over these jobs, and the difference to the best value, over images.
    """

    value: str
    jobs: int
    standing: Standing


@dataclass(frozen=True)
class Trend:
    """Spearman's rank correlation of a number with the figure, and its 95 % interval."""

    rho: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """What a choice changes.

    Attributes:
        choice: the choice.
        levels: its values.
        trend: of numbers that were searched; None for values that were tried.
    """

    choice: Choice
    levels: Sequence[Level]
    trend: Trend | None = None

    @property
    def size(self) -> float:
        """The mean of the best value less that of the worst; 0 where there is none."""
        means = [level.standing.mean for level in self.levels if not math.isnan(level.standing.mean)]
        return max(means) - min(means) if means else 0.0


def main_effects(
    choices: Sequence[Choice],
    values: Sequence[Values],
    jobs: Sequence[int],
    balanced: bool = True,
    lower_is_better: bool = False,
) -> list[Effect]:
    """The effect of each choice, the largest first.

    Jobs with one value of a choice are averaged image by image, and the images are resampled: values of a choice are
    compared on the same images. Where the design is not balanced, which jobs have a value is a matter of chance too,
    and they are resampled with the images.

    Args:
        choices: of the entries.
        values: of each entry, the figure by image.
        jobs: behind each entry.
        balanced: see `is_balanced`.
        lower_is_better: whether the best value has the lowest mean.
    """
    effects = []
    for choice in choices:
        parts = thirds(choice) if choice.searched else by_value(choice)
        averages = [mean_over_runs([values[place] for place in places]) for _, places in parts]
        placed = standings(averages, [True] * len(averages), lower_is_better)
        if not balanced:
            placed = with_chance_of_jobs(placed, [[values[place] for place in places] for _, places in parts])
        levels = [
            Level(name, sum(jobs[place] for place in places), standing)
            for (name, places), standing in zip(parts, placed, strict=True)
        ]
        effects.append(Effect(choice, levels, spearman(choice.numbers or {}, values) if choice.searched else None))
    return sorted(effects, key=lambda effect: -effect.size)


def by_value(choice: Choice) -> list[tuple[str, list[int]]]:
    """Each value of a choice, and the places of the entries that have it."""
    return [
        (choice.shown(level), [place for place, value in choice.values.items() if value == level])
        for level in choice.levels
    ]


def thirds(choice: Choice) -> list[tuple[str, list[int]]]:
    """The low, middle and high third of the numbers of a choice, and the places of the entries in each."""
    numbers = choice.numbers or {}
    edges = np.quantile(list(numbers.values()), [part / PARTS for part in range(1, PARTS)])
    parts: list[list[int]] = [[] for _ in range(PARTS)]
    for place in sorted(numbers, key=lambda place: numbers[place]):
        parts[int(np.searchsorted(edges, numbers[place]))].append(place)  # equal numbers stay together
    return [(_range(numbers[part[0]], numbers[part[-1]]), part) for part in parts if part]


def _range(low: float, high: float) -> str:
    """Lowest and highest number of a part."""
    return f"{low:.3g} to {high:.3g}" if low < high else f"{low:.3g}"


def with_chance_of_jobs(placed: Sequence[Standing], parts: Sequence[Sequence[Values]], seed: int = 0) -> list[Standing]:
    """The standings of values with intervals that resample the images and, within each value, the entries.

    A bootstrap of n entries finds (n - 1) / n of the variance of their mean, half of it for two. The deviations of the
    resampled entries from the mean of all n are therefore taken sqrt(n / (n - 1)) times.

    Args:
        placed: of the values, by their means.
        parts: the entries that have each value, with the figure by image.
        seed: of the resampling.

    Returns:
        without an interval for a value of a single entry: how much another would differ is not known. Without p, too:
        Wilcoxon's test knows of the images alone.
    """
    generator = torch.Generator().manual_seed(seed)
    images = sorted(set.intersection(*(set(values) for part in parts for values in part)))
    counts = _image_counts(len(images), generator)
    means = []
    for part in parts:
        table = np.array([[values[image] for values in part] for image in images])  # (images, entries)
        drawn = torch.randint(len(part), (RESAMPLES, len(part)), generator=generator).numpy()
        resampled = counts @ table  # (RESAMPLES, entries)
        centre = resampled.mean(axis=1)
        deviation = np.take_along_axis(resampled, drawn, axis=1).mean(axis=1) - centre
        wider = math.sqrt(len(part) / (len(part) - 1)) if len(part) > 1 else math.nan
        means.append(centre + wider * deviation)
    # Compared with none, and no value whose mean is not known: that has neither rank nor comparison.
    best = next((n for n, one in enumerate(placed) if one.against_best is None and not math.isnan(one.mean)), 0)
    changed = []
    for standing, found in zip(placed, means, strict=True):
        paired = standing.against_best
        if paired is not None:
            low, high = _ends(found - means[best])
            paired = replace(paired, low=low, high=high, p_value=math.nan)
        changed.append(replace(standing, interval=_ends(found), against_best=paired, p_holm=math.nan))
    return changed


def spearman(numbers: Mapping[int, float], values: Sequence[Values], seed: int = 0) -> Trend:
    """How far the figure goes up with a number, from -1 (always down) over 0 to 1 (always up).

    The interval is a bootstrap of the entries and of the images: few entries leave as much doubt as few images.

    Args:
        numbers: of the entries, by their places.
        values: of every entry, the figure by image.
        seed: of the resampling.
    """
    places = list(numbers)
    images = sorted(set.intersection(*(set(values[place]) for place in places)))
    table = np.array([[values[place][image] for place in places] for image in images])  # (images, entries)
    if not table.size or np.isnan(table).any():
        return Trend(math.nan, math.nan, math.nan)
    number = np.array([numbers[place] for place in places])
    generator = torch.Generator().manual_seed(seed)
    means = _image_counts(len(images), generator) @ table  # (RESAMPLES, entries)
    drawn = torch.randint(len(places), (RESAMPLES, len(places)), generator=generator).numpy()
    found = _correlation(number[drawn], np.take_along_axis(means, drawn, axis=1))
    rho = float(_correlation(number[None], table.mean(axis=0)[None])[0])
    return Trend(rho, *_ends(found[~np.isnan(found)]))  # a resample may hold one entry alone


def _image_counts(images: int, generator: torch.Generator) -> Floats:
    """Share of each image in each resample, `(RESAMPLES, images)`: its product with a table gives resampled means."""
    drawn = torch.randint(images, (RESAMPLES, images), generator=generator)
    counts = torch.zeros((RESAMPLES, images), dtype=torch.float64)
    shares: Floats = counts.scatter_add_(1, drawn, torch.full_like(counts, 1 / images)).numpy()
    return shares


def _ends(found: Floats) -> tuple[float, float]:
    """The 95 % percentile interval of resampled values; NaN where there are none."""
    if not len(found) or np.isnan(found).any():
        return math.nan, math.nan
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _correlation(one: Floats, other: Floats) -> Floats:
    """Spearman's correlation of each row, `(N, entries)` in, `(N,)` out; NaN where all of a row are equal."""
    ranks = [rankdata(table, axis=1) for table in (one, other)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    found: Floats = np.divide((first * second).sum(axis=1), size, out=np.full(len(size), math.nan), where=size > 0)
    return found
