"""A line an epoch, for a log file: what a progress bar shows on a terminal."""

import logging
import time

import lightning as L
from lightning.pytorch.callbacks import Callback

log = logging.getLogger(__name__)

SHOWN = ("train/loss", "val/loss", "val/dice_per_image")


class EpochLines(Callback):
    """Logs each epoch with its losses and its validation figure."""

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock of the epoch."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Says how it went."""
        if trainer.is_global_zero:
            most = f" of {trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
            known = trainer.callback_metrics
            figures = [f"{name} {float(known[name]):.4f}" for name in SHOWN if name in known]
            seconds = f"{time.monotonic() - self.started:.1f} s"
            log.info(f"Epoch {trainer.current_epoch + 1}{most}: {', '.join([*figures, seconds])}")
