"""A weighted sum of losses, and the loss of a network with several outputs."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError
from unet_lightning.losses.cross_entropy import CrossEntropyLoss, checked_weights

AUXILIARY_WEIGHT = 0.5  # the tutorial's


class WeightedSum(nn.Module):
    """Sum of losses, each times its weight.

    Args:
        terms: losses by name.
        weights: of the terms, by the same names.
        class_weights: of every term that has class weights, and was given none of its own.

    Raises:
        ConfigError: terms and weights have different names, or no term takes the class weights.
    """

    def __init__(
        self,
        terms: Mapping[str, nn.Module],
        weights: Mapping[str, float],
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if set(terms) != set(weights):
            raise ConfigError(
                f"loss.terms has {sorted(terms)}, loss.weights {sorted(weights)}: give each term one weight."
            )
        if class_weights is not None:
            takers = [loss for loss in terms.values() if isinstance(loss, CrossEntropyLoss) and loss.weights is None]
            if not takers:
                raise ConfigError(
                    f"loss.class_weights={class_weights}: no term of {sorted(terms)} takes them. One has its own, or "
                    "none is a cross-entropy or a focal loss: leave loss.class_weights out."
                )
            for loss in takers:
                loss.weights = checked_weights(class_weights)
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
