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
    """Where a method stands.

    Attributes:
        rank: 1 is best; equal means have equal ranks; None for what does not compete.
        mean: over images.
        interval: 95 % bootstrap interval of the mean, lower and upper end.
        against_best: difference to the best, image by image; None for the best itself and where nothing is compared.
        p_holm: p of that difference, corrected by Holm's method over all comparisons of the ranking; NaN without one.
    """

    rank: int | None
    mean: float
    interval: tuple[float, float]
    against_best: PairedDifference | None = None
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


def mean_interval(values: Values) -> tuple[float, tuple[float, float]]:
    """The mean over images and its 95 % bootstrap interval; NaN where there is no image or a value is NaN."""
    if not values:
        return math.nan, (math.nan, math.nan)
    ordered = [[values[image]] for image in sorted(values)]  # resamples do not depend on the order in a file
    low, high = bootstrap_interval(ordered)
    return mean(values), (float(low[0]), float(high[0]))


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
    merit = [sign * centre for centre, _ in measured]
    racing = [one for one, races in enumerate(competing) if races and not math.isnan(merit[one])]
    if not racing:
        return [Standing(None, *one) for one in measured]
    best = max(racing, key=lambda one: merit[one])
    compared = [one for one in range(len(methods)) if one != best and not math.isnan(merit[one])]
    differences = {one: _paired(methods[one], methods[best]) for one in compared}
    corrected = dict(zip(compared, holm([difference.p_value for difference in differences.values()]), strict=True))
    return [
        Standing(
            1 + sum(merit[other] > merit[one] for other in racing) if one in racing else None,
            *measured[one],
            differences.get(one),
            corrected.get(one, math.nan),
        )
        for one in range(len(methods))
    ]


def _paired(one: Values, other: Values) -> PairedDifference:
    """The difference over the images that both have."""
    images = sorted(one.keys() & other.keys())
    return paired_difference([one[image] for image in images], [other[image] for image in images])
