"""Chance as a function of (seed, epoch, rank)."""

import lightning as L
from lightning.pytorch.callbacks import Callback


class EpochSeed(Callback):
    """Seeds Python, NumPy and torch at the start of every epoch.

    Order and augmentation have seeds of their own (`data.sampling`); this one is for networks that draw, such as
    dropout. A run that goes on from an epoch's end draws what it would have drawn.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Seeds, differently for each rank, with a mixture in which (seed 0, epoch 1) and (seed 1, epoch 0) differ."""
        mixed = (self.seed * 1_000_003 + trainer.current_epoch) * 4_099 + trainer.global_rank
        L.seed_everything(mixed % 2**32, verbose=False)
