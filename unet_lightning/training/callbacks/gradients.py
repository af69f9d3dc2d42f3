"""How large the gradients are."""

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer


class GradientNorm(Callback):
    """Logs the L2 norm of all gradients before clipping: `grad_norm` of a step, `train/grad_norm` its mean of an epoch.

    Under 16-mixed, steps whose gradients are NaN or infinite are skipped by its scaler; the mean leaves them out.
    """

    def __init__(self) -> None:
        self.norms: list[Tensor] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begins anew."""
        self.norms.clear()

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Keeps the norm on its device, where it waits for nothing."""
        gradients = [one.grad for one in pl_module.parameters() if one.grad is not None]
        norm = get_total_norm(gradients)
        self.norms.append(norm)
        pl_module.log("grad_norm", norm)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs the mean; NaN where no step had one."""
        norms = torch.stack(self.norms or [torch.tensor(torch.nan)])
        # Every process has the same gradients; sync_dist tells Lightning so.
        pl_module.log("train/grad_norm", norms[norms.isfinite()].mean(), sync_dist=True)
