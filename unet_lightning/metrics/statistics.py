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

    All figures use the same resamples, so that the interval of one does not depend on which others there are. From
    `(images, figures)` to lower and upper ends, `(figures,)` each; NaN for a single image, and for a figure with a NaN.

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
    """How two runs differ over the same images: first minus second."""

    mean: float
    low: float  # end of the mean's 95 % bootstrap interval
    high: float
    p_value: float  # of Wilcoxon's signed-rank test, two-sided
    images: int  # number of pairs


def paired_difference(a: Sequence[float], b: Sequence[float], seed: int = 0) -> PairedDifference:
    """Compares one figure of two runs over the same images in the same order.

    The bootstrap resamples images, so that the two values of an image stay together. The test leaves out images
    without a difference, as Wilcoxon did, and is exact for up to 50 images without ties. With n images p is at least
    2 / 2^n, so that fewer than 6 images never reach 0.05. Interval and p are NaN for a single image, all figures where
    a value is NaN; p is 1 where no image differs.

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
    if len(differences) < 2 or np.isnan(differences).any():
        p_value = math.nan
    else:
        differing = differences[differences != 0]  # with zeros among them SciPy would not use the exact distribution
        p_value = float(wilcoxon(differing).pvalue) if len(differing) else 1.0
    return PairedDifference(float(differences.mean()), float(low[0]), float(high[0]), p_value, len(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of p-values for several comparisons: at 0.05 the chance of any false positive is at most 5 %.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below the one before it, none
    exceeds 1. NaN stays NaN and is not counted. The order is kept.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    6(2), 1979.
    """
    corrected = [math.nan] * len(p_values)
    order = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    before = 0.0
    for rank, (p, place) in enumerate(order):
        before = corrected[place] = max(before, min(1.0, (len(order) - rank) * p))
    return corrected
