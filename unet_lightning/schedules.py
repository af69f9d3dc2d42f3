"""Learning rates by optimizer step, from the number of steps in the run and in an epoch.

The optimizer's learning rate is the peak; the first one is a share of it.
"""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from unet_lightning.errors import ConfigError


def poly(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    power: float = 0.9,  # 1 is a straight line
    warmup_epochs: int = 1,
    warmup_start: float = 1e-3,
) -> LRScheduler:
    """Linear warm-up, then `(1 - t) ** power` to 0, t from 0 to 1 over the rest of the run.

    Source: the tutorial's `create_lr_scheduler`.
    """
    # A run shorter than its warm-up still ends at the peak.
    warmup = min(warmup_epochs * steps_per_epoch, total_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return warmup_start + (1 - warmup_start) * step / warmup
        # LambdaLR also asks for the step after the last.
        return float(max(0.0, 1 - (step - warmup) / max(1, total_steps - warmup)) ** power)

    return LambdaLR(optimizer, factor)


def onecycle(
    optimizer: Optimizer, total_steps: int, steps_per_epoch: int, warmup: float = 0.2, start: float = 0.04
) -> LRScheduler:
    """One cycle with cosine flanks: up from `start` to the peak, then down to 0. Momentum stays constant.

    `warmup` is the share of the run on the way up, 0 to 1. The steps of an epoch are not used.

    Source: L. N. Smith and N. Topin, "Super-Convergence", 2018. torch's OneCycleLR also changes momentum and beta1,
    and fails where the warm-up is a single step.
    """
    if not 0 <= warmup <= 1:
        raise ConfigError(f"scheduler.warmup must be from 0 to 1, found {warmup}.")
    rise = round(warmup * total_steps)

    def cosine(share: float) -> float:  # from 0 to 1 along half a wave
        return (1 - math.cos(math.pi * share)) / 2

    def factor(step: int) -> float:
        if step < rise:
            return start + (1 - start) * cosine(step / rise)
        return 1 - cosine(min(1.0, (step - rise) / max(1, total_steps - rise)))

    return LambdaLR(optimizer, factor)
