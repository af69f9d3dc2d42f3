"""Figures of a set of images: a row for each image, mean and standard deviation over images, and pooled pixels."""

import functools
import math
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unet_lightning.metrics.calibration import brier_score, expected_calibration_error, reliability
from unet_lightning.metrics.calibre import CalibreCounts, count_by_calibre
from unet_lightning.metrics.overlap import Counts, count
from unet_lightning.metrics.ranking import area_under_roc, average_precision
from unet_lightning.metrics.statistics import bootstrap_interval
from unet_lightning.metrics.topology import centreline_dice, component_error

# The figures in the order of every table.
RATES = ("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "mcc")
RANKINGS = ("auroc", "average_precision")  # need probabilities
CALIBRATION = ("ece", "brier")  # need probabilities
TOPOLOGY = ("cldice", "component_error")  # of single images: they cannot be pooled
CALIBRES = ("sensitivity_thin", "sensitivity_thick")
FIGURES = (*RATES, *RANKINGS, *CALIBRATION, *TOPOLOGY, *CALIBRES)
LOWER_IS_BETTER = frozenset({"ece", "brier", "component_error"})


@dataclass(frozen=True)
class Summary:
    """Figures by name.

    For an image without thin (or thick) vessels, the sensitivity for them is NaN: mean, SD and interval of that figure
    are over the images that have such vessels. Any other NaN, such as the AUROC of an image without vessels, makes the
    mean of its figure NaN, since an image that should count could not be measured.
    """

    per_image: list[dict[str, float]]  # a row for each image
    mean: dict[str, float]  # over images
    sd: dict[str, float]  # sample standard deviation over images; NaN for a single one
    interval: dict[str, tuple[float, float]]  # 95 % bootstrap interval of the mean; NaN for a single image
    pooled: dict[str, float]  # over the pixels of all images; has no figures of topology


def summarise(vessels: Sequence[Tensor], targets: Sequence[Tensor], probabilities: Sequence[Tensor] = ()) -> Summary:
    """Figures of vessel maps, and of the probabilities that they come from, if any.

    Args:
        vessels: `(H, W)` bool for each image, at least one.
        targets: `(H, W)` integer for each image, IGNORE outside the field of view.
        probabilities: `(H, W)` float32 in [0, 1] for each image; empty for a human observer.
    """
    pairs = list(zip(vessels, targets, strict=True))
    counts = [count(*pair) for pair in pairs]
    calibres = [count_by_calibre(*pair) for pair in pairs]
    per_image = [_rates(one, RATES) for one in counts]
    pooled = _rates(functools.reduce(operator.add, counts), RATES)
    if probabilities:
        for row, *pair in zip(per_image, probabilities, targets, strict=True):
            row |= _of_probabilities(*pair)
        flat = (torch.cat([image.flatten() for image in images]) for images in (probabilities, targets))
        pooled |= _of_probabilities(*flat)
    for row, pair, calibre in zip(per_image, pairs, calibres, strict=True):
        row |= dict(zip(TOPOLOGY, (centreline_dice(*pair), component_error(*pair)), strict=True))
        row |= _rates(calibre, CALIBRES)
    pooled |= _rates(functools.reduce(operator.add, calibres), CALIBRES)
    columns = {name: [row[name] for row in per_image] for name in per_image[0]}
    for name in CALIBRES:
        columns[name] = [value for value in columns[name] if not math.isnan(value)]
    mean = {name: statistics.fmean(values) if values else math.nan for name, values in columns.items()}
    sd = {name: _sd(values) for name, values in columns.items()}
    return Summary(per_image, mean, sd, _intervals(columns), pooled)


def _sd(values: Sequence[float]) -> float:
    """Sample standard deviation; NaN for fewer than two values, and where one of them is NaN."""
    return statistics.stdev(values) if len(values) > 1 and not any(map(math.isnan, values)) else math.nan


def _intervals(columns: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """The bootstrap intervals; figures with equally many images share the resamples."""
    intervals = dict.fromkeys(columns, (math.nan, math.nan))
    for images in {len(values) for values in columns.values()}:
        names = [name for name, values in columns.items() if len(values) == images]
        low, high = bootstrap_interval(torch.tensor([columns[name] for name in names], dtype=torch.float64).T)
        intervals |= dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))
    return intervals


def _rates(counts: Counts | CalibreCounts, names: Sequence[str]) -> dict[str, float]:
    """The rates of counted pixels, by name."""
    return {name: getattr(counts, name) for name in names}


def _of_probabilities(probability: Tensor, target: Tensor) -> dict[str, float]:
    """The figures of probabilities, by name."""
    rankings = (area_under_roc(probability, target), average_precision(probability, target))
    calibration = (expected_calibration_error(reliability(probability, target)), brier_score(probability, target))
    return dict(zip(RANKINGS + CALIBRATION, rankings + calibration, strict=True))
