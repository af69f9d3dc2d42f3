"""How sure a figure over a few images is, and whether two runs differ.

One method gives intervals and p-values alike, of means, of differences and of pooled pixels, so that a 95 % interval of
a difference leaves out 0 exactly where p is below 0.05. `experiments/statistics` measures how often it is right.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit  # Student's distribution and its quantile

LEVEL = 0.95
LEAST = 6  # images, or groups of them: from fewer nobody can tell how far the next would be off
# From here on a single odd image would send an end far away: four standard errors in place of two. The interval would
# be wider by half, and hold the true mean hardly more often.
MOST_SKEWED = 0.4
METHOD = "Student's t over images, with Hall's correction of skewness"  # for what is printed
UNBOUNDED = (-math.inf, math.inf)

Floats = npt.NDArray[np.float64]
Groups = Sequence[Hashable] | None  # the group of each image, such as its patient; None: each image is its own


@dataclass(frozen=True)
class Uncertainty:
    """How a mean varies from sample to sample, as far as the sample tells.

    The mean less its true value, over its standard error, has Student's t distribution where the values are normal.
    Where they are skewed, as Dice with a few bad images, a cubic function of it has, nearly: Hall's correction. Few
    values show their skewness badly, and so what is farther out counts, at each end.

    Source: P. Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54(1),
    1992, with Student's quantiles in place of the normal ones.
    """

    error: float  # standard error of the mean
    skewness: float  # of the values over the square root of their number
    degrees: float  # of freedom

    def ends(self, mean: float, level: float) -> tuple[float, float]:
        """Lower and upper end of the interval of a level, such as 0.95."""
        quantile = float(stdtrit(self.degrees, (1 + level) / 2))
        below, above = max(quantile, self._uncorrected(quantile)), min(-quantile, self._uncorrected(-quantile))
        return mean - self.error * below, mean - self.error * above

    def p_value(self, mean: float) -> float:
        """Two-sided, of a true mean of 0: the level whose interval ends there is 1 - p."""
        distance, a = mean / self.error, self.skewness
        corrected = distance + a * distance**2 / 3 + a**2 * distance**3 / 27 + a / 6
        above = max(stdtr(self.degrees, -one) for one in (distance, corrected))
        below = max(stdtr(self.degrees, one) for one in (distance, corrected))
        return float(min(1.0, 2 * min(above, below)))

    def _uncorrected(self, corrected: float) -> float:
        """The distance, in standard errors, that the correction turns into another."""
        a = self.skewness
        return float(3 / a * (np.cbrt(1 + a * (corrected - a / 6)) - 1)) if abs(a) > 1e-9 else corrected


def why_unknown(values: npt.ArrayLike, groups: Groups = None) -> str:
    """Why values have no interval, in words that follow `none:`; empty where they have one."""
    parts = parts_by_group(values, groups)
    if np.isnan(parts).any():
        return "an image has no figure"
    if len(parts) < LEAST:
        return f"fewer than {LEAST} {'images' if groups is None else 'groups'}"
    # What rounding alone makes of equal values is no spread.
    if np.ptp(parts) <= 1e-12 * np.abs(parts).max():
        return f"all {'images' if groups is None else 'groups'} are equal"
    return ""


def uncertainty(values: npt.ArrayLike, groups: Groups = None) -> Uncertainty | None:
    """Of the mean of values, one an image; None where `why_unknown` says why."""
    if why_unknown(values, groups):
        return None
    parts = parts_by_group(values, groups)
    number, off, sd = len(parts), parts - parts.mean(), float(parts.std(ddof=1))
    # The adjusted Fisher-Pearson coefficient; SciPy's takes a hundred times as long for so few values.
    skewness = number / ((number - 1) * (number - 2)) * float((off**3).sum()) / sd**3 / math.sqrt(number)
    return Uncertainty(sd / math.sqrt(number), max(-MOST_SKEWED, min(MOST_SKEWED, skewness)), number - 1)


def parts_by_group(values: npt.ArrayLike, groups: Groups = None) -> Floats:
    """A value a group, `(groups,)`, whose mean is that of the images and whose spread is that of whole groups.

    Images of one patient are alike: their number says less than as many patients would. The value of a group is how far
    its images pull the mean to their side, so that groups may have different sizes.

    Raises:
        ValueError: not one group an image.
    """
    table = np.asarray(values, dtype=np.float64)
    if groups is None:
        return table
    if len(groups) != len(table):
        raise ValueError(f"Found {len(groups)} groups for {len(table)} images, expected the group of each image.")
    mean = table.mean() if len(table) else math.nan
    pulls = dict.fromkeys(groups, 0.0)
    for group, value in zip(groups, table, strict=True):
        pulls[group] += value - mean
    return np.array([mean + len(pulls) / len(table) * pull for pull in pulls.values()])


def mean_interval(
    values: npt.ArrayLike, groups: Groups = None, bounds: tuple[float, float] = UNBOUNDED, level: float = LEVEL
) -> tuple[float, float]:
    """The interval of a mean over images; NaN where `why_unknown` says why.

    Args:
        values: of a figure, one an image, `(images,)`.
        groups: the group of each image, such as its patient.
        bounds: lowest and highest value that the figure can have.
        level: how often the interval holds the true mean.
    """
    found = uncertainty(values, groups)
    return _within(found.ends(float(np.asarray(values).mean()), level), bounds) if found else (math.nan, math.nan)


def pooled_interval(
    value: float,
    parts: npt.ArrayLike,
    figure: Callable[[Floats], float],
    groups: Groups = None,
    bounds: tuple[float, float] = UNBOUNDED,
) -> tuple[float, float]:
    """The 95 % interval of a figure of pooled pixels, from what it becomes as each image, or group, is left out.

    NaN as for means. Images that hold most of the pixels tell as much as fewer equal ones, their effective number, and
    such figures are ratios, of which both sums are estimated: by that there are fewer degrees of freedom.

    Args:
        value: the figure of all images.
        parts: what it is computed from, such as counts of pixels: `(images, ...)`, none negative; the sum over images
            is that of the pooled pixels.
        figure: computes it from such a sum.
        groups: the group of each image, such as its patient.
        bounds: lowest and highest value that the figure can have.

    Source: R. G. Miller, "The jackknife - a review", Biometrika 61(1), 1974; F. Busing et al., "Delete-m jackknife for
    unequal m", Statistics and Computing 9, 1999; L. Kish, "Survey Sampling", 1965 (the effective number).
    """
    table = np.asarray(parts, dtype=np.float64)
    labels = range(len(table)) if groups is None else groups
    owner = {group: [place for place, its in enumerate(labels) if its == group] for group in dict.fromkeys(labels)}
    whole = table.sum(axis=0)
    without = np.array([figure(whole - table[places].sum(axis=0)) for places in owner.values()])  # (groups,)
    # The whole less what is left weighs as the images that are left, so that groups may have different sizes.
    left = np.array([1 - len(places) / len(table) for places in owner.values()])
    found = uncertainty(value + len(without) * left * (figure(whole) - without))
    if found is None:
        return math.nan, math.nan
    sizes = np.array([table[places].sum() for places in owner.values()])  # (groups,)
    effective = float(sizes.sum() ** 2 / (sizes**2).sum())
    return _within(replace(found, degrees=max(1.0, effective - 2)).ends(value, LEVEL), bounds)


def _within(ends: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    return max(ends[0], bounds[0]), min(ends[1], bounds[1])


@dataclass(frozen=True)
class PairedDifference:
    """How two runs differ over the same images: first minus second."""

    mean: float
    low: float  # end of the mean's interval
    high: float
    p_value: float  # of no difference in the mean, two-sided, corrected for the number of comparisons
    images: int  # number of pairs


def paired_difference(
    a: Sequence[float], b: Sequence[float], groups: Groups = None, comparisons: int = 1
) -> PairedDifference:
    """Compares one figure of two runs over the same images in the same order.

    Interval and p are of one method: the interval leaves out 0 exactly where p is below 0.05. Both are NaN where
    `why_unknown` says why; where no image differs the interval is (0, 0) and p is 1.

    Args:
        a: of the first run, one an image.
        b: of the second.
        groups: the group of each image, such as its patient.
        comparisons: among how many the best or the worst could be picked out: by Bonferroni's correction all intervals
            together hold the true differences in 95 % of the cases.

    Raises:
        ValueError: the runs have different numbers of images, or no images.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(
            f"Found {len(a)} values of the first run and {len(b)} of the second, expected one an image in both: "
            "compare the images that both runs were measured on."
        )
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)  # (images,)
    mean, found = float(differences.mean()), uncertainty(differences, groups)
    if found:
        ends, p_value = found.ends(mean, 1 - (1 - LEVEL) / comparisons), min(1.0, comparisons * found.p_value(mean))
    elif not differences.any() and len(parts_by_group(differences, groups)) >= LEAST:
        ends, p_value = (0.0, 0.0), 1.0
    else:
        ends, p_value = (math.nan, math.nan), math.nan
    return PairedDifference(mean, *ends, p_value, len(differences))
