"""What maps reach that look at no photograph: every pixel is called the same. Figures of networks stand beside them."""

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.classes import counts_of
from unet_lightning.metrics.overlap import Counts
from unet_lightning.metrics.several import mean_of, rates_of
from unet_lightning.metrics.statistics import Groups
from unet_lightning.metrics.summary import RATES, Summary, summary_of


def constant_map(targets: Sequence[Tensor], classes: int, called: int, groups: Groups = None) -> Summary:
    """Overlap of maps in which every pixel is called one class, from the numbers of pixels alone.

    Precision, where nothing is called the class, and the Matthews correlation are NaN: they divide 0 by 0. With more
    than two classes figures are means over the classes but the background, as those of a network.

    Args:
        targets: `(H, W)` integer each: the number of a class, or IGNORE.
        classes: how many.
        called: the number of the class.
        groups: of the images, for the intervals.
    """
    matrices = []
    for target in targets:
        matrix = torch.zeros(classes, classes, dtype=torch.int64)
        matrix[:, called] = torch.bincount(target.flatten().long(), minlength=IGNORE + 1)[:classes]
        matrices.append(matrix)
    if classes == 2:
        counts = [counts_of(matrix, 1) for matrix in matrices]
        return summary_of([_rates(one) for one in counts], _rates(reduce(add, counts)), False, groups)
    rows = [_mean_rates(matrix) for matrix in matrices]
    return summary_of(rows, _mean_rates(reduce(add, matrices)), True, groups)


def _rates(counts: Counts) -> dict[str, float]:
    """Of the second of two classes."""
    found = {name: float(getattr(counts, name)) for name in RATES}
    nothing = not counts.true_positive + counts.false_positive
    return found | {"mcc": math.nan} | ({"precision": math.nan} if nothing else {})


def _mean_rates(confusion: Tensor) -> dict[str, float]:
    """Over the classes but the background."""
    return mean_of([rates_of(confusion, number) for number in range(1, len(confusion))], confusion) | {"mcc": math.nan}
