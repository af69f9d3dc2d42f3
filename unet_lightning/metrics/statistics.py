"""How sure a mean over a few images is."""

import math
from collections.abc import Sequence

import torch

RESAMPLES = 10_000
LEVEL = 0.95


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the mean, from 10,000 bootstrap resamples of the images.

    Args:
        values: a figure of each image.
        seed: of the resampling; the same values and seed give the same interval.

    Returns:
        lower and upper end; NaN for a single image, and where a value is NaN.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    if len(values) < 2 or any(map(math.isnan, values)):
        return math.nan, math.nan
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(values), (RESAMPLES, len(values)), generator=generator)
    means = torch.tensor(values, dtype=torch.float64)[drawn].mean(dim=1)  # (RESAMPLES,)
    ends = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    low, high = torch.quantile(means, ends).tolist()
    return low, high
