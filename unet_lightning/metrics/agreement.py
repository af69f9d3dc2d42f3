"""How far two ways to measure the same things differ, such as the area that a network and an observer find."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from unet_lightning.metrics.statistics import LEAST, LEVEL, Groups, mean_interval

REACH = 1.96  # standard deviations from the mean to either limit
WORDS = f"limits of agreement: mean difference -/+ {REACH} SD, with 95 % intervals by Bland and Altman (1999)"

Ends = tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """Differences, first less second, in the unit of what is measured; an interval is NaN below `LEAST` images."""

    bias: float  # the mean difference
    bias_interval: Ends  # 95 %
    lower: float  # limit, above which 97.5 % of the differences are where they are normal
    lower_interval: Ends
    upper: float
    upper_interval: Ends


def bland_altman(first: Sequence[float], second: Sequence[float], groups: Groups = None) -> Agreement:
    """Mean difference and limits of agreement; NaN limits of a single image.

    Args:
        first: what one measures, a number an image.
        second: what the other does, of the same images.
        groups: the group of each image, such as its patient: the width of intervals goes by their number.

    Source: J. M. Bland and D. G. Altman, "Measuring agreement in method comparison studies", Statistical Methods in
    Medical Research 8, 1999, sections 2 and 2.1: the variance of a limit is (1 / n + 1.96^2 / (2 (n - 1))) SD^2.
    """
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    bias, number = float(differences.mean()), len(differences if groups is None else {*groups})
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else math.nan
    half = math.nan
    if number >= LEAST:
        error = spread * math.sqrt(1 / number + REACH**2 / (2 * (number - 1)))
        half = float(stdtrit(number - 1, (1 + LEVEL) / 2)) * error
    lower, upper = bias - REACH * spread, bias + REACH * spread
    around = [(limit - half, limit + half) for limit in (lower, upper)]
    return Agreement(bias, mean_interval(differences, groups), lower, around[0], upper, around[1])
