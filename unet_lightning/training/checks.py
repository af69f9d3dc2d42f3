"""What a run is refused for before it begins, or goes on.

There would be nothing to train on, to validate on where it matters, or to keep; or training cannot go on from a
checkpoint to the bits of a run that was never stopped.
"""

import math
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from unet_lightning.commands import value_path
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import ConfigError, RunError
from unet_lightning.models.contents import DATA_STATE
from unet_lightning.models.weights import read_checkpoint
from unet_lightning.training.callbacks import callbacks_of

# What training goes on with.
RESUMED = {
    "state_dict": dict,
    "callbacks": dict,
    "loops": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "epoch": int,
    "global_step": int,
    "planned_steps": int | None,
    DATA_STATE: dict,
}


def check_run(data: SegmentationDataModule, trainer: L.Trainer) -> None:
    """Raises ConfigError where training, or what a callback waits for, would never happen, or would leave no network.

    The data is set up.
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


def check_checkpoint(path: Path, max_steps: int = -1, max_epochs: int | None = -1, processes: int = 1) -> None:
    """Looks whether training can go on exactly from a checkpoint.

    Args:
        path: of the checkpoint.
        max_steps: optimizer steps after which training is to end; -1: no end.
        max_epochs: epochs after which it is to end; -1 or None: no end.
        processes: that train now.

    Raises:
        RunError: the checkpoint lacks something, is not of an epoch's end, is beyond where training is to end, or is of
            another number of processes.
    """
    checkpoint = read_checkpoint(path)
    wrong = [name for name, kind in RESUMED.items() if not isinstance(checkpoint.get(name), kind)]
    if wrong:
        raise RunError(
            f"The run cannot go on from {path}: it lacks {', '.join(wrong)}. Begin a new run with model.weights set "
            "to it."
        )
    step, loop = checkpoint["global_step"], checkpoint["loops"].get("fit_loop")
    epochs = [_inner(loop, "epoch_progress", "current", name) for name in ("started", "processed")]
    if epochs[0] != epochs[1]:
        raise RunError(
            f"The run cannot go on from {path}: it was written before the end of its epoch, as best.ckpt is. Take "
            f"last.ckpt, or begin a new run with model.weights={value_path(path)}."
        )
    ends = {"max_epochs": (max_epochs, epochs[1]), "max_steps": (max_steps, step)}
    for name, (end, reached) in ends.items():
        if end is not None and end != -1 and isinstance(reached, int) and reached > end:
            raise RunError(
                f"trainer.{name}={end}, and the run in {path} has come to {reached} already: it goes on from there "
                "alone. Set it higher, or begin a new run."
            )
    if _inner(loop, "epoch_loop.batch_progress", "is_last_batch") is False and not 0 <= max_steps <= step:
        raise RunError(
            f"The run ended in the middle of an epoch, after step {step}, as trainer.max_steps said, and cannot go on "
            f"exactly. Begin a new run with model.weights={value_path(path)}."
        )
    data = checkpoint[DATA_STATE]
    if "contents" not in data and len(data.get("classes") or ()) > 2:
        raise RunError(
            f"The run in {path} is of an earlier version, which chose the epoch by the Dice of the first class alone, "
            "where it is the mean over the classes now: the two cannot be compared. Begin a new run with "
            f"model.weights={value_path(path)}."
        )
    before = checkpoint.get("processes")  # which earlier versions do not tell
    if isinstance(before, int) and before != processes:
        raise RunError(
            f"The run trained in {before} processes of data.batch_size images each, now there are {processes}: a step "
            "would see another number of images. Resume with as many (trainer.devices, trainer.num_nodes), or begin a "
            f"new run with model.weights={value_path(path)}."
        )


def _inner(value: Any, *names: str) -> Any:
    """What lies within mappings; None where it is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
