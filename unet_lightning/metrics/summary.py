"""Figures of a set of images: one row an image, mean and standard deviation over images, and pooled pixels."""

import functools
import math
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unet_lightning.metrics.overlap import Counts, count
from unet_lightning.metrics.ranking import area_under_roc, average_precision
from unet_lightning.metrics.statistics import bootstrap_interval

RATES = ("dice", "accuracy", "sensitivity", "specificity", "precision")
RANKINGS = ("auroc", "average_precision")


@dataclass(frozen=True)
class Summary:
    """Figures by name.

    Attributes:
        per_image: a row an image.
        mean: over images.
        sd: sample standard deviation over images; NaN for a single one.
        interval: 95 % bootstrap interval of the mean, lower and upper end.
        pooled: over the pixels of all images.
    """

    per_image: list[dict[str, float]]
    mean: dict[str, float]
    sd: dict[str, float]
    interval: dict[str, tuple[float, float]]
    pooled: dict[str, float]


def summarise(vessels: Sequence[Tensor], targets: Sequence[Tensor], probabilities: Sequence[Tensor] = ()) -> Summary:
    """Figures of predicted vessel maps, and of the probabilities behind them where there are some.

    Args:
        vessels: `(H, W)` bool, one an image.
        targets: `(H, W)` integer with IGNORE outside the field of view, one an image, at least one image.
        probabilities: `(H, W)` float32 in [0, 1], one an image, or none (a human observer has none).
    """
    counts = [count(*pair) for pair in zip(vessels, targets, strict=True)]
    per_image = [_rates(image) for image in counts]
    pooled = _rates(functools.reduce(operator.add, counts))
    if probabilities:
        for row, probability, target in zip(per_image, probabilities, targets, strict=True):
            row.update(_rankings(probability, target))
        pooled |= _rankings(
            torch.cat([probability.flatten() for probability in probabilities]),
            torch.cat([target.flatten() for target in targets]),
        )
    columns = {name: [row[name] for row in per_image] for name in per_image[0]}
    mean = {name: statistics.fmean(values) for name, values in columns.items()}
    sd = {name: _sd(values) for name, values in columns.items()}
    interval = {name: bootstrap_interval(values) for name, values in columns.items()}
    return Summary(per_image, mean, sd, interval, pooled)


def _sd(values: Sequence[float]) -> float:
    """Sample standard deviation; NaN for a single value, and where one is NaN."""
    return statistics.stdev(values) if len(values) > 1 and not any(map(math.isnan, values)) else math.nan


def _rates(counts: Counts) -> dict[str, float]:
    """The rates of a set of pixels by name."""
    return {name: getattr(counts, name) for name in RATES}


def _rankings(probability: Tensor, target: Tensor) -> dict[str, float]:
    """AUROC and average precision by name."""
    return dict(
        zip(RANKINGS, (area_under_roc(probability, target), average_precision(probability, target)), strict=True)
    )
