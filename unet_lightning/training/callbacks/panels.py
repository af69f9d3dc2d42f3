"""The same few validation photographs after each epoch, with what is there and what was found."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from unet_lightning.data.labels import IGNORE, Batch
from unet_lightning.data.shown import shown
from unet_lightning.data.transforms import nearest
from unet_lightning.errors import ConfigError
from unet_lightning.training.trackers.tracker import Picture, Tracker


class Panels(Callback):
    """Shows the first validation photographs in loggers that take pictures; without such a logger it does nothing.

    Where validation is of some photographs alone (`trainer.limit_val_batches`), those of the first that are among them.
    The predictions are those that validation makes anyway. With several processes each has some of the photographs, and
    the first process shows all: they are the same whatever the number of processes.

    Args:
        count: photographs; 0 is off.
        every_n_epochs: shown after the first validation of each so many epochs.
        side: larger photographs are made smaller: longest side, pixels.

    Raises:
        ConfigError: a value out of range.
    """

    def __init__(self, count: int = 4, every_n_epochs: int = 1, side: int = 640) -> None:
        for name, value, least in (("count", count, 0), ("every_n_epochs", every_n_epochs, 1), ("side", side, 16)):
            if not isinstance(value, int) or value < least:
                raise ConfigError(f"callbacks.panels.{name} must be a whole number from {least}, found {value}.")
        self.count, self.every_n_epochs, self.side = count, every_n_epochs, side
        self.wanted: list[str] = []  # the photographs that are shown after this epoch
        self.found: dict[str, Tensor] = {}

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Chooses the photographs: none unless this is the first validation of so many epochs, or nobody shows them."""
        self.found.clear()
        before = trainer.current_epoch - (trainer.check_val_every_n_epoch or 1)
        due = trainer.current_epoch // self.every_n_epochs != before // self.every_n_epochs
        shown = self.count and due and not trainer.sanity_checking and _trackers(trainer)
        self.wanted = _photographs(trainer).image_ids[: self.count] if shown else []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the predictions for photographs that are shown, `outputs["logits"]` of shape `(B, C, H, W)`."""
        for image_id, logits, target in zip(batch.image_id, outputs["logits"], batch.target, strict=True):
            if image_id in self.wanted:
                called = logits.argmax(dim=0).where(target != IGNORE, len(logits))
                self.found[image_id] = self._small(called.to(torch.uint8)).cpu()

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Brings the predictions of all processes together and shows them."""
        if not self.wanted:
            return
        parts = [self.found]
        if trainer.world_size > 1:
            parts = [{} for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(parts, self.found)
        found = {image_id: map_ for part in parts for image_id, map_ in part.items()}
        # Not all need to have been validated: trainer.limit_val_batches.
        shown = [image_id for image_id in self.wanted if image_id in found]
        if trainer.is_global_zero and shown:
            pictures = [self._picture(trainer, image_id, found[image_id]) for image_id in shown]
            for tracker in _trackers(trainer):
                tracker.show(pictures, max(trainer.global_step - 1, 0))  # as Lightning counts the figures beside them

    def _picture(self, trainer: L.Trainer, image_id: str, prediction: Tensor) -> Picture:
        """What is shown of one photograph."""
        photographs = _photographs(trainer)
        index = photographs.image_ids.index(image_id)
        classes, target = photographs.classes, photographs[index].target.as_subclass(Tensor)
        truth = self._small(target.masked_fill(target == IGNORE, len(classes)))
        photo = self._small(shown(photographs.photo(index).as_subclass(Tensor)))
        return Picture(image_id, photo, truth, prediction, classes)

    def _small(self, image: Tensor) -> Tensor:
        """A photograph `(3, H, W)`, or classes `(H, W)`, with the longest side up to `side`."""
        height, width = image.shape[-2:]
        factor = self.side / max(height, width)
        if factor >= 1:
            return image
        size = [max(1, round(height * factor)), max(1, round(width * factor))]
        shrunk: Tensor = nearest(image, *size) if image.ndim == 2 else resize(image, size)
        return shrunk


def _trackers(trainer: L.Trainer) -> list[Tracker]:
    """The loggers that take pictures."""
    return [logger for logger in trainer.loggers if isinstance(logger, Tracker)]


def _photographs(trainer: L.Trainer) -> Any:
    """The validation photographs."""
    return trainer.datamodule.val  # type: ignore[attr-defined]  # of the Trainer once it fits
