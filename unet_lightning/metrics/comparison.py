"""Ranks methods by a figure measured on the same images, and compares each with the best.

Groups are those of the images by their ids, such as patients; None where each image is its own.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from unet_lightning.metrics import statistics as over_images
from unet_lightning.metrics.statistics import UNBOUNDED, paired_difference

Values = Mapping[str, float]  # a figure by image id
Groups = Mapping[str, str] | None


@dataclass(frozen=True)
class Standing:
    """Where a method stands; NaN for what is not known, and for the comparison of the best with itself."""

    rank: int | None  # 1 is best; equal means have equal ranks; None for what does not compete
    mean: float  # over images
    low: float  # lower end of the mean's 95 % interval
    high: float
    difference: float = math.nan  # to the best, image by image: the mean
    difference_low: float = math.nan  # lower end of its interval: 95 % for all differences of the ranking together
    difference_high: float = math.nan
    p: float = math.nan  # of no difference, two-sided, for this comparison alone
    p_corrected: float = math.nan  # the same for all of the ranking together; below 0.05 where the interval lacks 0


def mean_over_runs(runs: Sequence[Values]) -> dict[str, float]:
    """The mean of each image over the runs that measured it; images in the order of their ids."""
    images = sorted({image for run in runs for image in run})
    return {image: fmean(run[image] for run in runs if image in run) for image in images}


def spread_over_seeds(runs: Sequence[tuple[Any, Values]]) -> float:
    """The sample standard deviation of the seeds' means over images; the folds of one seed are put together first.

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


def mean_interval(
    values: Values, groups: Groups = None, bounds: tuple[float, float] = UNBOUNDED
) -> tuple[float, float, float]:
    """The mean over images and the ends of its 95 % interval: see `statistics.mean_interval`; NaN without images."""
    if not values:
        return math.nan, math.nan, math.nan
    return fmean(values.values()), *over_images.mean_interval(list(values.values()), _labels(values, groups), bounds)


def standings(
    methods: Sequence[Values],
    competing: Sequence[bool],
    lower_is_better: bool = False,
    groups: Groups = None,
    bounds: tuple[float, float] = UNBOUNDED,
) -> list[Standing]:
    """Ranks methods by their means, and compares each with the best over the images that both have.

    Only those `competing` may have a rank; the others, such as a human observer, are compared all the same. A NaN mean
    has neither rank nor comparison; a method without an image in common with the best has no comparison.

    Which is the best is a matter of chance too, so that the comparisons are corrected for all pairs that could have
    been the best and another: see `comparisons`.
    """
    measured = [mean_interval(values, groups, bounds) for values in methods]
    merit = [-mean if lower_is_better else mean for mean, _, _ in measured]
    racing = [one for one, races in enumerate(competing) if races and not math.isnan(merit[one])]
    ranks = {one: 1 + sum(merit[other] > merit[one] for other in racing) for one in racing}
    found = [Standing(ranks.get(one), *interval) for one, interval in enumerate(measured)]
    if not racing:
        return found
    best = max(racing, key=lambda one: merit[one])
    known = [one for one in range(len(methods)) if one != best and not math.isnan(merit[one])]
    compared = [one for one in known if methods[one].keys() & methods[best].keys()]
    number = comparisons(len(racing), len(known) + 1)
    for one in compared:
        images = sorted(methods[one].keys() & methods[best].keys())
        own, others = ([methods[which][image] for image in images] for which in (one, best))
        alone, together = (paired_difference(own, others, _labels(images, groups), many) for many in (1, number))
        found[one] = Standing(
            ranks.get(one), *measured[one], together.mean, together.low, together.high, alone.p_value, together.p_value
        )
    return found


def comparisons(racing: int, measured: int) -> int:
    """The pairs among which that of the best and another is found, where `racing` of the `measured` could be best."""
    return racing * (racing - 1) // 2 + racing * (measured - racing)


def _labels(images: Iterable[str], groups: Groups) -> list[str] | None:
    return None if groups is None else [groups[image] for image in images]


def pareto_front(costs: Sequence[float], means: Sequence[float], lower_is_better: bool = False) -> list[int]:
    """The places where no other is at least as cheap and at least as good, and better in one of the two.

    The cheapest comes first; a place with a NaN is on no front.
    """
    losses = means if lower_is_better else [-mean for mean in means]
    pairs = dict(enumerate(zip(costs, losses, strict=True)))
    known = {place: pair for place, pair in pairs.items() if not any(map(math.isnan, pair))}
    front = [
        place
        for place, (cost, loss) in known.items()
        if not any(other <= cost and its <= loss and (other, its) != (cost, loss) for other, its in known.values())
    ]
    return sorted(front, key=lambda place: known[place])
