"""Training that has left the numbers ends with the place where it did."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from unet_lightning.data.labels import Batch
from unet_lightning.errors import UserError


class Diverged(UserError):
    """The loss is no number any more."""


class Divergence(Callback):
    """Looks at the loss of every step; on a GPU not before `every_n_steps` have come together, as looking waits for it.

    No checkpoint is written after the loss was lost: an epoch ends after the last look.

    Args:
        every_n_steps: batches between two looks on a GPU.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        self.every_n_steps = every_n_steps
        self.seen: list[tuple[Tensor, int, Sequence[str]]] = []  # loss, optimizer step, images

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Keeps the loss, and looks where that costs nothing or enough have come together.

        Raises:
            Diverged: one of the losses is no number.
        """
        loss = outputs["loss"].detach()
        self.seen.append((loss, trainer.global_step, batch.image_id))
        if loss.device.type == "cpu" or len(self.seen) >= self.every_n_steps:
            self._look(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Looks at what is left, before checkpoints are written.

        Raises:
            Diverged: one of the losses, or a weight, is no number.
        """
        self._look(trainer)
        self._look_at_weights(trainer, pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Looks at what is left, before the validation figures choose a checkpoint.

        Raises:
            Diverged: one of the losses, or a weight, is no number.
        """
        self._look(trainer)
        self._look_at_weights(trainer, pl_module)

    def _look_at_weights(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The last step of an epoch may have spoilt weights whose loss nobody has seen yet."""
        for name, value in pl_module.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise Diverged(
                    f"The weights {name} are no numbers after epoch {trainer.current_epoch}. {advice(trainer)}"
                )

    def _look(self, trainer: L.Trainer) -> None:
        seen, self.seen = self.seen, []
        if not seen:
            return
        finite = torch.isfinite(torch.stack([loss for loss, _, _ in seen])).tolist()
        if all(finite):
            return
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
    return f"The last good checkpoint is {good}. Begin a new run from it, by model.weights={good}, with {change}."
