"""What trackers are told of a run: its beginning, its end, and what came of it."""

import csv
import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from unet_lightning.errors import ConfigError, RunError, UserError, one_line
from unet_lightning.specs import build, find
from unet_lightning.text import published, shown, without_secrets
from unet_lightning.training.folder import SWEEP
from unet_lightning.training.provenance import commit
from unet_lightning.training.trackers.tracker import About, Results, Tracker

log = logging.getLogger(__name__)


def build_loggers(section: dict[str, Any] | None, folder: Path) -> list[Logger]:
    """The loggers of a config, with their files in a folder where they keep any."""
    loggers = []
    for spec in filter(None, (section or {}).values()):
        target = spec.get("_target_") if isinstance(spec, Mapping) else None
        taken = inspect.signature(find(str(target), ())).parameters if target else {}
        keeps = "save_dir" in taken or any(one.kind == one.VAR_KEYWORD for one in taken.values())
        loggers.append(build(spec, (), **({"save_dir": str(folder)} if keeps else {})))
    return loggers


@rank_zero_only
def begin(loggers: Sequence[Logger], about: About) -> None:
    """Tells each logger what begins or goes on; UserError where one has no account, network or package.

    Others read it: of the config no secrets and no folders of this machine.
    """
    config: dict[str, Any] = without_secrets(about.config, published)
    about = replace(about, config=config | {"commit": commit(), "run_folder": title_of(about.folder)})
    for logger in loggers:
        try:
            if isinstance(logger, Tracker):
                logger.begin(about)
            else:
                logger.log_hyperparams(dict(about.config))
        except UserError:
            raise
        except Exception as error:  # each library has errors of its own
            said = " ".join(str(error).split())
            raise ConfigError(
                f"{type(logger).__name__} cannot start: {said} W&B works without a network by "
                "logger.wandb.mode=offline; logger=csv needs nothing."
            ) from error


@rank_zero_only
def end(loggers: Sequence[Logger], exit_code: int) -> None:
    """Tells each logger how it ended; what one cannot do any more does not keep the others from it."""
    for logger in loggers:
        try:
            if isinstance(logger, Tracker):
                logger.end(exit_code)
            else:
                logger.finalize("success" if exit_code == 0 else "failed")
        except Exception as error:
            log.warning(f"{type(logger).__name__} did not end well: {error}")


@rank_zero_only
def show_results(loggers: Sequence[Logger], results: Results, step: int) -> None:
    """Gives the results to each logger; the run folder has them already, so that a logger's fault is only told."""
    for logger in loggers:
        try:
            if isinstance(logger, Tracker):
                logger.publish(results, step)
            else:
                logger.log_metrics(results.figures, step)
        except Exception as error:
            log.warning(f"{type(logger).__name__} does not show the results: {error}")


def title_of(folder: Path) -> str:
    """The last two parts of the path of a run, such as `quick/2026-01-31_12-00-00`."""
    return shown("/".join(folder.parts[-2:]))


def group_of(folder: Path, name: str) -> str:
    """`<name>/<folder of the sweep>` for a job of a sweep and for a sweep, else `name`."""
    for sweep in (folder, folder.parent):
        if (sweep / SWEEP).is_file():
            return shown(f"{name}/{sweep.name}")
    return shown(name)


def past_rows(folder: Path) -> list[dict[str, float]]:
    """The rows of metrics.csv, without empty cells; RunError where another program has changed the file."""
    path = folder / "metrics.csv"
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    except (ValueError, TypeError, csv.Error) as error:
        raise RunError(
            f"{path} is not as training wrote it: {one_line(error)}. Take it away: it comes anew from the checkpoint."
        ) from error
