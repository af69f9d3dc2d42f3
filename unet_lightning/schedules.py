"""Learning rates, one a step: each is given the optimizer, the steps of the run and the steps of an epoch."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR


def poly(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    power: float = 0.9,
    warmup_epochs: int = 1,
    warmup_start: float = 1e-3,
) -> LRScheduler:
    """Linear warm-up, then `(1 - t) ** power` to 0, t from 0 to 1 over the rest of the run.

    Args:
        optimizer: its learning rate is the peak.
        total_steps: optimizer steps of the run.
        steps_per_epoch: optimizer steps of an epoch.
        power: 1 is a straight line.
        warmup_epochs: length of the warm-up.
        warmup_start: first learning rate, as a share of the peak.

    Source: the tutorial's `create_lr_scheduler`.
    """
    # A run shorter than its warm-up still ends at the peak.
    warmup = min(warmup_epochs * steps_per_epoch, total_steps)

    def factor(step: int) -> float:
        if step < warmup:
            return warmup_start + (1 - warmup_start) * step / warmup
        # The step after the last one asks too.
        return float(max(0.0, 1 - (step - warmup) / max(1, total_steps - warmup)) ** power)

    return LambdaLR(optimizer, factor)


def onecycle(
    optimizer: Optimizer, total_steps: int, steps_per_epoch: int, warmup: float = 0.2, final_share: float = 1e-4
) -> LRScheduler:
    """One cycle with cosine flanks: up from a twenty-fifth of the peak, then down.

    Args:
        optimizer: its learning rate is the peak.
        total_steps: optimizer steps of the run.
        steps_per_epoch: not needed here.
        warmup: share of the run on the way up, 0 to 1.
        final_share: last learning rate, as a share of the first.

    Source: L. N. Smith and N. Topin, "Super-Convergence", 2018; torch.optim.lr_scheduler.OneCycleLR.
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, peaks, total_steps=total_steps, pct_start=warmup, final_div_factor=1 / final_share)
