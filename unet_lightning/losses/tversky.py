"""Tversky loss: Dice in which what is called falsely and what is missed have weights of their own."""

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError
from unet_lightning.losses.dice import without_ignored

TINY = 1e-12  # the slope of a power below 1 is infinite at 0


def tversky_misses(logits: Tensor, target: Tensor, alpha: float, beta: float, smooth: float = 1.0) -> Tensor:
    """1 minus the soft Tversky index of each image and class but the background, `(B, C - 1)` float32.

    The index is `(TP + smooth) / (TP + alpha FP + beta FN + smooth)`, over the pixels that are not ignored: a class
    that is neither in the target nor predicted has 1, and so has an image in which every pixel is ignored. With alpha
    and beta 0.5 and without `smooth` it is Dice.

    Args:
        logits: `(B, C, H, W)`, any floating type; computed in float32.
        target: `(B, H, W)` int64 with classes below C, or IGNORE.
        alpha: weight of pixels that are called a class falsely.
        beta: weight of pixels of a class that are missed.
        smooth: pixels added above and below, so that images without the class have a slope.

    Source: S. S. M. Salehi et al., "Tversky loss function for image segmentation using 3D fully convolutional deep
    networks", MLMI 2017, equation 3.
    """
    logits, counted = without_ignored(logits, target)
    probability = (torch.softmax(logits, dim=1) * counted)[:, 1:]  # (B, C - 1, H, W)
    classes = torch.arange(1, logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    truth = (target.unsqueeze(1) == classes).float()  # 0 for every class where ignored
    right = (probability * truth).sum(dim=(2, 3))  # (B, C - 1)
    called_falsely = (probability * (counted.float() - truth)).sum(dim=(2, 3))
    missed = ((1 - probability) * truth).sum(dim=(2, 3))
    wrong = alpha * called_falsely + beta * missed
    return wrong / (right + wrong + smooth)  # not 1 minus the index, which loses digits where that is almost 1


class TverskyLoss(nn.Module):
    """The mean of `tversky_misses` to the power of 1 / gamma, over images and classes but the background.

    With gamma above 1 it is the focal Tversky loss: what is good already counts less. The mean over several processes
    is the loss of their whole batch: `EpochSampler` deals them equally many images.

    Raises ConfigError for weights below 0, a `gamma` that is not above 0 and a `smooth` below 0.

    Source: N. Abraham and N. M. Khan, "A novel focal Tversky loss function with improved attention U-Net for lesion
    segmentation", ISBI 2019, equation 4, whose alpha is our beta.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, gamma: float = 1.0, smooth: float = 1.0) -> None:
        super().__init__()
        values = {"alpha": alpha, "beta": beta, "gamma": gamma, "smooth": smooth}
        numbers = all(type(one) in (int, float) and 0 <= one < float("inf") for one in values.values())
        if not numbers or not gamma or not alpha + beta:
            said = ", ".join(f"{name}={value}" for name, value in values.items())
            raise ConfigError(
                "The Tversky loss needs alpha, beta and smooth from 0, of which alpha or beta is above 0, and gamma "
                f"above 0: found {said}."
            )
        self.alpha, self.beta, self.gamma, self.smooth = alpha, beta, gamma, smooth

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """A scalar float32 of `(B, C, H, W)` logits and a `(B, H, W)` target."""
        with torch.autocast(logits.device.type, enabled=False):
            misses = tversky_misses(logits, target, self.alpha, self.beta, self.smooth)
            if self.gamma != 1:
                misses = torch.where(misses > 0, misses.clamp(min=TINY) ** (1 / self.gamma), 0.0)
            return misses.mean()
