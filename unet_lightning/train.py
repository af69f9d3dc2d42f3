"""Trains a network: `python -m unet_lightning.train model.bilinear=false`."""

import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from unet_lightning import request
from unet_lightning.errors import OtherRun, UserError
from unet_lightning.program import CONF, one_line_errors, plain, trust_command_line
from unet_lightning.sweeps import plugins
from unet_lightning.sweeps.jobs import callbacks_for, in_sweep, recorded
from unet_lightning.sweeps.record import is_sweep
from unet_lightning.sweeps.sweeper import check_single, go_on
from unet_lightning.text import at_home

log = logging.getLogger(__name__)


@one_line_errors
def train_config(cfg: DictConfig) -> float | OtherRun | None:
    """Trains one configuration, and returns its best validation figure, which a sweep may use of each job.

    None where validation is off, or a job of a sweep failed.
    """
    from unet_lightning.training.processes import outside, outside_rank

    composed, folder = plain(cfg), Path(HydraConfig.get().runtime.output_dir)
    if in_sweep():
        rank, several = outside_rank(composed["trainer"]), outside() is not None
        return recorded(lambda: job(composed, folder), folder, rank, several)
    try:
        overrides = [*HydraConfig.get().overrides.hydra, *HydraConfig.get().overrides.task]
        if is_sweep(folder):
            go_on(folder, overrides, train_config)
            return None
        check_single(overrides)
        return job(composed, folder)
    except UserError:
        request.discard(folder)
        raise


main = hydra.main(version_base="1.3", config_path=CONF, config_name="train")(train_config)


def job(composed: dict[str, Any], folder: Path) -> float | None:
    """Trains a configuration in a folder, or goes on with the run there; measures its best network on validation."""
    from unet_lightning.commands import shell_path
    from unet_lightning.training.attempt import Attempt
    from unet_lightning.training.auto import said, sized, timed
    from unet_lightning.training.build import build_run
    from unet_lightning.training.folder import RunFolder
    from unet_lightning.training.measurable import command_of
    from unet_lightning.training.processes import after_the_first, outside_rank
    from unet_lightning.training.run import describe, train
    from unet_lightning.training.trackers.tracker import forget_names

    if in_sweep():  # each job is a run of its own
        forget_names()
    trust_command_line(composed)
    run = RunFolder(folder)
    config, kind = request.understand(composed, run)
    rank = outside_rank(config["trainer"])
    with after_the_first(folder, rank):
        if kind == "requeued" and (ended := request.ended(run, config, rank)) is not None:
            log.info(f"{run.path} is {ended.state} already.")
            return ended.value
        checkpoint = run.last if kind in ("resumed", "requeued") and run.last.is_file() else None
        # What is wrong comes up before the folder is a run.
        config, chosen = sized(config)
        if chosen and not rank:
            for words in chosen:
                log.info(words)
        callbacks = {**(config["callbacks"] or {}), **callbacks_for(folder, (composed["sweep"] or {}).get("storage"))}
        built, data, task, trainer = build_run(config | {"callbacks": callbacks}, folder, checkpoint)
        if chosen and not rank:
            log.info(f"The same once more: {request.command_with([*chosen, *timed(config, built)])}")
        config = built | {"callbacks": config["callbacks"]}
        attempt = Attempt(run, config, kind, trainer, *request.typed(), sweep=folder.parent if in_sweep() else None)
        if checkpoint is None and trainer.is_global_zero:
            run.check_room(attempt.goes_on)
        rehearsal = config["trainer"].get("fast_dev_run")  # of a few batches; Lightning keeps no checkpoint of it
        best = None  # of a trial that is pruned
        with attempt.running():
            if trainer.is_global_zero:
                for words in (describe(task, data), *said(config, data.photographs("train").classes)):
                    log.info(words)
            best = train(data, task, trainer, checkpoint)
            if trainer.is_global_zero and not rehearsal:
                run.check_trained()
            if config["score"] and trainer.is_global_zero and run.best.is_file():
                from unet_lightning.results.published import score_best

                score_best(run, trainer)
        if trainer.is_global_zero:
            if best is not None:
                monitor = getattr(trainer.checkpoint_callback, "monitor", "")
                log.info(f"Best {monitor}: {best:.4f} (on the images that chose the epoch)")
            log.info(f"Run folder: {shell_path(folder)}")
            if rehearsal:
                log.info("No checkpoint was kept (trainer.fast_dev_run): there is nothing to evaluate.")
            elif evaluate := command_of(data, folder):
                log.info(f"Evaluate it: {evaluate}")
            else:
                log.info("All images were trained on, so that none is left to measure it on.")
        return best


@one_line_errors
def cli() -> None:
    """The program: the command line, then Hydra."""
    plugins.register()
    request.register_resolver()
    sys.argv[1:] = at_home(sys.argv[1:])
    request.check_flags(sys.argv[1:])
    # Hydra takes -m before the values alone.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in request.SEVERAL)
    main()


class Program(ModuleType):
    """This module, which Python puts in the place of the package's function `train` where both are imported."""

    def __call__(self, *args: Any, **named: Any) -> float | None:
        """See `unet_lightning.api.train`."""
        from unet_lightning import api

        return api.train(*args, **named)


sys.modules[__name__].__class__ = Program

if __name__ == "__main__":
    cli()
