"""Cross-entropy with class weights over the pixels that are not ignored."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError
from unet_lightning.losses.dice import without_ignored
from unet_lightning.losses.ranks import mean_over_ranks


def cross_entropy(
    logits: Tensor, target: Tensor, class_weights: Tensor | None = None, over_ranks: bool = False
) -> Tensor:
    """Weighted mean of the negative log-likelihood over the batch: sum of w nll / sum of w, as torch defines it.

    Unlike torch's mean it is 0, not NaN, for a batch in which every pixel is ignored.

    Args:
        logits: `(B, C, H, W)`, any floating type; computed in float32.
        target: `(B, H, W)` int64 with classes below C, or IGNORE.
        class_weights: `(C,)` float32; all 1 where None.
        over_ranks: whether the batch is a part of a larger one, shared by all processes: the mean of their results is
            then the loss of that whole batch (see `mean_over_ranks`).

    Returns:
        scalar float32.
    """
    logits, counted = without_ignored(logits, target)
    class_weights = None if class_weights is None else class_weights.float()  # precision bf16-true halves buffers
    total = F.cross_entropy(logits, target, class_weights, ignore_index=IGNORE, reduction="sum")
    weights = torch.ones(logits.shape[1], device=logits.device) if class_weights is None else class_weights
    weight = (weights[target.masked_fill(~counted[:, 0], 0)] * counted[:, 0]).sum()
    if over_ranks:
        weight = mean_over_ranks(weight)
    return total / weight.clamp(min=torch.finfo(torch.float32).tiny)


class CrossEntropyLoss(nn.Module):
    """`cross_entropy`, in training over the batches of all processes together.

    In evaluation, where processes may have different numbers of images, each process has its own mean.

    Args:
        class_weights: one for each class; None gives all the same weight.

    Raises:
        ConfigError: the number of weights is not that of the classes (raised at the first batch).
    """

    weights: Tensor | None

    def __init__(self, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float32)
        # Not persistent: a checkpoint has the loss in its hyper-parameters, and only the network's weights.
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """A scalar float32 of `(B, C, H, W)` logits and a `(B, H, W)` target."""
        if self.weights is not None and len(self.weights) != logits.shape[1]:
            raise ConfigError(
                f"{len(self.weights)} class weights for {logits.shape[1]} classes: give one for each class."
            )
        with torch.autocast(logits.device.type, enabled=False):
            return cross_entropy(logits, target, self.weights, over_ranks=self.training)
