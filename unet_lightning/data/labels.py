"""What a pixel can be, and what travels from a data set to a loss."""

from typing import NamedTuple

import torch
from torch import Tensor

BACKGROUND = 0
VESSEL = 1
# Outside the field of view, and whatever a geometric transform or the padding of a batch brings in.
IGNORE = 255


class Sample(NamedTuple):
    """One photograph with its label.

    Attributes:
        image: `(3, H, W)`, uint8 0 to 255 as read, float32 once normalised.
        target: `(H, W)`, uint8: BACKGROUND, VESSEL or IGNORE.
        image_id: the data set's own name for the photograph, such as `21`.
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
    """VESSEL where class `number` is, BACKGROUND where another one is, IGNORE as before.

    Args:
        target: integer of any shape: classes from 0, or IGNORE.
        number: of the class; for two classes 1 changes nothing.
    """
    return torch.where(target == IGNORE, target, (target == number).to(target.dtype))
