"""Trains built objects; whatever built them."""

import contextlib
import logging
import math
from pathlib import Path

import lightning as L

from unet_lightning.allocator import keep_freed_blocks
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import RunError, UserError, one_line
from unet_lightning.models.weights import load_weights
from unet_lightning.task import SegmentationTask
from unet_lightning.training.callbacks import callbacks_of, find_callback
from unet_lightning.training.callbacks.divergence import Divergence
from unet_lightning.training.checks import check_checkpoint
from unet_lightning.training.processes import Processes
from unet_lightning.training.stop import SafeStop

log = logging.getLogger(__name__)


def train(
    data: L.LightningDataModule, task: SegmentationTask, trainer: L.Trainer, checkpoint: Path | None = None
) -> float | None:
    """Trains, from a checkpoint where there is one.

    Ctrl-C, SIGTERM and SIGUSR2 end it after the batch in progress, a NaN loss at once; a process that is lost ends the
    others.

    Args:
        data: what to train and validate on.
        task: network, loss and metrics.
        trainer: with the callbacks of `build_trainer`, or of your own.
        checkpoint: to go on from.

    Returns:
        the best validation figure, None where nothing was validated or no epoch has one.

    Raises:
        Diverged: the loss or a weight is NaN or infinite.
        RunError: the checkpoint does not hold what it takes to go on, or a process was lost.
        Stopped: by a signal.
    """
    stop, processes = find_callback(trainer, SafeStop), find_callback(trainer, Processes)
    if stop is None:
        stop = SafeStop(processes.forward if processes else lambda signum: None)
        callbacks_of(trainer).insert(0, stop)
    if find_callback(trainer, Divergence) is None:
        callbacks_of(trainer).insert(0, Divergence())
    keep_freed_blocks()
    if checkpoint is not None:
        check_checkpoint(checkpoint, trainer.max_steps, trainer.max_epochs, trainer.world_size)
        load_weights(task.network, checkpoint)  # says what does not fit; Lightning loads all of it again
    with stop.listen(), stop.named(trainer):
        with processes.guard(trainer) if processes else contextlib.nullcontext():
            _fit(data, task, trainer, checkpoint, stop)
        stop.check()
    best = getattr(trainer.checkpoint_callback, "best_model_score", None)
    # Lightning takes a figure that is no number as the worst that there is.
    return None if best is None or not math.isfinite(best) else float(best)


def _fit(
    data: L.LightningDataModule, task: SegmentationTask, trainer: L.Trainer, checkpoint: Path | None, stop: SafeStop
) -> None:
    """Calls Lightning; what it makes of a wrong checkpoint becomes one of our errors."""
    # With max_steps Lightning takes each checkpoint for one of a broken-off epoch, and would end that epoch once more
    # (`_FitLoop.restarting`): ours are of whole epochs.
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]
    try:
        trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)
    except Exception as error:
        if checkpoint is None or stop.trained or isinstance(error, UserError):
            raise
        log.debug("What Lightning said:", exc_info=True)
        raise RunError(
            f"The run cannot go on from {checkpoint}: {one_line(error)}. Where another program has changed it, begin a "
            "new run with model.weights set to it."
        ) from error


def describe(task: SegmentationTask, data: SegmentationDataModule) -> str:
    """What is trained on what."""
    size = sum(parameter.numel() for parameter in task.network.parameters())
    train, val = data.photographs("train"), data.photographs("val")
    return (
        f"{type(task.network).__name__} with {size:,} parameters on {train.name}: {len(train)} images to train, "
        f"{len(val)} to validate"
        + f". Not taken from the weights that it begins from: {'; '.join(task.not_taken)}"
        * bool(task.not_taken)
    )
