"""The classes of a pixel, and the types that pass from a data set to a loss."""

from typing import NamedTuple

import torch
from torch import Tensor

BACKGROUND = 0
VESSEL = 1
# Outside the field of view, and in pixels that a geometric transform or the padding of a batch adds.
IGNORE = 255


class Sample(NamedTuple):
    """One photograph with its label.

    Attributes:
        image: `(3, H, W)`, uint8 0 to 255 as read, float32 once normalised.
        target: `(H, W)` uint8: the class of each pixel (BACKGROUND, VESSEL or further ones), or IGNORE.
        image_id: the data set's name for the photograph, such as `21`.
    """

    image: Tensor
    target: Tensor
    image_id: str


class Batch(NamedTuple):
    """Samples padded to one size.

    Attributes:
        image: `(B, 3, H, W)` float32; 0 where padded.
        target: `(B, H, W)` int64; IGNORE where padded.
        image_id: the B names.
    """

    image: Tensor
    target: Tensor
    image_id: list[str]


def one_against_rest(target: Tensor, number: int) -> Tensor:
    """VESSEL where the target is class `number`, BACKGROUND where it is another class; IGNORE stays.

    Args:
        target: integer, any shape: classes from 0, or IGNORE.
        number: of the class; with two classes, 1 changes nothing.
    """
    return torch.where(target == IGNORE, target, (target == number).to(target.dtype))
