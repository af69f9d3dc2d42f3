"""What the program tells every tracker: a Lightning logger that also has an end, pictures and results."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor

from unet_lightning.files import write_text
from unet_lightning.inference.colours import class_colours, in_colours

# By these a variable of the environment would give a run the name, or the id, of another.
NAMES_IN_ENVIRONMENT = (
    "WANDB_RUN_ID WANDB_RUN_STORAGE_ID WANDB_RESUME WANDB_RESUME_FROM WANDB_FORK_FROM WANDB_NAME WANDB_RUN_NAME "
    "WANDB_RUN_GROUP WANDB_JOB_TYPE WANDB_RUN_JOB_TYPE WANDB_SWEEP_ID WANDB_SWEEP_PARAM_PATH MLFLOW_RUN_ID"
).split()


def forget_names() -> None:
    """Takes out of the environment what would make one run in a tracker of several, before a tracker reads it."""
    for name in NAMES_IN_ENVIRONMENT:
        os.environ.pop(name, None)


@dataclass(frozen=True)
class About:
    """What a tracker is told of a run before it begins."""

    folder: Path
    config: Mapping[str, Any]  # resolved, plain; trackers get it with the commit and the run's folder
    name: str
    group: str  # of the runs that belong together: a sweep, or all runs of one name
    job_type: str  # train or evaluate
    resumable: bool = True  # whether this run may go on later: its id is then kept in the folder
    past: Sequence[Mapping[str, float]] = ()  # rows of metrics.csv, where it goes on
    trained: Path | None = None  # the folder of the run that is evaluated


class Picture(NamedTuple):
    """A photograph with what is there and what was found."""

    image_id: str
    photo: Tensor  # (3, H, W) uint8
    truth: Tensor  # (H, W) uint8, numbers of classes; len(classes) where pixels do not count
    prediction: Tensor  # the same
    classes: Sequence[str]  # background first

    def strip(self) -> Tensor:
        """Photograph, ground truth and prediction side by side, `(3, H, 3 W)` uint8; dark grey does not count."""
        colours = class_colours(len(self.classes)) if len(self.classes) > 2 else ["#000000", "#FFFFFF"]
        maps = [in_colours(map_, [*colours, "#404040"]) for map_ in (self.truth, self.prediction)]
        return torch.cat([self.photo, *maps], dim=2)


class Curve(NamedTuple):
    """A curve of an evaluation."""

    name: str
    title: str
    axes: tuple[str, str]  # their names
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Results:
    """What an evaluation found."""

    figures: dict[str, float]  # best/dice_per_image, best/dice_per_image_low (of its interval) and so on
    curves: list[Curve]
    table: str  # name of the table, such as best/per_image
    rows: list[dict[str, Any]]  # of the table, one an observer and image
    protocol: dict[str, Any]  # what was measured how
    checkpoint: Path | None = None  # of a run that is trained here


class Tracker(Logger):
    """A logger that the first process tells when its run begins and how it ended; it may show pictures and results."""

    def begin(self, about: About) -> None:
        """Starts the run, or goes on with it."""
        self.log_hyperparams(dict(about.config))

    def show(self, pictures: Sequence[Picture], step: int) -> None:
        """Shows pictures of one moment; `step` is the last optimizer step, from 0."""

    def publish(self, results: Results, step: int) -> None:
        """Shows what the run came to."""

    def end(self, exit_code: int) -> None:
        """Ends the run as `exit_code` says: 0 is success, 128 and more a signal."""
        self.finalize("success" if exit_code == 0 else "failed")


def kept_id(folder: Path, file: str) -> str | None:
    """The id under which the run of a folder is known to a tracker, or None."""
    path = folder / file
    return path.read_text(encoding="utf-8").strip() or None if path.is_file() else None


def keep_id(folder: Path, file: str, value: str) -> None:
    """Puts the id into the folder, so that a run that goes on stays one run."""
    if kept_id(folder, file) != value:
        write_text(folder / file, value + "\n")
