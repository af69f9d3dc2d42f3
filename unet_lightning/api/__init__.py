"""The package in Python, for notebooks: load what was trained, predict, measure, train objects of your own.

`from unet_lightning import load, measure, train`; see docs/api.md.
"""

from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch

from unet_lightning.api.model import Model, load, model_of
from unet_lightning.data.arrays import Array, as_target, numbers, several
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.own import data_of
from unet_lightning.errors import ConfigError, DataError, RunError, UserError
from unet_lightning.metrics.summary import Summary, summarise
from unet_lightning.task import SegmentationTask
from unet_lightning.training import run

__all__ = [
    "ConfigError",
    "DataError",
    "Model",
    "RunError",
    "SegmentationTask",
    "UserError",
    "data_of",
    "load",
    "measure",
    "model_of",
    "train",
]


def train(
    data: L.LightningDataModule, task: SegmentationTask, trainer: L.Trainer, checkpoint: str | Path | None = None
) -> float | None:
    """Trains objects of your own, after a rehearsal that shows what does not fit together.

    Ctrl-C and SIGTERM end it after the batch in progress.

    Args:
        data: such as `data_of` makes.
        task: network, loss and optimizer.
        trainer: with callbacks and loggers of your own.
        checkpoint: that an earlier training of these objects has written, to go on from.

    Returns:
        the best figure that a `ModelCheckpoint` of the trainer monitors; None where there is none.

    Raises:
        ConfigError: data, network, loss and optimizer do not fit together.
        DataError: images or labels that cannot be right.
        Diverged: the loss or a weight is NaN or infinite.
        RunError: the checkpoint does not hold what it takes to go on.
        Stopped: by a signal.
    """
    if isinstance(data, SegmentationDataModule):
        data.setup("fit")
        assert data.train is not None
        task.rehearse(data.train.classes, data.train.found_form.channels)
        data.check_processes(trainer.world_size)
    return run.train(data, task, trainer, None if checkpoint is None else Path(checkpoint))


def measure(predictions: Array | Sequence[Array], labels: Array | Sequence[Array], threshold: float = 0.5) -> Summary:
    """Figures of predictions of one class, as `evaluate` has them: of each image, their means, and pooled.

    Args:
        predictions: `(H, W)` each, one or several: probabilities in [0, 1], or bool.
        labels: `(H, W)` each: bool, or 0, 1 and, where pixels do not count, 255.
        threshold: of the class from this probability on.

    Raises:
        ConfigError: sizes or values that do not go together.
    """
    maps, targets = (
        [torch.as_tensor(numbers(one)) for one in several(predictions)],
        [*map(as_target, several(labels))],
    )
    found = [[tuple(one.shape) for one in some] for some in (maps, targets)]
    if found[0] != found[1]:
        raise ConfigError(
            f"Expected a label (H, W) for each prediction, of its size; found predictions {found[0]} and labels "
            f"{found[1]}."
        )
    if not all(one.dtype == torch.bool or (0 <= float(one.min()) and float(one.max()) <= 1) for one in maps):
        raise ConfigError("Predictions must be bool, or probabilities from 0 to 1, without NaN.")
    soft = [one.float() for one in maps if one.dtype != torch.bool]
    return summarise(
        [one if one.dtype == torch.bool else one >= threshold for one in maps],
        targets,
        soft if len(soft) == len(maps) else (),
    )
