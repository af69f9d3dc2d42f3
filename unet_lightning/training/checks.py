"""What a run is refused for before it begins: nothing to train on, to validate on where it matters, or to keep."""

import math

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import ConfigError
from unet_lightning.training.callbacks import callbacks_of


def check_run(data: SegmentationDataModule, trainer: L.Trainer) -> None:
    """Raises ConfigError where training, or what a callback waits for, would never happen, or would leave no network.

    Args:
        data: set up.
        trainer: with its callbacks.
    """
    assert data.train is not None and data.val is not None
    images = len(data.train) * data.repeats
    check_share("train", trainer.limit_train_batches, math.ceil(images / trainer.world_size / data.batch_size))
    validated, limit = len(data.val) // trainer.world_size, trainer.limit_val_batches
    if limit:
        check_share("val", limit, validated)
    watchers = [one for one in callbacks_of(trainer) if str(getattr(one, "monitor", None)).startswith("val/")]
    if validated and not limit and watchers:
        raise ConfigError(
            f"trainer.limit_val_batches=0 validates nothing, and {_named(watchers[0])}. Give a number of images, or "
            "data.val_ids=null to train on all of them, or leave that callback out: ~callbacks.<name>."
        )
    if not validated and (waiting := [one for one in watchers if not isinstance(one, ModelCheckpoint)]):
        raise ConfigError(
            f"There are no images to validate on, and {_named(waiting[0])}. Give data.val_ids or data.folds, or leave "
            "that callback out: ~callbacks.<name>."
        )
    writers = [one for one in callbacks_of(trainer) if getattr(one, "filename", None) in ("best", "last")]
    if all(one in watchers and not validated for one in writers):
        raise ConfigError(
            "No callback would write best.ckpt or last.ckpt: the run would end with nothing to go on from or to "
            "evaluate. Keep callbacks.last."
        )


def check_share(what: str, limit: int | float, batches: int) -> None:
    """Raises ConfigError where a limit, a number of batches or a share of them, leaves none of some."""
    left = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    if batches and not left:
        raise ConfigError(
            f"trainer.limit_{what}_batches={limit} leaves none of the {batches} batches of a process. Give a number "
            f"from 1 to {batches}, or a share from {math.ceil(1000 / batches) / 1000} to 1.0."
        )


def _named(callback: object) -> str:
    return f"{type(callback).__name__} waits for {getattr(callback, 'monitor', None)}"
