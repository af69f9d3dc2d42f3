"""Dice loss, as the tutorial defines it."""

import torch
from torch import Tensor, nn

from unet_lightning.data.labels import IGNORE


def without_ignored(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Float32 logits with 0 in ignored pixels, and a mask of the pixels that count.

    Ignored logits are replaced, not multiplied by 0, so that not even a NaN there reaches the loss or its gradient.
    From `(B, C, H, W)` of any floating type and `(B, H, W)` int64 to `(B, C, H, W)` float32 and `(B, 1, H, W)` bool.
    """
    counted = (target != IGNORE).unsqueeze(1)
    return logits.float().masked_fill(~counted, 0.0), counted


def dice_per_class(logits: Tensor, target: Tensor, epsilon: float = 1e-6) -> Tensor:
    """Soft Dice of each image and class over the pixels that are not ignored, `(B, C)` float32.

    `(2 inter + epsilon) / (total + epsilon)`, where a total of 0 is replaced by `2 inter`: a class that is neither in
    the target nor predicted has Dice 1, and so has an image in which every pixel is ignored.

    Args:
        logits: `(B, C, H, W)`, any floating type; computed in float32.
        target: `(B, H, W)` int64 with classes below C, or IGNORE.
        epsilon: avoids a division by 0.
    """
    logits, counted = without_ignored(logits, target)
    probability = torch.softmax(logits, dim=1) * counted  # (B, C, H, W)
    classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    truth = (target.unsqueeze(1) == classes).float()  # 0 for every class where ignored
    inter = (probability * truth).sum(dim=(2, 3))  # (B, C)
    total = probability.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    total = torch.where(total == 0, 2 * inter, total)
    return (2 * inter + epsilon) / (total + epsilon)


class DiceLoss(nn.Module):
    """1 minus the mean of `dice_per_class` over images and classes.

    The mean over several processes is the loss of their whole batch: `EpochSampler` deals them equally many images.
    """

    def __init__(self, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """A scalar float32 of `(B, C, H, W)` logits and a `(B, H, W)` target."""
        with torch.autocast(logits.device.type, enabled=False):
            return 1 - dice_per_class(logits, target, self.epsilon).mean()
