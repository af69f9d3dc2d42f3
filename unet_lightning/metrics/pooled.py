"""How sure figures of the pooled pixels are: from what they become as each image, or group, is left out.

What a figure is computed from is summed up image by image, so that leaving one out takes no second look at its pixels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.metrics.calibration import ReliabilityBin

LEVELS = 2**14  # of probability, with about as many pixels each: a ranking is off by 0.0001 at most
SAMPLE = 2**18  # pixels that the levels are found from

Floats = npt.NDArray[np.float64]
# What a figure is computed from, `(images, ...)`, and how it is computed from the sum over images.
Source = tuple[Floats, Callable[[Floats], float]]


def of_counts(counts: Sequence[Any], figure: Callable[[Any], float]) -> Source:
    """A figure of counts, such as `Counts` or `CalibreCounts`."""
    kind = type(counts[0])
    table = np.array([astuple(one) for one in counts], dtype=np.float64)
    return table, lambda total: figure(kind(*map(int, total)))


def of_probabilities(
    probabilities: Sequence[Tensor], targets: Sequence[Tensor], bins: Sequence[Sequence[ReliabilityBin]]
) -> dict[str, Source]:
    """AUROC, average precision, expected calibration error and Brier score.

    Args:
        probabilities: float32 in [0, 1], of any shape.
        targets: integer, of the same shapes: BACKGROUND, VESSEL or IGNORE.
        bins: the reliability of each image.
    """
    counted = [target != IGNORE for target in targets]
    inside = [probability[at].float() for probability, at in zip(probabilities, counted, strict=True)]  # (N,) each
    vessels = [target[at] == VESSEL for target, at in zip(targets, counted, strict=True)]
    ranked = np.stack([histograms(*pair, _levels(inside)) for pair in zip(inside, vessels, strict=True)])
    sums = [[[one.pixels * part for part in (1, one.probability, one.share)] for one in its] for its in bins]
    squares = [
        [float((one.double() - there.double()).square().sum()), len(one)]
        for one, there in zip(inside, vessels, strict=True)
    ]
    return {
        "auroc": (ranked, auroc_of),
        "average_precision": (ranked, average_precision_of),
        "ece": (np.nan_to_num(np.array(sums)), calibration_error_of),  # an empty bin has no probability
        "brier": (np.array(squares), lambda total: _ratio(total[0], total[1])),
    }


def of_classes(matrices: Sequence[Tensor], figure: Callable[[Tensor], float]) -> Source:
    """A figure of confusion matrices, `(C, C)` each."""
    table = torch.stack(list(matrices)).double().numpy()
    return table, lambda total: figure(torch.from_numpy(total).long())


def _levels(inside: Sequence[Tensor]) -> Tensor:
    """Ascending edges between levels of probability, from a sample of the pixels."""
    step = max(1, sum(map(len, inside)) // SAMPLE)
    ordered = torch.cat([one[::step] for one in inside]).sort().values
    return torch.unique(ordered[torch.linspace(0, len(ordered) - 1, LEVELS).long()]) if len(ordered) else ordered


def histograms(probability: Tensor, vessel: Tensor, levels: Tensor) -> Floats:
    """Numbers of background and of vessel pixels at each level, `(2, levels + 1)`; pixels are `(N,)`."""
    places = torch.bucketize(probability, levels, right=True) + (len(levels) + 1) * vessel
    return torch.bincount(places, minlength=2 * (len(levels) + 1)).double().reshape(2, -1).numpy()


def auroc_of(total: Floats) -> float:
    """Area under the ROC curve of `histograms`; NaN where one of the two classes is absent."""
    wrong, right = np.cumsum(total[:, ::-1], axis=1)
    area = float((total[0, ::-1] * (right - total[1, ::-1] / 2)).sum())
    return _ratio(area, wrong[-1] * right[-1])


def average_precision_of(total: Floats) -> float:
    """Average precision of `histograms`; NaN where one of the two classes is absent."""
    wrong, right = np.cumsum(total[:, ::-1], axis=1)
    precision = right / np.maximum(right + wrong, 1)
    return _ratio(float((precision * total[1, ::-1]).sum()), right[-1]) if wrong[-1] else math.nan


def calibration_error_of(total: Floats) -> float:
    """Expected calibration error of `(bins, 3)`: pixels, sum of their probabilities, vessels; NaN without pixels."""
    return _ratio(float(np.abs(total[:, 1] - total[:, 2]).sum()), float(total[:, 0].sum()))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
