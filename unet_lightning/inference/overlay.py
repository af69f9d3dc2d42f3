"""A prediction over its photograph."""

import torch
from PIL import ImageColor
from torch import Tensor

SKY_BLUE = "#56B4E9"  # Okabe and Ito's palette: told apart by colour-blind readers, and bright on a dark fundus
OPACITY = 0.85


def overlay(photo: Tensor, vessels: Tensor) -> Tensor:
    """The photograph `(3, H, W)` uint8 with the vessels `(H, W)` bool painted over it; it is changed, not copied."""
    for row, marked in zip(photo.unbind(1), vessels, strict=True):  # (3, W) and (W,)
        pixels = row[:, marked]
        colour = torch.tensor(ImageColor.getrgb(SKY_BLUE))[:, None]
        row[:, marked] = (pixels * (1 - OPACITY) + colour * OPACITY).round().to(torch.uint8)
    return photo
