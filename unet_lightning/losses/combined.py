"""A weighted sum of losses, and the loss of a network with several outputs."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError

AUXILIARY_WEIGHT = 0.5  # the tutorial's


class WeightedSum(nn.Module):
    """Sum of losses, each times its weight; raises ConfigError where terms and weights have different names."""

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if set(terms) != set(weights):
            raise ConfigError(
                f"loss.terms has {sorted(terms)}, loss.weights {sorted(weights)}: give each term one weight."
            )
        self.terms = nn.ModuleDict(dict(terms))
        self.weights = dict(weights)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """A scalar float32 of `(B, C, H, W)` logits and a `(B, H, W)` target."""
        return torch.stack([self.weights[name] * loss(logits, target) for name, loss in self.terms.items()]).sum()


def loss_of_outputs(loss: nn.Module, outputs: Mapping[str, Tensor], target: Tensor) -> Tensor:
    """The loss of `outputs["out"]`, plus half that of `outputs["aux"]` where the network has one.

    Outputs are `(B, C, H, W)`, the target is `(B, H, W)` int64.
    """
    total: Tensor = loss(outputs["out"], target)
    if "aux" in outputs:
        total = total + AUXILIARY_WEIGHT * loss(outputs["aux"], target)
    return total
