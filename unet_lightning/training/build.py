"""Data, task and Trainer from the plain values of a configuration."""

import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.utilities import rank_zero_only

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.errors import ConfigError
from unet_lightning.models.weights import load_weights
from unet_lightning.specs import SECTIONS, build
from unet_lightning.task import SegmentationTask
from unet_lightning.training.auto import AUTO, PRECISION, filled, follow_data, recorded_as_auto
from unet_lightning.training.callbacks.chance import EpochSeed
from unet_lightning.training.callbacks.checkpoint import WholeCheckpoints
from unet_lightning.training.callbacks.divergence import Divergence
from unet_lightning.training.callbacks.duration import Duration
from unet_lightning.training.callbacks.experiment import Experiment
from unet_lightning.training.callbacks.lines import EpochLines
from unet_lightning.training.checks import check_run
from unet_lightning.training.config import leaves, select, with_value
from unet_lightning.training.known import recall
from unet_lightning.training.loggers import build_loggers
from unet_lightning.training.precision import quickest_precision
from unet_lightning.training.processes import SRUN_HINT, OwnProcesses, Processes, outside
from unet_lightning.training.stop import SafeStop


class Built(NamedTuple):
    """A run that is ready to be trained."""

    config: dict[str, Any]  # with numbers for what follows from the data
    data: SegmentationDataModule
    task: SegmentationTask
    trainer: L.Trainer


# Lightning's tips, and what a run says itself.
QUIET = (
    # Lightning 2.6 asks torch.utils._pytree for a name that torch is about to drop.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # A run that goes on writes beside its earlier checkpoints.
    r"Checkpoint directory .* exists and is not empty",
    # The run says itself how many images it validates on, none among them.
    r"Total length of `\w+` across ranks is zero",
    # Photographs are kept in memory: loading processes do not pay on a CPU.
    r"The '\w+_dataloader' does not have many workers",
    SRUN_HINT,
)

# Arguments of the Trainer that a run has from elsewhere, and what to do instead.
OWNED = {
    "callbacks": "they are entries of callbacks, +callbacks.<name>._target_=...",
    "logger": "loggers are entries of logger, such as logger=tensorboard",
    "plugins": "processes and checkpoints have theirs; say trainer.precision and trainer.strategy",
    "default_root_dir": "the folder of a run is hydra.run.dir=...",
    "overfit_batches": "it would take away the order and the augmentation that a seed repeats. To see whether a "
    "network learns a few images by heart, train on these alone: name all others in data.val_ids, and give "
    "trainer.limit_val_batches=1",
}


def build_run(config: Mapping[str, Any], folder: Path, checkpoint: Path | None = None) -> Built:
    """Data, task and Trainer of a run, seeded and checked against one another; see `auto` for what is not said.

    Without a checkpoint to go on from, `model.weights` is where training begins.

    Raises:
        UserError: any of them is wrong, or they do not go together.
    """
    quiet_libraries()
    seed = config["seed"]
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be a whole number from 0 to 2^32 - 1, found {seed}.")
    L.seed_everything(seed, workers=True, verbose=False)
    data = build_data(config)
    data.setup("fit")
    assert data.train is not None
    config = filled(follow_data(config, data.train), data.train)
    task = build_task(config, with_weights=checkpoint is None)
    task.rehearse(data.train.classes, data.train.found_form.channels)
    weights = config["model"].get("weights")
    data.inherit(task.weights_from, None if weights is None else Path(weights).name)
    if select(config, PRECISION) == AUTO:
        choice = quickest_precision(trainer_settings(config), task, data)
        config = recorded_as_auto(with_value(config, PRECISION, choice), [PRECISION])
    trainer = build_trainer(config, folder, checkpoint)
    data.check_processes(trainer.world_size)
    check_run(data, trainer)
    return Built(config, data, task, trainer)


def build_data(config: Mapping[str, Any]) -> SegmentationDataModule:
    """The data module of a config; its chance follows the seed of the run where it has none of its own."""
    section = dict(config["data"])
    if section.get("seed") is None:
        section["seed"] = config["seed"]
    data: SegmentationDataModule = build(section, SECTIONS["data"])
    return data


def build_task(config: Mapping[str, Any], with_weights: bool = True) -> SegmentationTask:
    """The LightningModule of a config, with the weights of `model.weights` where given and wanted."""
    model = dict(config["model"])
    weights, skip = model.pop("weights", None), model.pop("weights_skip", None)  # a checkpoint has its own
    task = SegmentationTask(
        model, config["loss"], config["optimizer"], config["scheduler"] or None, config["channels_last"]
    )
    if weights is not None and with_weights:
        loaded = load_weights(task.network, Path(weights), skip)
        task.weights_from = loaded.state or recall(loaded.tensors)
        task.not_taken = loaded.not_taken
    return task


def build_trainer(config: Mapping[str, Any], folder: Path, checkpoint: Path | None = None) -> L.Trainer:
    """The Trainer of a config with its callbacks and loggers, and what every run has."""
    settings = trainer_settings(config)
    check_numbers(settings)
    check_owned(settings)
    accelerator = settings.get("accelerator", "auto")
    if accelerator in ("gpu", "cuda", "mps") and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise ConfigError(
            f"trainer.accelerator={accelerator}, and torch sees no GPU on this machine. Take trainer=cpu, or begin the "
            "run where there is one; under Slurm, ask for it: --gpus-per-node=1."
        )
    # Trainer's own max_time stops between two steps: the rest of that epoch would never be trained.
    most = settings.pop("max_time", None)
    processes = Processes(config, folder, checkpoint)
    callbacks = [
        SafeStop(processes.forward),
        processes,
        EpochSeed(config["seed"]),
        Experiment(leaves(config), folder),
        Divergence(),
        Duration(),
        *build_section(config["callbacks"], "callbacks"),
        timer(most),
    ]
    if settings.get("enable_progress_bar", True) and not sys.stdout.isatty():
        settings["enable_progress_bar"] = False
        callbacks.append(EpochLines())
    trainer: L.Trainer = build(
        settings,
        SECTIONS["trainer"],
        default_root_dir=folder,
        callbacks=callbacks,
        logger=build_loggers(config["logger"], folder),
        # A job is requeued by the script or by submitit, who know why; Lightning would do it too.
        plugins=[WholeCheckpoints(), outside() or OwnProcesses()],
    )
    # By which loggers know the first process. Slurm's number of a task is not it where each task is a run of its own.
    rank_zero_only.rank = trainer.global_rank  # type: ignore[attr-defined]  # as Lightning itself sets it
    return trainer


def trainer_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The section `trainer`, deterministic as the run where it does not say it itself."""
    settings = dict(config["trainer"])
    if settings.get("deterministic") is None:
        settings["deterministic"] = config.get("deterministic", False)
    return settings


def build_section(section: Any, name: str) -> Sequence[Any]:
    """What the entries of a section make, such as the callbacks; null among them is left out."""
    if section is not None and not isinstance(section, Mapping):
        raise ConfigError(f"{name} must be a mapping of names and what they are, found {section}.")
    return [build(entry, ()) for entry in (section or {}).values() if entry]


def check_numbers(trainer: Mapping[str, Any]) -> None:
    """Raises ConfigError for what the Trainer would take, and stumble over when it trains."""
    for name in ("max_epochs", "max_steps", "check_val_every_n_epoch", "accumulate_grad_batches"):
        value = trainer.get(name)
        endless = name.startswith("max") and value == -1
        if value is not None and (not isinstance(value, int) or (value < 1 and not endless)):
            raise ConfigError(f"trainer.{name} must be a whole number from 1, found {value}.")
    interval = trainer.get("val_check_interval")
    if not isinstance(interval, int | float | None):
        raise ConfigError(
            f"trainer.val_check_interval must be a number of batches or a share of an epoch, found {interval}: "
            "validations by the clock would not come again where they were, in a run that is repeated or goes on."
        )


def check_owned(trainer: Mapping[str, Any]) -> None:
    """Raises ConfigError for arguments of the Trainer that a run has from elsewhere, or that take its order away."""
    for name, remedy in OWNED.items():
        if trainer.get(name):
            raise ConfigError(f"trainer.{name} is not for a run here, found {trainer[name]}: {remedy}.")


def timer(most: Any) -> Timer:
    """Ends training after the epoch in which its time, of all attempts together, has passed; None: no end."""
    try:
        found = Timer(most, interval="epoch", verbose=False)
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigError(f"trainer.max_time must be days:hours:minutes:seconds, found {most}: {error}.") from error
    if (left := found.time_remaining()) is not None and left <= 0:
        raise ConfigError(f"trainer.max_time must leave time to train, found {most}.")
    return found


def quiet_libraries() -> None:
    """Keeps Lightning's tips, and what it says twice, out of the terminal."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # the program has its own
        logger.setLevel(logging.WARNING)
    for message in QUIET:
        warnings.filterwarnings("ignore", message)
