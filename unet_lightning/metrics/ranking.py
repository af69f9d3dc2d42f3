"""How well probabilities rank vessels above background: exact, from every distinct probability.

Probabilities are float32 in [0, 1]; targets are integers of the same shape: BACKGROUND, VESSEL or IGNORE.
"""

import math

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_average_precision, binary_roc

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL


def area_under_roc(probability: Tensor, target: Tensor) -> float:
    """AUROC inside the field of view; NaN where one of the two classes is absent."""
    known = _both_classes(target)
    return float(binary_auroc(probability.float(), target, ignore_index=IGNORE)) if known else math.nan


def average_precision(probability: Tensor, target: Tensor) -> float:
    """Average precision inside the field of view; NaN where one of the two classes is absent."""
    known = _both_classes(target)
    return float(binary_average_precision(probability.float(), target, ignore_index=IGNORE)) if known else math.nan


def roc_curve(probability: Tensor, target: Tensor, points: int = 400) -> tuple[Tensor, Tensor]:
    """At most `points` points of the exact ROC curve inside the field of view, evenly spaced along it, with both ends.

    Returns:
        false positive rate and sensitivity from (0, 0) to (1, 1), `(N,)` float64 each; empty where one of the two
        classes is absent.
    """
    if not _both_classes(target):
        return torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.float64)
    false_positive_rate, sensitivity, _ = binary_roc(probability.float(), target, ignore_index=IGNORE)
    false_positive_rate, sensitivity = false_positive_rate.double(), sensitivity.double()
    if len(sensitivity) > points:
        along = false_positive_rate + sensitivity  # (N,), from 0 to 2: the length of the staircase so far
        marks = torch.linspace(0, 2, points, dtype=torch.float64)
        kept = torch.unique(torch.searchsorted(along, marks))
        false_positive_rate, sensitivity = false_positive_rate[kept], sensitivity[kept]
    return false_positive_rate, sensitivity


def precision_recall_curve(probability: Tensor, target: Tensor, points: int = 400) -> tuple[Tensor, Tensor]:
    """Points of the exact precision-recall curve inside the field of view, at the thresholds of `roc_curve`.

    Returns:
        recall and precision from (0, 1) to recall 1, `(N,)` float64 each; empty where one of the two classes is
        absent.
    """
    false_positive_rate, recall = roc_curve(probability, target, points)
    right, wrong = recall * (target == VESSEL).sum(), false_positive_rate * (target == BACKGROUND).sum()
    precision = torch.where(right + wrong > 0, right / (right + wrong), 1.0)  # 1 by convention where nothing is found
    return recall, precision


def _both_classes(target: Tensor) -> bool:
    """Whether the pixels that count include vessels and background."""
    return bool((target == VESSEL).any() and (target == BACKGROUND).any())
