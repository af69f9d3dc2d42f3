"""Weights averaged over the last optimizer steps."""

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
        def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
            kept = min(decay, float((1 + updates) / (10 + updates)))
            return averaged * kept + current * (1 - kept)

        super().__init__(avg_fn=average)
