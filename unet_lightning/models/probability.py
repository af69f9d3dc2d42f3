"""From logits to probabilities, in float32 whatever the precision of the network."""

import torch
from torch import Tensor


def class_probabilities(logits: Tensor) -> Tensor:
    """Softmax probability of each class but the background: `(B, C, H, W)` in, `(B, C - 1, H, W)` float32 out."""
    return torch.softmax(logits.float(), dim=1)[:, 1:]
