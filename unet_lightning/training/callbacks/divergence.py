"""A loss or weights that are NaN or infinite end training, with the place where that happened."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from unet_lightning.commands import value_path
from unet_lightning.data.labels import Batch
from unet_lightning.errors import UserError

EVERY = 50  # steps


class Diverged(UserError):
    """The loss or a weight is NaN or infinite."""


class Divergence(Callback):
    """Checks the loss of every step; on a GPU `EVERY` at a time, as a check waits for it.

    No checkpoint is written after that: an epoch ends, and validation begins, with a check of losses and weights.

    Raises:
        Diverged: with epoch, optimizer step and images, or the name of the weights.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, int, Sequence[str]]] = []  # loss, optimizer step, images

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Keeps the loss, and checks where that costs nothing or enough have come together."""
        loss = outputs["loss"].detach()
        self.seen.append((loss, trainer.global_step, batch.image_id))
        if loss.device.type == "cpu" or len(self.seen) >= EVERY:
            self._check_losses(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Checks what is left; the last step of an epoch may have spoilt weights whose loss nobody has seen yet."""
        self._check_losses(trainer)
        for name, value in pl_module.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise Diverged(
                    f"The weights {name} are NaN or infinite after epoch {trainer.current_epoch}. {advice(trainer)}"
                )

    on_validation_start = on_train_epoch_end

    def _check_losses(self, trainer: L.Trainer) -> None:
        seen, self.seen = self.seen, []
        finite = torch.isfinite(torch.stack([loss for loss, _, _ in seen])).tolist() if seen else []
        if not all(finite):
            loss, step, images = seen[finite.index(False)]
            raise Diverged(
                f"The loss is {float(loss)} in epoch {trainer.current_epoch}, optimizer step {step}, images "
                f"{', '.join(images)}. {advice(trainer)}"
            )


def advice(trainer: L.Trainer) -> str:
    """What is left, and what to do: the same run would come to the same end."""
    good = Path(str(getattr(trainer.checkpoint_callback, "dirpath", None)), "last.ckpt")
    change = "a lower optimizer.lr, trainer.gradient_clip_val=1, or trainer.precision=bf16-mixed for 16-mixed"
    if not good.is_file():
        return f"There is no checkpoint yet. Begin anew with {change}."
    begin = f"Begin a new run from it, by model.weights={value_path(good)}, with {change}."
    return f"The last good checkpoint is {good}. {begin}"
