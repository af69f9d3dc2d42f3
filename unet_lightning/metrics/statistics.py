"""How sure a mean over a few images is, and whether two runs differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import wilcoxon

RESAMPLES = 10_000
LEVEL = 0.95

Floats = npt.NDArray[np.float64]


def bootstrap_interval(values: npt.ArrayLike, seed: int = 0) -> tuple[Floats, Floats]:
    """The 95 % percentile intervals of means over images, from 10,000 bootstrap resamples of the images.

    All figures use the same resamples, so that the interval of one does not depend on which others there are.

    Args:
        values: `(images, figures)`.
        seed: of the resampling; the same values and seed give the same interval.

    Returns:
        lower and upper ends, `(figures,)` each; NaN for a single image, and for a figure with a NaN.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    table = np.asarray(values, dtype=np.float64)
    images, figures = table.shape
    ends = np.full((2, figures), math.nan)
    if images > 1:
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randint(images, (RESAMPLES, images), generator=generator).numpy()
        for figure in np.flatnonzero(~np.isnan(table).any(axis=0)):
            # One figure at a time: 10,000 resamples of hundreds of images for all figures would fill the memory.
            means = table[:, figure][drawn].mean(axis=1)  # (RESAMPLES,)
            ends[:, figure] = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return ends[0], ends[1]


@dataclass(frozen=True)
class PairedDifference:
    """How two runs differ over the same images.

    Attributes:
        mean: of the differences, first run minus second.
        low: lower end of the mean's 95 % bootstrap interval.
        high: its upper end.
        p_value: of Wilcoxon's signed-rank test, two-sided.
        images: number of pairs.
    """

    mean: float
    low: float
    high: float
    p_value: float
    images: int


def paired_difference(a: Sequence[float], b: Sequence[float], seed: int = 0) -> PairedDifference:
    """Compares one figure of two runs over the same images.

    The bootstrap resamples images, so that the two values of an image stay together. The test leaves out images
    without a difference, as Wilcoxon did, and is exact for up to 50 images without ties. With n images p is at least
    2 / 2^n, so that fewer than 6 images never reach 0.05.

    Args:
        a: the figure of each image, first run.
        b: the same images in the same order, second run.
        seed: of the resampling.

    Returns:
        the difference; interval and p are NaN for a single image, and all figures are NaN where a value is NaN; p is 1
        where no image differs.

    Raises:
        ValueError: the runs have different numbers of images, or no images.

    Source: F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(
            f"Found {len(a)} values of the first run and {len(b)} of the second, expected one an image in both: "
            "compare the images that both runs were measured on."
        )
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)  # (images,)
    low, high = bootstrap_interval(differences[:, None], seed)
    p_value = _signed_rank(differences)
    return PairedDifference(float(differences.mean()), float(low[0]), float(high[0]), p_value, len(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of p-values for several comparisons: at 0.05 the chance of any false positive is at most 5 %.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below the one before it, none
    exceeds 1. NaN stays NaN and is not counted.

    Args:
        p_values: of the comparisons, in any order.

    Returns:
        corrected p-values, in the same order.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    6(2), 1979.
    """
    corrected = [math.nan] * len(p_values)
    order = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    before = 0.0
    for rank, (p, place) in enumerate(order):
        before = corrected[place] = max(before, min(1.0, (len(order) - rank) * p))
    return corrected


def _signed_rank(differences: Floats) -> float:
    """Two-sided p of Wilcoxon's signed-rank test."""
    if len(differences) < 2 or np.isnan(differences).any():
        return math.nan
    # With zeros among the values SciPy would not use the exact distribution.
    differing = differences[differences != 0]
    return float(wilcoxon(differing).pvalue) if len(differing) else 1.0
