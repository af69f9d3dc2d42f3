"""Trains a network: `python -m unet_lightning.train model.bilinear=false`."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from unet_lightning.errors import ConfigError, UserError
from unet_lightning.launch import (
    CONF,
    instantiate,
    one_line_errors,
    plain,
    quiet_libraries,
    resume_arguments,
    standalone_job,
)

if TYPE_CHECKING:
    import lightning as L

    from unet_lightning.data.datamodule import RetinalDataModule
    from unet_lightning.runfolder import RunFolder
    from unet_lightning.task import VesselSegmentationTask

log = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path=CONF, config_name="train")
@one_line_errors
def main(cfg: DictConfig) -> float | None:
    """Trains one configuration; a sweep calls it for each job and may use what it returns.

    Returns:
        the best validation figure, or None where validation is off.

    Raises:
        UserError: shown as one line; the exit code is 1.
    """
    from unet_lightning.runfolder import RunFolder

    quiet_libraries()
    run = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    resumed = cfg.resume is not None
    cfg.resume = None  # config.yaml describes the run, not this command
    config = plain(cfg)
    checkpoint = last_checkpoint(run) if resumed else None
    try:  # whatever is wrong comes up before the folder becomes a run
        if not config["data"]["root"]:
            raise ConfigError("data.root is empty: set it to the folder of the data set.")
        config["data"]["root"] = str(Path(config["data"]["root"]).absolute())  # later programs may start elsewhere
        data, task, trainer = assemble(config, fresh=checkpoint is None)
        if trainer.is_global_zero and not resumed:
            run.claim()
    except UserError:
        run.discard_empty()
        raise
    if trainer.is_global_zero:
        run.write_config(config)
        if not resumed:
            run.link_latest(cfg.name)
        log.info(describe(task, data))
    start_loggers(trainer, config)
    succeeded = False
    try:
        with standalone_job():
            trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)
        succeeded = True
    finally:
        close_loggers(trainer, succeeded)
    return report(trainer, run.path)


def assemble(config: dict[str, Any], fresh: bool) -> "tuple[RetinalDataModule, VesselSegmentationTask, L.Trainer]":
    """Data, task and Trainer of a config, seeded and checked against one another.

    Args:
        config: resolved.
        fresh: no checkpoint follows, so that `model.weights` is where training begins.

    Raises:
        UserError: any of them is wrong, or they do not go together.
    """
    import lightning as L

    seed = config["seed"]
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be a whole number from 0 to 2^32 - 1, found {seed}.")
    L.seed_everything(seed, workers=True, verbose=False)
    data: RetinalDataModule = instantiate(config["data"], "data")
    task = build_task(config if fresh else config | {"model": config["model"] | {"weights": None}})
    data.setup("fit")
    assert data.train is not None
    task.rehearse(data.train.classes)
    data.inherit(task.weights_from)
    trainer = build_trainer(config)
    data.check_processes(trainer.world_size)
    return data, task, trainer


def last_checkpoint(run: "RunFolder") -> Path | None:
    """Where to go on from; None, from the beginning, where the run was stopped in its first epoch."""
    if run.last.is_file():
        return run.last
    log.info(f"{run.path} has no checkpoint yet: it starts from the beginning.")
    return None


def describe(task: "VesselSegmentationTask", data: "RetinalDataModule") -> str:
    """What is trained on what."""
    size = sum(parameter.numel() for parameter in task.network.parameters())
    train, val = data.photographs("train"), data.photographs("val")
    return (
        f"{type(task.network).__name__} with {size:,} parameters on {train.name}: {len(train)} images to train, "
        f"{len(val)} to validate"
    )


def build_task(config: dict[str, Any]) -> "VesselSegmentationTask":
    """The LightningModule of a config, with the weights of `model.weights` where given."""
    from unet_lightning.models.weights import load_weights
    from unet_lightning.task import VesselSegmentationTask

    model = dict(config["model"])
    weights = model.pop("weights", None)  # a checkpoint has its own
    task = VesselSegmentationTask(
        model, config["loss"], config["optimizer"], config["scheduler"] or None, config["channels_last"]
    )
    if weights is not None:
        task.weights_from = load_weights(task.network, Path(weights))
    return task


def build_trainer(config: dict[str, Any]) -> "L.Trainer":
    """The Trainer of a config with its callbacks and loggers."""
    callbacks = [instantiate(spec, f"callbacks.{name}") for name, spec in config["callbacks"].items() if spec]
    loggers = [instantiate(spec, f"logger.{name}") for name, spec in config["logger"].items() if spec]
    trainer: L.Trainer = instantiate(config["trainer"], "trainer", callbacks=callbacks, logger=loggers)
    return trainer


def start_loggers(trainer: "L.Trainer", config: dict[str, Any]) -> None:
    """Gives each logger the config, which starts it.

    Raises:
        ConfigError: one cannot start: no account, no network, no package.
    """
    for logger in trainer.loggers:
        try:
            logger.log_hyperparams(config)
        except Exception as error:  # each logger has errors of its own
            raise ConfigError(
                f"{type(logger).__name__} cannot start: {error} W&B works without an account by "
                "logger.wandb.mode=offline; logger=csv needs none."
            ) from error


def close_loggers(trainer: "L.Trainer", succeeded: bool) -> None:
    """Ends the W&B run with its state, so that the next job of a sweep gets its own."""
    from lightning.pytorch.loggers import WandbLogger

    for logger in trainer.loggers:
        logger.finalize("success" if succeeded else "failed")
        if isinstance(logger, WandbLogger) and trainer.is_global_zero:
            logger.experiment.finish(exit_code=0 if succeeded else 1)


def report(trainer: "L.Trainer", folder: Path) -> float | None:
    """Says what came out and what comes next; returns the best validation figure."""
    checkpoint = trainer.checkpoint_callback
    best = getattr(checkpoint, "best_model_score", None)
    if trainer.is_global_zero:
        shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
        if best is not None:
            log.info(f"Best {getattr(checkpoint, 'monitor', '')}: {float(best):.4f}")
        log.info(f"Run folder: {shown}")
        log.info(f"Evaluate it: python -m unet_lightning.evaluate run={shown}")
    return None if best is None else float(best)


@one_line_errors
def cli() -> None:
    """The program: the command line, then Hydra."""
    sys.argv[1:] = resume_arguments(sys.argv[1:])
    main()


if __name__ == "__main__":
    cli()
