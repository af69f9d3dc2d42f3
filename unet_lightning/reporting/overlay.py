"""A prediction over its photograph."""

from torch import Tensor
from torchvision.utils import draw_segmentation_masks

SKY_BLUE = "#56B4E9"  # Okabe and Ito's palette: told apart by colour-blind readers, and bright on a dark fundus


def overlay(photo: Tensor, vessels: Tensor) -> Tensor:
    """The photograph with the vessels painted over it.

    Args:
        photo: `(3, H, W)` uint8.
        vessels: `(H, W)` bool.

    Returns:
        `(3, H, W)` uint8.
    """
    painted: Tensor = draw_segmentation_masks(photo, vessels, alpha=0.85, colors=SKY_BLUE)
    return painted
