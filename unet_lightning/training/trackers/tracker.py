"""What the program tells every tracker: a Lightning logger that also has an end, pictures and results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor

from unet_lightning.files import write_text


@dataclass(frozen=True)
class About:
    """What a tracker is told of a run before it begins.

    Attributes:
        folder: of the run.
        config: resolved, plain, with the commit and the run's folder.
        name: of the run.
        group: of the runs that belong together: a sweep, or all runs of one name.
        job_type: `train` or `evaluate`.
        resumable: whether this run may go on later: its id is then kept in the folder.
        past: rows of metrics.csv, where it goes on.
        trained: the folder of the run that is evaluated.
    """

    folder: Path
    config: Mapping[str, Any]
    name: str
    group: str
    job_type: str
    resumable: bool = True
    past: Sequence[Mapping[str, float]] = ()
    trained: Path | None = None


class Picture(NamedTuple):
    """A photograph with what is there and what was found.

    Attributes:
        image_id: the data set's name for it.
        photo: `(3, H, W)` uint8.
        truth: `(H, W)` uint8, numbers of classes; `len(classes)` where pixels do not count.
        prediction: the same.
        classes: names, background first.
    """

    image_id: str
    photo: Tensor
    truth: Tensor
    prediction: Tensor
    classes: Sequence[str]

    def strip(self) -> Tensor:
        """Photograph, ground truth and prediction side by side, `(3, H, 3 W)` uint8; dark grey does not count."""
        greys = [round(255 * number / (len(self.classes) - 1)) for number in range(len(self.classes))]
        levels = torch.tensor([*greys, 64], dtype=torch.uint8)
        maps = [levels[map_.long()].expand(3, -1, -1) for map_ in (self.truth, self.prediction)]
        return torch.cat([self.photo, *maps], dim=2)


class Curve(NamedTuple):
    """A curve of an evaluation: a name, a title, the names of its axes, and its points."""

    name: str
    title: str
    axes: tuple[str, str]
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Results:
    """What an evaluation found.

    Attributes:
        figures: by name, such as `best/dice_per_image`, with the ends of its interval, `best/dice_per_image_low`.
        curves: precision over recall, and calibration.
        table: name of the table, such as `best/per_image`.
        rows: of the table, one an observer and image.
        protocol: what was measured how.
        checkpoint: the file, of a run that is trained here.
    """

    figures: dict[str, float]
    curves: list[Curve]
    table: str
    rows: list[dict[str, Any]]
    protocol: dict[str, Any]
    checkpoint: Path | None = None


class Tracker(Logger):
    """A logger that is told when its run begins and how it ended; it may show pictures and results."""

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
