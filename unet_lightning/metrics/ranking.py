"""How well probabilities rank vessels above background: exact, from every distinct probability."""

import math

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from unet_lightning.data.labels import IGNORE


def area_under_roc(probability: Tensor, target: Tensor) -> float:
    """AUROC inside the field of view; NaN where one of the two classes is absent.

    Args:
        probability: float32 in [0, 1], any shape.
        target: integer of the same shape: BACKGROUND, VESSEL or IGNORE.
    """
    return float(binary_auroc(*_inside(probability, target))) if _both_classes(target) else math.nan


def average_precision(probability: Tensor, target: Tensor) -> float:
    """Average precision inside the field of view; NaN where one of the two classes is absent.

    Args:
        probability: float32 in [0, 1], any shape.
        target: integer of the same shape: BACKGROUND, VESSEL or IGNORE.
    """
    return float(binary_average_precision(*_inside(probability, target))) if _both_classes(target) else math.nan


def _inside(probability: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The counted pixels, flat."""
    counted = target != IGNORE
    return probability[counted].float(), target[counted].long()


def _both_classes(target: Tensor) -> bool:
    """Whether the counted pixels hold vessels and background."""
    return len(torch.unique(target[target != IGNORE])) == 2
