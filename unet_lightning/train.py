"""Trains a network: `python -m unet_lightning.train model.bilinear=false`."""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from unet_lightning.commandline import has_outside_ranks, outside_rank, shown, typed
from unet_lightning.errors import ConfigError, RunError, UserError, one_line
from unet_lightning.program import CONF, one_line_errors, plain, quiet_libraries
from unet_lightning.repeats import own_arguments
from unet_lightning.sweeps import plugins
from unet_lightning.sweeps.jobs import Refused, in_sweep, pruning_for, recorded
from unet_lightning.sweeps.record import is_sweep
from unet_lightning.sweeps.sweeper import check_single, go_on

if TYPE_CHECKING:
    import lightning as L

    from unet_lightning.data.datamodule import SegmentationDataModule
    from unet_lightning.task import SegmentationTask
    from unet_lightning.training.folder import RunFolder
    from unet_lightning.training.record import Present

log = logging.getLogger(__name__)


@one_line_errors
def train_config(cfg: DictConfig) -> float | Refused | None:
    """Trains one configuration; a sweep calls it for each job and may use what it returns.

    Returns:
        the best validation figure, or None where validation is off or a job of a sweep failed.

    Raises:
        UserError: shown as one line; the exit code is 1.
    """
    folder, overrides = Path(HydraConfig.get().runtime.output_dir), HydraConfig.get().overrides
    if in_sweep():
        return recorded(lambda: job(cfg, folder), folder, outside_rank(), has_outside_ranks())
    if cfg.resume and is_sweep(Path(cfg.resume)):
        go_on(Path(cfg.resume), [*overrides.hydra, *overrides.task], train_config)
        return None
    check_single([*overrides.hydra, *overrides.task])
    return job(cfg, folder)


main = hydra.main(version_base="1.3", config_path=CONF, config_name="train")(train_config)


def job(cfg: DictConfig, folder: Path) -> float | None:
    """Begins the run of a configuration in a folder, or goes on with it."""
    from unet_lightning.training.folder import RunFolder
    from unet_lightning.training.ranks import after_the_first

    quiet_libraries()
    wish = "auto" if in_sweep() else cfg.resume
    cfg.resume = None  # config.yaml describes the run, not this command
    config = plain(cfg)
    config.pop("sweep", None)  # how to search is no part of a run
    rank = outside_rank(config["trainer"])
    with after_the_first(folder, rank):
        return begin(RunFolder(folder), config, wish, rank)


def begin(run: "RunFolder", config: dict[str, Any], wish: str | None, rank: int) -> float | None:
    """Trains, unless the folder holds the whole run already.

    Args:
        run: where.
        config: resolved.
        wish: whether to go on with the run that is there: None, `auto` or its folder.
        rank: of this process, where srun or torchrun gave it one; the folder is the first one's, to begin or discard.
    """
    from unet_lightning.training.state import read_state

    if not config["data"]["root"]:
        if not rank:
            run.discard_empty()
        raise ConfigError("data.root is empty: set it to the folder of the data set.")
    for section, name in (("data", "root"), ("model", "weights")):  # later programs may start elsewhere
        if config[section].get(name):
            config[section][name] = str(Path(config[section][name]).absolute())
    goes_on = wish is not None and run.config_file.exists()
    if wish == "auto" and goes_on:
        state = read_state(run.path)
        # The first rank may have begun the run by now; the ranks compare their configurations when they meet.
        if not (rank and state is not None and state.state == "running"):
            run.check_same(config)
        if state is not None and state.state in ("done", "pruned"):
            log.info(f"{run.path} is {state.state} already.")
            return state.value
    return train(run, config, goes_on, rank)


def train(run: "RunFolder", config: dict[str, Any], goes_on: bool, rank: int) -> float | None:
    """Trains, measures the best network on the validation images, and says what comes next.

    Args:
        run: where.
        config: resolved.
        goes_on: whether the folder holds this run already.
        rank: of this process, where srun or torchrun gave it one.
    """
    from unet_lightning.models.weights import load_weights
    from unet_lightning.training.build import assemble
    from unet_lightning.training.callbacks.divergence import Diverged
    from unet_lightning.training.callbacks.ranks import Ranks
    from unet_lightning.training.callbacks.stop import SafeStop
    from unet_lightning.training.loggers import close_loggers, start_loggers
    from unet_lightning.training.ranks import own_ranks
    from unet_lightning.training.record import Present, Record, outcome
    from unet_lightning.training.trained import check_checkpoint

    measured = config.get("score", False)
    checkpoint = run.last if goes_on and run.last.is_file() else None
    ranks, present = Ranks(f"{run.as_written(config)}{checkpoint}", str(run.path)), Present(run)
    stop = SafeStop(ranks.forward)
    try:  # whatever is wrong comes up before the folder becomes a run
        data, task, trainer = assemble(config, checkpoint is None, [stop, ranks, present])
        if (pruning := pruning_for(run.path)) is not None:
            trainer.callbacks.append(pruning)  # type: ignore[attr-defined]  # after all that write
        if checkpoint is not None:
            check_checkpoint(checkpoint, trainer.max_steps)
            load_weights(task.network, checkpoint)  # says what does not fit; Lightning loads all of it again
        elif trainer.is_global_zero:
            run.claim(goes_on)
    except UserError:
        if not rank:
            run.discard_empty()
        raise
    overrides = list(HydraConfig.get().overrides.task)
    with stop.listen(), Record(run, trainer, overrides, present, goes_on) as record:
        if trainer.is_global_zero:
            ranks.give_up = record.give_up
        ended: BaseException | None = None
        try:
            if trainer.is_global_zero:
                run.write_config(config)
                run.write_provenance(config, typed(), overrides)
                if not goes_on and not in_sweep():
                    run.link_latest(config["name"])
                elif goes_on and checkpoint is None:
                    log.info(f"{shown(run.path)} has no checkpoint yet: it starts from the beginning.")
                log.info(describe(task, data))
            with stop.named(trainer), ranks.guard(trainer), own_ranks(run.path):
                start_loggers(trainer, config, run)
                fit(trainer, task, data, checkpoint, present)
                stop.check()
                if measured and trainer.is_global_zero:
                    score(run, config, trainer)
        except BaseException as error:
            ended = error
            ended_for_good = isinstance(error, Diverged) or outcome(error)[0] == "pruned" or record.refused(error)
            if trainer.is_global_zero and run.config_file.is_file() and not ended_for_good:
                log.info(how_to_go_on(run))
            raise
        finally:
            close_loggers(trainer, outcome(ended)[1])
    return report(trainer, run.path)


def fit(
    trainer: "L.Trainer",
    task: "SegmentationTask",
    data: "SegmentationDataModule",
    checkpoint: Path | None,
    present: "Present",
) -> None:
    """Trains, from a checkpoint where there is one.

    Raises:
        RunError: the checkpoint does not hold what it takes to go on.
    """
    try:
        trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)
    except Exception as error:
        if checkpoint is None or present.trains or isinstance(error, UserError):
            raise
        log.debug("What Lightning said:", exc_info=True)
        raise RunError(
            f"The run cannot go on from {checkpoint}: {one_line(error)}. Where another program has changed it, begin a "
            "new run with model.weights set to it."
        ) from error


def how_to_go_on(run: "RunFolder") -> str:
    """What to do about a run that ended early: the last whole epoch is kept."""
    folder = shown(run.path.parent if in_sweep() else run.path)
    kept = "Kept: the last whole epoch." if run.last.is_file() else "No epoch was complete."
    return f"{kept} Go on: python -m unet_lightning.train resume={folder}"


def describe(task: "SegmentationTask", data: "SegmentationDataModule") -> str:
    """What is trained on what."""
    size = sum(parameter.numel() for parameter in task.network.parameters())
    train, val = data.photographs("train"), data.photographs("val")
    return (
        f"{type(task.network).__name__} with {size:,} parameters on {train.name}: {len(train)} images to train, "
        f"{len(val)} to validate"
    )


def score(run: "RunFolder", config: dict[str, Any], trainer: "L.Trainer") -> None:
    """Measures the best network on the validation images, as `evaluate split=val` does, for sweeps and dashboards."""
    from unet_lightning.results.networks import NetworkSource, Passing
    from unet_lightning.results.results import cell, protocol_of, write_evaluation
    from unet_lightning.results.scores import evaluate_maps
    from unet_lightning.training.loggers import publish

    if not run.best.is_file():  # nothing is validated on
        return
    device = "cpu" if trainer.strategy.root_device.type == "cpu" else "auto"
    source = NetworkSource(run.path, {}, "best", Passing(device=device))
    maps = source.maps("val")
    evaluation = evaluate_maps(maps, source.threshold(maps, None))
    write_evaluation(evaluation, source, report=False, shown=False)
    figure = cell(evaluation.observers[evaluation.names[0]], leak=False)
    log.info(f"Best network on {len(maps.dataset)} validation images: {figure} Dice per image")
    publish(trainer, evaluation, protocol_of(evaluation, source), run)


def report(trainer: "L.Trainer", folder: Path) -> float | None:
    """Says what came out and what comes next; returns the best validation figure."""
    checkpoint = trainer.checkpoint_callback
    best = getattr(checkpoint, "best_model_score", None)
    if trainer.is_global_zero:
        if best is not None:
            log.info(f"Best {getattr(checkpoint, 'monitor', '')}: {float(best):.4f}")
        log.info(f"Run folder: {shown(folder)}")
        log.info(f"Evaluate it: python -m unet_lightning.evaluate run={shown(folder)}")
    return None if best is None else float(best)


@one_line_errors
def cli() -> None:
    """The program: the command line, then Hydra."""
    plugins.register()
    sys.argv[1:] = own_arguments(sys.argv[1:])
    main()


if __name__ == "__main__":
    cli()
