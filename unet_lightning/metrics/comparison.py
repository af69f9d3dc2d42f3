"""Ranks methods by a figure measured on the same images, and compares each with the best."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from unet_lightning.metrics.statistics import PairedDifference, bootstrap_interval, holm, paired_difference

Values = Mapping[str, float]  # a figure by image id


@dataclass(frozen=True)
class Standing:
    """Where a method stands; NaN for what is not known, and for the comparison of the best with itself.

    Attributes:
        rank: 1 is best; equal means have equal ranks; None for what does not compete.
        mean: over images.
        low: lower end of the mean's 95 % bootstrap interval.
        high: its upper end.
        difference: to the best, image by image: the mean.
        difference_low: lower end of its 95 % bootstrap interval.
        difference_high: its upper end.
        p: of Wilcoxon's signed-rank test of that difference, two-sided.
        p_holm: the same, corrected by Holm's method over all comparisons of the ranking.
    """

    rank: int | None
    mean: float
    low: float
    high: float
    difference: float = math.nan
    difference_low: float = math.nan
    difference_high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan


def mean_over_runs(runs: Sequence[Values]) -> dict[str, float]:
    """The mean of each image over the runs that measured it; images in the order of their ids."""
    images = sorted({image for run in runs for image in run})
    return {image: fmean(run[image] for run in runs if image in run) for image in images}


def spread_over_seeds(runs: Sequence[tuple[Any, Values]]) -> float:
    """The sample standard deviation of the seeds' means over images.

    Args:
        runs: seed and values; the folds of one seed are put together first.

    Returns:
        NaN for a single seed, and where the seeds measured different images.
    """
    by_seed: dict[Any, list[Values]] = {}
    for seed, values in runs:
        by_seed.setdefault(seed, []).append(values)
    measured = [mean_over_runs(values) for values in by_seed.values()]
    if len(measured) < 2 or any(values.keys() != measured[0].keys() for values in measured):
        return math.nan
    means = [fmean(values.values()) for values in measured]
    return math.nan if any(map(math.isnan, means)) else stdev(means)


def mean(values: Values) -> float:
    """The mean over images; NaN where there is no image or a value is NaN."""
    return fmean(values.values()) if values else math.nan


def mean_interval(values: Values) -> tuple[float, float, float]:
    """The mean over images and the ends of its 95 % bootstrap interval; NaN without images, or where a value is NaN."""
    if not values:
        return math.nan, math.nan, math.nan
    ordered = [[values[image]] for image in sorted(values)]  # resamples do not depend on the order in a file
    low, high = bootstrap_interval(ordered)
    return mean(values), float(low[0]), float(high[0])


def standings(methods: Sequence[Values], competing: Sequence[bool], lower_is_better: bool = False) -> list[Standing]:
    """Ranks methods by their means, and compares each with the best over the same images.

    Args:
        methods: values of each.
        competing: which may have a rank; the others, such as a human observer, are compared all the same.
        lower_is_better: whether rank 1 has the lowest mean.

    Returns:
        in the order of `methods`; a NaN mean has neither rank nor comparison.
    """
    measured = [mean_interval(values) for values in methods]
    sign = -1 if lower_is_better else 1
    merit = [sign * centre for centre, _, _ in measured]
    racing = [one for one, races in enumerate(competing) if races and not math.isnan(merit[one])]
    if not racing:
        return [Standing(None, *one) for one in measured]
    best = max(racing, key=lambda one: merit[one])
    compared = [one for one in range(len(methods)) if one != best and not math.isnan(merit[one])]
    paired = {one: _paired(methods[one], methods[best]) for one in compared}
    corrected = dict(zip(compared, holm([found.p_value for found in paired.values()]), strict=True))
    ranks = {one: 1 + sum(merit[other] > merit[one] for other in racing) for one in racing}
    found = [Standing(ranks.get(one), *measured[one]) for one in range(len(methods))]
    for one, pair in paired.items():
        found[one] = Standing(
            ranks.get(one), *measured[one], pair.mean, pair.low, pair.high, pair.p_value, corrected[one]
        )
    return found


def _paired(one: Values, other: Values) -> PairedDifference:
    """The difference over the images that both have."""
    images = sorted(one.keys() & other.keys())
    return paired_difference([one[image] for image in images], [other[image] for image in images])


def pareto_front(costs: Sequence[float], means: Sequence[float], lower_is_better: bool = False) -> list[int]:
    """Where no other is at least as cheap and at least as good, and better in one of the two; the cheapest first.

    Args:
        costs: lower is better; NaN where unknown: such a place is on no front.
        means: the figure.
        lower_is_better: of the figure.
    """
    merit = [-mean if lower_is_better else mean for mean in means]
    known = [place for place, pair in enumerate(zip(costs, merit, strict=True)) if not any(map(math.isnan, pair))]
    front: list[int] = []
    for place in sorted(known, key=lambda place: (costs[place], -merit[place])):
        last = front[-1] if front else None
        same = last is not None and (costs[place], merit[place]) == (costs[last], merit[last])
        if last is None or same or merit[place] > merit[last]:
            front.append(place)
    return front
