"""Cross-entropy with class weights over the pixels that are not ignored."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError
from unet_lightning.losses.dice import without_ignored


def cross_entropy(
    logits: Tensor, target: Tensor, class_weights: Tensor | None = None, over_ranks: bool = False
) -> Tensor:
    """Weighted mean of the negative log-likelihood over the batch: sum of w nll / sum of w, as torch defines it.

    Unlike torch's mean it is 0, not NaN, for a batch in which every pixel is ignored. With `over_ranks` the
    batch is a part of a larger one, shared by all processes: the mean of their results is the loss of that whole batch.

    Args:
        logits: `(B, C, H, W)`, any floating type; computed in float32.
        target: `(B, H, W)` int64 with classes below C, or IGNORE.
        class_weights: `(C,)` float32; all 1 where None.
        over_ranks: see `mean_over_ranks`.
    """
    logits, counted = without_ignored(logits, target)
    class_weights = None if class_weights is None else class_weights.float()  # precision bf16-true halves buffers
    total = F.cross_entropy(logits, target, class_weights, ignore_index=IGNORE, reduction="sum")
    true = target.masked_fill(~counted[:, 0], 0)
    return total / weight_of(true, counted[:, 0], logits.shape[1], class_weights, over_ranks)


def weight_of(true: Tensor, counted: Tensor, classes: int, class_weights: Tensor | None, over_ranks: bool) -> Tensor:
    """The weight of the pixels that count, by which a weighted sum is divided; above 0 where there is none.

    Args:
        true: `(B, H, W)` int64, the class of each pixel; any where it does not count.
        counted: `(B, H, W)` bool.
        classes: how many.
        class_weights: `(C,)` float32; all 1 where None.
        over_ranks: see `mean_over_ranks`.
    """
    weights = torch.ones(classes, device=true.device) if class_weights is None else class_weights
    weight = (weights[true] * counted).sum()
    if over_ranks:
        weight = mean_over_ranks(weight)
    return weight.clamp(min=torch.finfo(torch.float32).tiny)


def mean_over_ranks(count: Tensor) -> Tensor:
    """The mean of a count over all processes of the run; the count itself where there is only one.

    DDP averages gradients over the processes. Where each process divides its sum by this mean count, the average is
    the total sum divided by the total count: the loss of the whole batch. Dividing by the process's own count would
    give something else, as processes have different numbers of pixels that count.

    All processes must call it at the same time, as they do in training, where they have equally many batches. Where a
    step is made of several batches (`trainer.accumulate_grad_batches`), each of them has its own count.
    """
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return count
    total = count.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


class CrossEntropyLoss(nn.Module):
    """`cross_entropy`, in training over the batches of all processes together.

    In evaluation, where processes may have different numbers of images, each process has its own mean. None weighs all
    classes alike; ConfigError where the weights are no numbers from 0, and at the first batch where their number is not
    that of the classes.
    """

    weights: Tensor | None

    def __init__(self, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        # Not persistent: a checkpoint has the loss in its hyper-parameters, and only the network's weights.
        self.register_buffer("weights", checked_weights(class_weights), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """A scalar float32 of `(B, C, H, W)` logits and a `(B, H, W)` target."""
        if self.weights is not None and len(self.weights) != logits.shape[1]:
            raise ConfigError(
                f"{len(self.weights)} class weights for {logits.shape[1]} classes: give one for each class."
            )
        with torch.autocast(logits.device.type, enabled=False):
            return self.compute(logits, target)

    def compute(self, logits: Tensor, target: Tensor) -> Tensor:
        """The same, without autocast and of as many classes as there are weights."""
        return cross_entropy(logits, target, self.weights, over_ranks=self.training)


def checked_weights(given: Any) -> Tensor | None:
    """Class weights as `(C,)` float32; ConfigError where they are no numbers from 0, or all are 0."""
    if given is None:
        return None
    numbers = isinstance(given, Sequence) and all(type(one) in (int, float) and 0 <= one < math.inf for one in given)
    if not numbers or not any(given):
        raise ConfigError(
            "class_weights must be null or a list of numbers from 0, one a class, background first, or in the config "
            f"of a training auto: found {given}."
        )
    return torch.tensor(list(given), dtype=torch.float32)
