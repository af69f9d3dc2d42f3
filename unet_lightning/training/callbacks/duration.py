"""How long training will take, said once its first steps are measured."""

import logging
import math
import time
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Timer
from torch import Tensor

from unet_lightning.data.labels import Batch
from unet_lightning.training.callbacks import find_callback
from unet_lightning.training.sizing import FORWARD

MEASURED = 3  # steps, after the first one, which is slower: memory is allocated, loading processes begin

log = logging.getLogger(__name__)


def expected_seconds(
    step: float, steps: int, epochs: int, validated: float = 0.0, every: int = 1, done_epochs: int = 0
) -> float:
    """The seconds of training that are left.

    Args:
        step: seconds of a step.
        steps: of an epoch.
        epochs: after which training ends.
        validated: pixels of a validation, in those of a step.
        every: epochs from a validation to the next.
        done_epochs: of an earlier attempt.
    """
    validations = epochs // every - done_epochs // every
    return step * (steps * (epochs - done_epochs) + FORWARD * validated * validations)


def in_words(seconds: float) -> str:
    """A time in minutes, of several hours in hours: `under a minute`, `about 8 minutes`, `about 3.5 hours`."""
    minutes = seconds / 60
    if minutes < 1:
        return "under a minute"
    if minutes < 120:
        return f"about {minutes:.0f} minute{'s' if round(minutes) > 1 else ''}"
    return f"about {minutes / 60:.1f} hours"


class Duration(Callback):
    """Says in the first epoch how long training will take: of its own first steps, so that their bits stay as they are.

    Nothing is said where training has no number of epochs, or is over before it is measured.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []  # of steps
        self.said = False
        self.last = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Notes where this attempt begins."""
        self.first_epoch = trainer.current_epoch

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock of a step."""
        self.last = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Measures a step, with the loading of its batch; says the time after the last of those that are measured."""
        if self.said or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize()  # so that the step is over; it changes no number
        now = time.monotonic()
        self.seconds.append(now - self.last)
        self.last = now
        if len(self.seconds) > MEASURED:
            self.said = True
            if words := self.words(trainer, batch.image):
                log.info(words)

    def words(self, trainer: L.Trainer, images: Tensor) -> str:
        """`Training takes about 8 minutes on this machine (42 epochs of 40 steps)`; empty where it has no end."""
        steps, epochs = int(trainer.num_training_batches), trainer.max_epochs or -1
        if trainer.max_steps > 0:
            needed = math.ceil(trainer.max_steps * trainer.accumulate_grad_batches / steps)
            epochs = min(epochs, needed) if epochs > 0 else needed
        if epochs <= 0:
            return ""
        step = sorted(self.seconds[1:])[len(self.seconds[1:]) // 2]  # the median: others may have used the machine
        left = expected_seconds(
            step, steps, epochs, _validated(trainer, images), trainer.check_val_every_n_epoch or 1, self.first_epoch
        )
        timer = find_callback(trainer, Timer)
        most = None if timer is None else timer.time_remaining()
        least = left if most is None else min(left, most)
        more = f", as trainer.max_time says; all would take {in_words(left)}" if least < left else ""
        gone = f", {epochs - self.first_epoch} of them to go" if self.first_epoch else ""
        return f"Training takes {in_words(least)} on this machine ({epochs} epochs of {steps} steps{gone}){more}."


def _validated(trainer: L.Trainer, images: Tensor) -> float:
    """The pixels of a validation by this process, in those of a batch; by the size of the first photograph."""
    val = getattr(trainer.datamodule, "val", None)  # type: ignore[attr-defined]
    if val is None or not len(val):
        return 0.0
    batches = sum(int(one) for one in trainer.num_val_batches)
    return float(batches * val.photo(0)[0].numel() / (len(images) * images[0, 0].numel()))
