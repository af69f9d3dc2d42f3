"""Objects, such as cells, one by one: those of a map are matched to those of a target.

An object is a connected component: pixels that touch at a side or a corner. Where a label says of each pixel only
whether a cell is there, cells that touch are one object in it, and a map that parts them is counted wrong.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial

import numpy as np
from scipy.ndimage import label
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.metrics.pooled import Floats, Source

NAMES = ("instance_f1", "instance_sq", "pq", "count_error")
WORDS = (
    "connected components of label and map, by sides and corners, matched where their IoU is above 0.5; what touches "
    "in a label is one"
)


@dataclass(frozen=True)
class InstanceCounts:
    """Numbers of objects. Add counts to pool images.

    Source: A. Kirillov et al., "Panoptic segmentation", CVPR 2019, equation 1.
    """

    matched: int  # objects of map and target with an IoU above 0.5, of which each has one partner at most
    extra: int  # objects of the map without a partner
    missed: int  # objects of the target without a partner
    overlap: float  # IoU of the matched, summed

    def __add__(self, other: "InstanceCounts") -> "InstanceCounts":
        return InstanceCounts(*map(operator.add, astuple(self), astuple(other)))

    @property
    def instance_f1(self) -> float:
        """Recognition quality, RQ: 2 TP / (2 TP + FP + FN) of objects; 1 where neither map nor target has one."""
        either = 2 * self.matched + self.extra + self.missed
        return 2 * self.matched / either if either else 1.0

    @property
    def instance_sq(self) -> float:
        """Segmentation quality: the mean IoU of the matched; NaN where none is."""
        return self.overlap / self.matched if self.matched else math.nan

    @property
    def pq(self) -> float:
        """Panoptic quality: RQ x SQ; 0 where nothing is matched, 1 where there is nothing to match."""
        return self.instance_f1 * (self.instance_sq if self.matched else 1.0)

    @property
    def count_error(self) -> float:
        """By how many objects the map has more or fewer than the target."""
        return float(abs(self.extra - self.missed))


def count_instances(vessels: Tensor, target: Tensor) -> InstanceCounts:
    """Counts of one image, inside the field of view.

    Args:
        vessels: the map, `(H, W)` bool.
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE.
    """
    masks = ((vessels & (target != IGNORE)).numpy(), (target == VESSEL).numpy())
    (found, many), (there, number) = (label(mask, structure=np.ones((3, 3))) for mask in masks)
    both = (found > 0) & (there > 0)
    pairs, shared = np.unique(np.stack([found[both], there[both]]), axis=1, return_counts=True)
    of_found, of_there = np.bincount(found.ravel()), np.bincount(there.ravel())  # pixels of each
    iou = shared / (of_found[pairs[0]] + of_there[pairs[1]] - shared)  # above 0.5 no object has two partners
    matched = iou[iou > 0.5]
    return InstanceCounts(len(matched), many - len(matched), number - len(matched), float(matched.sum()))


def sources_of(counts: Sequence[InstanceCounts]) -> dict[str, Source]:
    """What the pooled figures are computed from, by figure; errors of numbers are of single images."""
    table = np.array([astuple(one) for one in counts], dtype=np.float64)
    return {name: (table, partial(_figure, name)) for name in NAMES if name != "count_error"}


def _figure(name: str, total: Floats) -> float:
    return float(getattr(InstanceCounts(*total), name))
