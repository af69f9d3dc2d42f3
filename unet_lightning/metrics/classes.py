"""Overlap where there are more than two classes: each against the rest, and their mean.

A class that is neither in the label of an image nor called anywhere in it cannot be right or wrong there: it is left
out, and an image without any class but the background has no Dice. A 1 in its place would raise the mean the more, the
rarer a class is.

Source: F. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation",
Nature Methods 18, 2021, whose program leaves such cases out alike.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.overlap import Counts


def confusion_matrix(called: Tensor, target: Tensor, classes: int) -> Tensor:
    """Numbers of pixels of one image by class, without those that are IGNORE in the target.

    Args:
        called: `(H, W)` integer, the class of each pixel from 0 to `classes - 1`.
        target: `(H, W)` integer, the same, or IGNORE.
        classes: how many.

    Returns:
        `(classes, classes)` int64: rows are the true class, columns the one called. Add matrices to pool images.
    """
    counted = target != IGNORE
    pairs = target[counted].long() * classes + called[counted]
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def counts_of(confusion: Tensor, number: int) -> Counts:
    """Counts of one class against the rest, from a confusion matrix."""
    pixels = (confusion[number, number], confusion[:, number].sum(), confusion[number].sum(), confusion.sum())
    right, called, there, every = map(int, pixels)
    return Counts(right, called - right, every - called - there + right, there - right)


def overlap_counts(decided: Sequence[Tensor], target: Tensor) -> Tensor:
    """True positives, false positives and false negatives of each image and class, `(B, C - 1, 3)` int64.

    Args:
        decided: the pixels of each class but the background, `(B, H, W)` bool.
        target: `(B, H, W)` integer: the number of a class, or IGNORE.
    """
    counted, rows = target != IGNORE, []
    for number, found in enumerate(decided, start=1):
        there = target == number
        kinds = (found & there, found & counted & ~there, ~found & there)
        rows.append(torch.stack([pixels.sum(dim=(-2, -1)) for pixels in kinds], dim=-1))
    return torch.stack(rows, dim=1)


def mean_dice(counts: Tensor) -> Tensor:
    """The mean over classes of 2 TP / (2 TP + FP + FN), from `(..., classes, 3)` to `(...)` float32.

    A class with nothing to count is left out; NaN where all are. A single class then has 1: its image is right.
    """
    true_positive, false_positive, false_negative = counts.unbind(-1)
    pixels = 2 * true_positive + false_positive + false_negative
    dice = 2 * true_positive.float() / pixels.clamp(min=1).float()
    mean = dice.sum(dim=-1) / (pixels > 0).sum(dim=-1)
    return mean.nan_to_num(1.0) if counts.shape[-2] == 1 else mean


class PooledDice(Metric):
    """`mean_dice` of the pixels of all images, over all processes."""

    full_state_update = False
    counts: Tensor
    classes: Tensor  # how many, without the background: a process without an image learns it from the others

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(IGNORE, 3, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("classes", torch.tensor(1), dist_reduce_fx="max")

    def update(self, counts: Tensor) -> None:
        """Adds those of a batch, `(B, C - 1, 3)`."""
        self.classes.fill_(counts.shape[1])
        self.counts[: counts.shape[1]] += counts.sum(dim=0)

    def compute(self) -> Tensor:
        """The Dice, a number."""
        return mean_dice(self.counts[: int(self.classes)])
