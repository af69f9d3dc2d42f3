"""The classes of a pixel, and what passes from a data set to a loss: samples, padded to batches."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BACKGROUND = 0
VESSEL = 1
# Outside the field of view, and in pixels that a geometric transform or the padding of a batch adds.
IGNORE = 255


class Sample(NamedTuple):
    """One photograph with its label."""

    image: Tensor  # (C, H, W), as it is read uint8, or float32 in [0, 1]; float32 once normalised
    target: Tensor  # (H, W) uint8: the class of each pixel (BACKGROUND, VESSEL or further ones), or IGNORE
    image_id: str  # the data set's name for the photograph, such as 21


class Batch(NamedTuple):
    """Samples padded to one size."""

    image: Tensor  # (B, C, H, W) float32; 0 where padded
    target: Tensor  # (B, H, W) int64; IGNORE where padded
    image_id: list[str]


def collate(samples: Sequence[Sample]) -> Batch:
    """Pads right and below to the largest height and width: the image with 0, the target with IGNORE."""
    height = max(sample.image.shape[-2] for sample in samples)
    width = max(sample.image.shape[-1] for sample in samples)
    images = torch.zeros(len(samples), samples[0].image.shape[-3], height, width)
    targets = torch.full((len(samples), height, width), IGNORE, dtype=torch.int64)
    for row, sample in enumerate(samples):
        h, w = sample.target.shape
        images[row, :, :h, :w] = sample.image
        targets[row, :h, :w] = sample.target
    return Batch(images, targets, [sample.image_id for sample in samples])


def one_against_rest(target: Tensor, number: int) -> Tensor:
    """VESSEL where the target is class `number`, BACKGROUND where it is another class; IGNORE stays."""
    return torch.where(target == IGNORE, target, (target == number).to(target.dtype))
