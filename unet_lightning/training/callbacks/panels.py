"""The same few validation photographs after each epoch, with what is there and what was found."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torchvision.transforms.v2.functional import InterpolationMode, resize

from unet_lightning.data.labels import IGNORE, Batch
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
        self.found: dict[str, Tensor] = {}

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forgets the predictions of another epoch."""
        self.found.clear()

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
        if not self._due(trainer) or not self._trackers(trainer):
            return
        wanted = self._wanted(trainer)
        for image_id, logits, target in zip(batch.image_id, outputs["logits"], batch.target, strict=True):
            if image_id in wanted:
                classes = len(logits)
                called = logits.argmax(dim=0).where(target != IGNORE, classes)
                self.found[image_id] = self._small(called.to(torch.uint8)).cpu()

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Brings the predictions of all processes together and shows them."""
        trackers = self._trackers(trainer)
        if not self._due(trainer) or not trackers:
            return
        found = self._of_all_processes(trainer)
        # Not all need to have been validated: trainer.limit_val_batches.
        shown = [image_id for image_id in self._wanted(trainer) if image_id in found]
        if trainer.is_global_zero and shown:
            pictures = [self._picture(trainer, image_id, found[image_id]) for image_id in shown]
            for tracker in trackers:
                tracker.show(pictures, max(trainer.global_step - 1, 0))  # as Lightning counts the figures beside them

    def _due(self, trainer: L.Trainer) -> bool:
        """Whether this is the first validation of so many epochs."""
        if trainer.sanity_checking or not self.count:
            return False
        before = trainer.current_epoch - (trainer.check_val_every_n_epoch or 1)
        return trainer.current_epoch // self.every_n_epochs != before // self.every_n_epochs

    def _of_all_processes(self, trainer: L.Trainer) -> dict[str, Tensor]:
        """The predictions of each process, by image."""
        if trainer.world_size == 1:
            return self.found
        parts: list[dict[str, Tensor]] = [{} for _ in range(trainer.world_size)]
        torch.distributed.all_gather_object(parts, self.found)
        return {image_id: map_ for part in parts for image_id, map_ in part.items()}

    def _picture(self, trainer: L.Trainer, image_id: str, prediction: Tensor) -> Picture:
        """What is shown of one photograph."""
        photographs = _photographs(trainer)
        index = photographs.image_ids.index(image_id)
        classes, target = photographs.classes, photographs.samples[index].target.as_subclass(Tensor)
        truth = self._small(target.masked_fill(target == IGNORE, len(classes)))
        photo = self._small(photographs.photo(index).as_subclass(Tensor), InterpolationMode.BILINEAR)
        return Picture(image_id, photo, truth, prediction, classes)

    def _small(self, image: Tensor, mode: InterpolationMode = InterpolationMode.NEAREST_EXACT) -> Tensor:
        """`(3, H, W)` or `(H, W)` with its longest side up to `side`."""
        height, width = image.shape[-2:]
        factor = self.side / max(height, width)
        if factor >= 1:
            return image
        size = [max(1, round(height * factor)), max(1, round(width * factor))]
        shrunk: Tensor = resize(image if image.ndim == 3 else image[None], size, mode)
        return shrunk if image.ndim == 3 else shrunk[0]

    def _wanted(self, trainer: L.Trainer) -> list[str]:
        """The photographs that are shown."""
        ids: list[str] = _photographs(trainer).image_ids
        return ids[: self.count]

    @staticmethod
    def _trackers(trainer: L.Trainer) -> list[Tracker]:
        """The loggers that take pictures."""
        return [logger for logger in trainer.loggers if isinstance(logger, Tracker)]


def _photographs(trainer: L.Trainer) -> Any:
    """The validation photographs."""
    return trainer.datamodule.val  # type: ignore[attr-defined]  # of the Trainer once it fits
