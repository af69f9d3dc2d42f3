"""Normalisation of feature maps: over the images of a batch, or within each image."""

import math
from collections.abc import Callable

from torch import nn


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm over up to 8 groups of at least 2 channels: as many as divide the channels.

    A group of one channel would have nothing to be normalised over where an image has come down to one pixel.

    Source: Y. Wu and K. He, "Group Normalization", ECCV 2018; the numbers are ours, for networks this narrow.
    """
    return nn.GroupNorm(max(1, math.gcd(16, channels) // 2), channels)


NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "group": group_norm}
