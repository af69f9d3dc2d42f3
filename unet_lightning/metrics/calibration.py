"""Calibration: of the pixels with probability 0.8, do eight in ten belong to a vessel?

Probabilities are float32 in [0, 1]; targets are integers of the same shape: BACKGROUND, VESSEL or IGNORE.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL

BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """The pixels inside the field of view with a probability from `low` to below `high` (the last bin includes 1)."""

    low: float
    high: float
    pixels: int  # number
    probability: float  # their mean; NaN without pixels
    share: float  # of them that are vessels; NaN without pixels


def reliability(probability: Tensor, target: Tensor, bins: int = BINS) -> list[ReliabilityBin]:
    """The bins of a reliability diagram, of equal width, from 0 to 1."""
    counted = target != IGNORE
    inside = probability[counted].float()
    # The float32 nearest to each edge, as a map's 8-bit 51 / 255 is to 0.2; linspace may give the next one.
    edges = torch.arange(bins + 1, dtype=torch.float32) / bins
    places = torch.bucketize(inside, edges[1:-1], right=True)  # (N,), 0 to bins - 1
    pixels = torch.bincount(places, minlength=bins)
    # In float64: a float32 cannot count beyond 16,777,216.
    probabilities = torch.bincount(places, inside.double(), minlength=bins) / pixels
    shares = torch.bincount(places, (target[counted] == VESSEL).double(), minlength=bins) / pixels
    columns = zip(pixels.tolist(), probabilities.tolist(), shares.tolist(), strict=True)
    return [ReliabilityBin(place / bins, (place + 1) / bins, *column) for place, column in enumerate(columns)]


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """The distance between mean probability and share of vessels in each bin, averaged over the pixels.

    From 0, the best, to 1; NaN where no pixel counts. The probability is that of a vessel, not that of the more
    probable class, so that the bins go from 0 to 1.

    Source: M. P. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    pixels = sum(item.pixels for item in bins)
    distance = math.fsum(item.pixels * abs(item.probability - item.share) for item in bins if item.pixels)
    return distance / pixels if pixels else math.nan


def brier_score(probability: Tensor, target: Tensor) -> float:
    """The mean squared difference of probability and truth inside the field of view, from 0, the best, to 1.

    NaN where no pixel counts.

    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78(1),
    1950, in the form for two classes.
    """
    counted = target != IGNORE
    return float((probability[counted].double() - (target[counted] == VESSEL).double()).square().mean())
