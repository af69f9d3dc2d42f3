"""Where a vessel map is right and where it is wrong, painted over the photograph."""

import torch
from PIL import ImageColor
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL

# Okabe and Ito's palette: told apart by colour-blind readers. The two errors are an orange and a blue, the pair that
# every kind of colour blindness keeps apart, and both are bright; what is right is darker and stands back.
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "#009E73", "#E69F00", "#56B4E9"
DIMMED = 0.5  # light that the photograph keeps below the colours
IGNORED = 0.2  # and outside the field of view, where nothing counts


def overlay_errors(photo: Tensor, vessels: Tensor, target: Tensor) -> Tensor:
    """The photograph in dim grey, with vessels found, called falsely and missed in three colours: `(3, H, W)` uint8.

    Args:
        photo: `(3, H, W)` uint8.
        vessels: `(H, W)` bool, what was called vessel.
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE; ignored pixels are never coloured.
    """
    light = torch.where(target == IGNORE, IGNORED, DIMMED)
    painted: Tensor = (rgb_to_grayscale(photo, num_output_channels=3) * light).round().to(torch.uint8)
    for pixels, colour in (
        (vessels & (target == VESSEL), TRUE_POSITIVE),
        (vessels & (target == BACKGROUND), FALSE_POSITIVE),
        (~vessels & (target == VESSEL), FALSE_NEGATIVE),
    ):
        painted[:, pixels] = torch.tensor(ImageColor.getrgb(colour), dtype=torch.uint8)[:, None]
    return painted
