"""Weights averaged over the last optimizer steps."""

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class RampedAverage(WeightAveraging):
    """Exponential moving average of weights and BatchNorm statistics, which validation and checkpoints use.

    Lightning's own average remembers the first steps for long; here the memory grows with the run, so that early
    validation figures mean something.

    Args:
        decay: share of the average that each step keeps in the end: 0.99 looks back over about 100 steps.

    Source: torch.optim.swa_utils.AveragedModel; the ramp (1 + n) / (10 + n) is that of
    tensorflow.train.ExponentialMovingAverage.
    """

    def __init__(self, decay: float = 0.99) -> None:
        def average(averaged: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
            """Averages tensors of one type, all at once: a network has a hundred and more, most of them small."""
            kept = min(decay, float((1 + updates) / (10 + updates)))
            if averaged[0].is_floating_point():
                torch._foreach_lerp_(averaged, current, 1 - kept)
            else:  # BatchNorm counts its batches
                for one, other in zip(averaged, current, strict=True):
                    one.copy_(one * kept + other * (1 - kept))

        super().__init__(multi_avg_fn=average)
