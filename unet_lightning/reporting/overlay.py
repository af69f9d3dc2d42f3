"""A prediction over its photograph."""

import torch
from PIL import ImageColor
from torch import Tensor

SKY_BLUE = "#56B4E9"  # Okabe and Ito's palette: told apart by colour-blind readers, and bright on a dark fundus
OPACITY = 0.85


def overlay(photo: Tensor, vessels: Tensor) -> Tensor:
    """The photograph with the vessels painted over it.

    Args:
        photo: `(3, H, W)` uint8.
        vessels: `(H, W)` bool.

    Returns:
        `(3, H, W)` uint8.
    """
    painted = photo.clone()
    for row, marked in zip(painted.unbind(1), vessels, strict=True):  # (3, W) and (W,): no large copy in float
        pixels = row[:, marked]
        colour = torch.tensor(ImageColor.getrgb(SKY_BLUE))[:, None]
        row[:, marked] = (pixels * (1 - OPACITY) + colour * OPACITY).round().to(torch.uint8)
    return painted
