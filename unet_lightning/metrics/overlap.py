"""Overlap of a binary vessel map with a target: pixels are counted inside the field of view, rates follow from them."""

import math
import operator
from dataclasses import astuple, dataclass

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_stat_scores

from unet_lightning.data.labels import IGNORE


@dataclass(frozen=True)
class Counts:
    """Numbers of pixels inside the field of view, by true and predicted class. Add counts to pool images."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*map(operator.add, astuple(self), astuple(other)))

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN); 1 where neither map nor target has a vessel."""
        return _rate(2 * self.true_positive, self.false_positive + self.false_negative)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), the Jaccard index; 1 where neither map nor target has a vessel."""
        return _rate(self.true_positive, self.false_positive + self.false_negative)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all."""
        return _rate(self.true_positive + self.true_negative, self.false_positive + self.false_negative)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN): the share of the vessel pixels that was found."""
        return _rate(self.true_positive, self.false_negative)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP): the share of the background pixels that was not taken for vessels."""
        return _rate(self.true_negative, self.false_positive)

    @property
    def precision(self) -> float:
        """TP / (TP + FP): the share of the found pixels that are vessels."""
        return _rate(self.true_positive, self.false_positive)

    @property
    def mcc(self) -> float:
        """Matthews correlation coefficient, from -1 to 1: the correlation of map and target as 0 and 1.

        Where the map or the target has only one class, which gives 0 / 0: 1 if the two agree in every pixel, else 0.

        Source: B. W. Matthews, Biochimica et Biophysica Acta 405(2), 1975.
        """
        tp, fp, tn, fn = self.true_positive, self.false_positive, self.true_negative, self.false_negative
        # In Python's integers, which have no limit: the product of four numbers of pixels exceeds 64 bits.
        product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return (tp * tn - fp * fn) / math.sqrt(product) if product else float(fp + fn == 0)


def count(vessels: Tensor, target: Tensor) -> Counts:
    """Counts of one image: of a map, `(H, W)` bool, and a target, `(H, W)` integer: BACKGROUND, VESSEL or IGNORE."""
    scores = binary_stat_scores(vessels.to(torch.int64), target.to(torch.int64), ignore_index=IGNORE)
    return Counts(*scores[:4].tolist())


def _rate(right: int, wrong: int) -> float:
    """Right / (right + wrong); 1 where both are 0."""
    return right / (right + wrong) if right + wrong else 1.0
