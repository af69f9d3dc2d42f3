"""Losses summed with weights, and over the outputs of a network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError

AUXILIARY_WEIGHT = 0.5  # the tutorial's


class WeightedSum(nn.Module):
    """Sum of losses, each times its weight.

    Args:
        terms: a loss by name.
        weights: a weight by the same names.

    Raises:
        ConfigError: the names differ.
    """

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if set(terms) != set(weights):
            raise ConfigError(
                f"loss.terms has {sorted(terms)}, loss.weights {sorted(weights)}: give one weight a term."
            )
        self.terms = nn.ModuleDict(dict(terms))
        self.weights = dict(weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """`(B, C, H, W)` logits and `(B, H, W)` target in, a scalar float32 out."""
        return torch.stack([self.weights[name] * loss(logits, target) for name, loss in self.terms.items()]).sum()


def loss_of_outputs(loss: nn.Module, outputs: Mapping[str, Tensor], target: Tensor) -> Tensor:
    """The loss of `outputs["out"]`, and half of that of `outputs["aux"]` where a network gives one.

    Args:
        loss: from logits and target to a scalar.
        outputs: each `(B, C, H, W)`.
        target: `(B, H, W)` int64.
    """
    total: Tensor = loss(outputs["out"], target)
    if "aux" in outputs:
        total = total + AUXILIARY_WEIGHT * loss(outputs["aux"], target)
    return total
