"""Focal loss: cross-entropy in which pixels that are right already count less."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unet_lightning.errors import ConfigError
from unet_lightning.losses.cross_entropy import CrossEntropyLoss, weight_of
from unet_lightning.losses.dice import without_ignored

TINY = torch.finfo(torch.float32).tiny


def focal(
    logits: Tensor, target: Tensor, gamma: float, class_weights: Tensor | None = None, over_ranks: bool = False
) -> Tensor:
    """Weighted mean of (1 - p)^gamma times the negative log-likelihood, p the probability of the true class.

    With gamma 0 it is `cross_entropy`; the class weights, which the source calls alpha, are weights of the mean there
    too.

    Args:
        logits: `(B, C, H, W)`, any floating type; computed in float32.
        target: `(B, H, W)` int64 with classes below C, or IGNORE.
        gamma: how much less a pixel counts that is right already, from 0.
        class_weights: `(C,)` float32; all 1 where None.
        over_ranks: see `mean_over_ranks`.

    Source: T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 5.
    """
    logits, mask = without_ignored(logits, target)
    counted, class_weights = mask[:, 0], None if class_weights is None else class_weights.float()
    true = target.masked_fill(~counted, 0)
    log_p = torch.log_softmax(logits, dim=1).gather(1, true.unsqueeze(1))[:, 0]  # (B, H, W)
    wrong = -torch.expm1(log_p)  # 1 - p, exact where p is almost 1
    # The slope of a power below 1 is infinite at 0.
    losses = -(wrong.clamp(min=TINY) ** gamma) * log_p * counted
    losses = losses if class_weights is None else losses * class_weights[true]
    return losses.sum() / weight_of(true, counted, logits.shape[1], class_weights, over_ranks)


class FocalLoss(CrossEntropyLoss):
    """`focal`, over the batches of all processes and with class weights as `CrossEntropyLoss` has them.

    Raises ConfigError where gamma is no number from 0.
    """

    def __init__(self, gamma: float = 2.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__(class_weights)
        if isinstance(gamma, bool) or not isinstance(gamma, int | float) or not 0 <= gamma < float("inf"):
            raise ConfigError(f"gamma of the focal loss must be a number from 0, found {gamma}.")
        self.gamma = gamma

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        """See `CrossEntropyLoss`."""
        return focal(logits, target, self.gamma, self.weights, over_ranks=self.training)
