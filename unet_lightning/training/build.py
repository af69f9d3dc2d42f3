"""Data, task and Trainer from a resolved configuration."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Timer

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import ConfigError
from unet_lightning.models.weights import load_weights
from unet_lightning.program import instantiate
from unet_lightning.specs import build_all
from unet_lightning.task import SegmentationTask
from unet_lightning.training.callbacks.chance import EpochSeed
from unet_lightning.training.callbacks.checkpoint import WholeCheckpoints
from unet_lightning.training.callbacks.divergence import Divergence
from unet_lightning.training.devices import check_devices


def assemble(
    config: dict[str, Any], fresh: bool, callbacks: list[L.Callback]
) -> tuple[SegmentationDataModule, SegmentationTask, L.Trainer]:
    """Data, task and Trainer of a config, seeded and checked against one another.

    Args:
        config: resolved.
        fresh: no checkpoint follows, so that `model.weights` is where training begins.
        callbacks: of the program, beside those of the config.

    Raises:
        UserError: any of them is wrong, or they do not go together.
    """
    seed = config["seed"]
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be a whole number from 0 to 2^32 - 1, found {seed}.")
    L.seed_everything(seed, workers=True, verbose=False)
    data: SegmentationDataModule = instantiate(config["data"], "data")
    task = build_task(config if fresh else config | {"model": config["model"] | {"weights": None}})
    data.setup("fit")
    assert data.train is not None
    task.rehearse(data.train.classes)
    data.inherit(task.weights_from)
    check_numbers(config["trainer"])
    check_devices(config["trainer"].get("accelerator", "auto"), config["trainer"].get("devices", "auto"))
    trainer = build_trainer(config, callbacks)
    data.check_processes(trainer.world_size)
    return data, task, trainer


def build_task(config: dict[str, Any]) -> SegmentationTask:
    """The LightningModule of a config, with the weights of `model.weights` where given."""
    model = dict(config["model"])
    weights = model.pop("weights", None)  # a checkpoint has its own
    task = SegmentationTask(
        model, config["loss"], config["optimizer"], config["scheduler"] or None, config["channels_last"]
    )
    if weights is not None:
        task.weights_from = load_weights(task.network, Path(weights))
    return task


def check_numbers(trainer: dict[str, Any]) -> None:
    """Raises ConfigError for what the Trainer would take, and stumble over when it trains."""
    for name in ("max_epochs", "max_steps", "check_val_every_n_epoch", "accumulate_grad_batches"):
        value = trainer.get(name)
        endless = name.startswith("max") and value == -1
        if value is not None and (not isinstance(value, int) or (value < 1 and not endless)):
            raise ConfigError(f"trainer.{name} must be a whole number from 1, found {value}.")


def build_trainer(config: dict[str, Any], callbacks: list[L.Callback]) -> L.Trainer:
    """The Trainer of a config with its callbacks and loggers, and what every run has."""
    settings = dict(config["trainer"])
    most = settings.pop("max_time", None)
    chosen, loggers = build_all(config["callbacks"], "callbacks"), build_all(config["logger"], "logger")
    plugins: list[Any] = [WholeCheckpoints()]
    if SLURMEnvironment.detect():
        # A job is requeued by the script or by submitit, who know why; Lightning would do it too.
        plugins.append(SLURMEnvironment(auto_requeue=False))
    # Trainer's own max_time stops between two steps: the rest of that epoch would never be trained.
    every = [*callbacks, EpochSeed(config["seed"]), Divergence(), *chosen, timer(most)]
    trainer: L.Trainer = instantiate(settings, "trainer", callbacks=every, logger=loggers, plugins=plugins)
    return trainer


def timer(most: Any) -> Timer:
    """Ends training after the epoch in which its time, of all attempts together, has passed.

    Args:
        most: as Lightning takes it; None: no end, though the time counts for attempts to come.

    Raises:
        ConfigError: `most` is no duration.
    """
    try:
        return Timer(most, interval="epoch", verbose=False)
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigError(f"trainer.max_time must be days:hours:minutes:seconds, found {most}: {error}.") from error
