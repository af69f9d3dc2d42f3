"""What was found in a photograph, painted over it."""

import torch
from PIL import ImageColor
from torch import Tensor

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL

# Okabe and Ito's palette: told apart by colour-blind readers. The two errors are an orange and a blue, the pair that
# every kind of colour blindness keeps apart, and both are bright; what is right is darker and stands back.
SKY_BLUE = "#56B4E9"
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "#009E73", "#E69F00", SKY_BLUE
OPACITY = 0.85
DIMMED = 0.5  # light that the photograph keeps below the colours of errors
IGNORED = 0.2  # and outside the field of view, where nothing counts


def overlay(photo: Tensor, vessels: Tensor) -> Tensor:
    """Paints the vessels over the photograph.

    Args:
        photo: `(3, H, W)` uint8; it is changed: a copy of a large one would cost hundreds of megabytes.
        vessels: `(H, W)` bool.

    Returns:
        the photograph.
    """
    for row, marked in zip(photo.unbind(1), vessels, strict=True):  # (3, W) and (W,)
        row[:, marked] = (row[:, marked] * (1 - OPACITY) + colour(SKY_BLUE) * OPACITY).round().to(torch.uint8)
    return photo


def overlay_errors(photo: Tensor, vessels: Tensor, target: Tensor) -> Tensor:
    """The photograph in dim grey, with vessels found, called falsely and missed in three colours.

    Args:
        photo: `(3, H, W)` uint8.
        vessels: `(H, W)` bool, what was called vessel.
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE; ignored pixels are never coloured.

    Returns:
        `(3, H, W)` uint8.
    """
    from torchvision.transforms.v2.functional import rgb_to_grayscale  # 2 s and 170 MB, which prediction does without

    light = torch.where(target == IGNORE, IGNORED, DIMMED)
    painted: Tensor = (rgb_to_grayscale(photo, num_output_channels=3) * light).round().to(torch.uint8)
    for pixels, name in (
        (vessels & (target == VESSEL), TRUE_POSITIVE),
        (vessels & (target == BACKGROUND), FALSE_POSITIVE),
        (~vessels & (target == VESSEL), FALSE_NEGATIVE),
    ):
        painted[:, pixels] = colour(name)
    return painted


def colour(name: str) -> Tensor:
    """The colour `#rrggbb` as a column of pixels, `(3, 1)` uint8."""
    return torch.tensor(ImageColor.getrgb(name), dtype=torch.uint8)[:, None]
