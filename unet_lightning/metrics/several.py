"""Figures where there are more than two classes: of each, and the mean over the classes but the background.

Each class is measured against the rest. What it has no figure for in an image is left out of that image's mean: a class
that is in neither label nor map, and an image that has none but the background, says nothing of Dice. Means are taken
over the classes of an image first, then over images.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import torch
from torch import Tensor

from unet_lightning.data.labels import one_against_rest
from unet_lightning.data.terms import SHAPE
from unet_lightning.metrics.classes import confusion_matrix, counts_of
from unet_lightning.metrics.pooled import of_classes
from unet_lightning.metrics.statistics import Groups
from unet_lightning.metrics.summary import RATES, Pairs, Summary, summarise, summary_of, without_meaning
from unet_lightning.metrics.surface import TOLERANCE


@dataclass(frozen=True)
class ClassFigures:
    """Figures of a set of images with more than two classes."""

    mean: Summary  # over the classes but the background; accuracy is of all classes
    each: list[Summary]  # by the number of the class; the background has overlap alone
    confusion: Tensor  # (C, C) int64, pixels of all images: rows are the true class, columns the one called

    @property
    def shares(self) -> list[float]:
        """The share of each class in the counted pixels of the labels; NaN where there are none."""
        shares: list[float] = (self.confusion.sum(dim=1) / self.confusion.sum()).tolist()
        return shares


def summarise_classes(
    called: Sequence[Tensor],
    targets: Sequence[Tensor],
    probabilities: Sequence[Tensor],
    classes: int,
    groups: Groups = None,
    tolerance: float = TOLERANCE,
    instances: bool = False,
    shape: Collection[str] = SHAPE,
    watch: Callable[[Pairs], Iterable[tuple[Tensor, Tensor]]] = iter,
) -> ClassFigures:
    """Figures of maps of several classes; there must be an image.

    Args:
        called: the class of each pixel, `(H, W)` integer.
        targets: the same, or IGNORE.
        probabilities: of each class but the background, `(C - 1, H, W)` float32 in [0, 1]; none where there are none.
        classes: how many, with the background.
        groups: the group of each image, such as its patient, for the intervals; None: each image is its own.
        tolerance: of the normalised surface distance, pixels.
        instances: see `summarise`.
        shape: see `summarise`.
        watch: see `summarise`.
    """
    matrices = [confusion_matrix(*pair, classes) for pair in zip(called, targets, strict=True)]
    confusion = torch.stack(matrices).sum(dim=0)
    background = [rates_of(one, 0) for one in matrices]
    sources = {name: of_classes(matrices, partial(_background_rate, name)) for name in RATES}
    each = [summary_of(background, rates_of(confusion, 0), True, groups, sources)]
    for number in range(1, classes):
        found, there = [one == number for one in called], [one_against_rest(one, number) for one in targets]
        soft = [one[number - 1] for one in probabilities]
        each.append(summarise(found, there, soft, True, groups, tolerance, instances, shape, watch))
    rows = [mean_of([one.per_image[place] for one in each[1:]], matrix) for place, matrix in enumerate(matrices)]
    pooled = mean_of([one.pooled for one in each[1:]], confusion)
    pooled["miou_with_background"] = mean_known([one.pooled["iou"] for one in each])
    sources = {name: of_classes(matrices, partial(_mean_rate, name)) for name in RATES}
    return ClassFigures(summary_of(rows, pooled, True, groups, sources), each, confusion)


def rates_of(confusion: Tensor, number: int) -> dict[str, float]:
    """Overlap of one class against the rest; NaN where it has no meaning."""
    counts = counts_of(confusion, number)
    absent = without_meaning(counts)
    return {name: math.nan if name in absent else getattr(counts, name) for name in RATES}


def _background_rate(name: str, confusion: Tensor) -> float:
    return rates_of(confusion, 0)[name]


def _mean_rate(name: str, confusion: Tensor) -> float:
    return mean_of([rates_of(confusion, number) for number in range(1, len(confusion))], confusion)[name]


def mean_of(figures: Sequence[dict[str, float]], confusion: Tensor) -> dict[str, float]:
    """The mean over classes of each figure; the accuracy is the share of the pixels that are right."""
    means = {name: mean_known([one[name] for one in figures]) for name in figures[0]}
    return means | {"accuracy": float(confusion.trace() / confusion.sum())}


def mean_known(values: Sequence[float]) -> float:
    """The mean without NaN; NaN where there is nothing else."""
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan
