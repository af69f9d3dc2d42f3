"""What a leaderboard ranks: evaluated runs, and entries of one or several of them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from unet_lightning.metrics.comparison import Values
from unet_lightning.results.leaderboard.evaluations import Evaluation
from unet_lightning.results.leaderboard.settings import Config, method

# Who drew what is measured, as evaluations call them; with more than two classes `model: <class>`.
MODEL, SECOND, AGAINST_SECOND = "model", "second observer", "model against second observer"


@dataclass(frozen=True)
class Run:
    """An evaluated run, ensemble, or folder of maps.

    Attributes:
        name: what the leaderboard calls it.
        config: of the run, or what the runs of an ensemble have in common; empty for maps of another program.
        evaluation: its figures.
        overrides: what the command line of a sweep's job changed, such as `model.base_c=16`; None where unknown.
        seconds: that its training took (of a cross-validation: the mean of its folds); NaN where unknown.
        peak_memory_mb: of its training, 10^6 bytes (of a cross-validation: the greatest); NaN where unknown.
    """

    name: str
    config: Config
    evaluation: Evaluation
    overrides: Sequence[str] | None = None
    seconds: float = math.nan
    peak_memory_mb: float = math.nan

    @property
    def seed(self) -> Any:
        """Seed of the run."""
        return self.config.get("seed")

    @property
    def fold(self) -> Any:
        """Fold of a cross-validation that the run held out, or None."""
        return self.config.get("data", {}).get("fold")

    @property
    def method(self) -> str:
        """The same text for runs that may be averaged: trained, and made into a vessel map, by one method."""
        protocol = self.evaluation.protocol
        networks = [Path(network["checkpoint"]).name for network in protocol["networks"]]
        # "validation images 25, 30" and "validation images 21, 26" are one way to find a threshold.
        found = str(protocol["threshold_source"]).partition(" images")[0]
        threshold = protocol["threshold"] if found in ("default", "given") else found
        key = [method(self.config), threshold, protocol["tta"], protocol["scale"], protocol["tiles"], networks]
        return json.dumps(key if self.config else self.name, sort_keys=True, default=str)


@dataclass(frozen=True)
class Entry:
    """A row of the leaderboard.

    Attributes:
        name: of the run, or of the runs.
        observer: who drew what is measured, as the evaluations call them.
        per_image: values by image, of each figure: means over the runs that measured the image.
        pooled: figures over the pixels of all images: means over the runs.
        runs: those behind it; none for the second observer.
        settings: the values of its config in which the entries differ.
        against_second: Dice per image against the second observer; NaN where that is not known.
        leak: images that a network behind it was trained or selected on.
    """

    name: str
    observer: str
    per_image: Mapping[str, Values]
    pooled: Mapping[str, float]
    runs: Sequence[Run] = ()
    settings: Sequence[str] = ()
    against_second: float = math.nan
    leak: Sequence[str] = ()

    @property
    def human(self) -> bool:
        """Whether a person drew what is measured."""
        return not self.runs

    @property
    def images(self) -> set[str]:
        """Ids of the images measured."""
        return {image for values in self.per_image.values() for image in values}

    @property
    def counts(self) -> dict[str, int]:
        """How many seeds, folds and runs were averaged, and how many networks answer as one."""
        seeds, folds = {run.seed for run in self.runs} - {None}, {run.fold for run in self.runs} - {None}
        networks = max((len(run.evaluation.protocol["networks"]) for run in self.runs), default=0)
        return {"seeds": len(seeds), "folds": len(folds), "runs": len(self.runs), "networks": networks}

    @property
    def for_choosing(self) -> bool:
        """Whether all that speaks against its figures is that validation images chose its epoch or threshold."""
        return bool(self.leak) and all(run.evaluation.for_choosing for run in self.runs if run.evaluation.leak)

    @property
    def seconds(self) -> float:
        """Mean over the runs that know how long they trained; NaN where none does."""
        known = [run.seconds for run in self.runs if not math.isnan(run.seconds)]
        return fmean(known) if known else math.nan

    @property
    def peak_memory_mb(self) -> float:
        """Greatest of the runs, 10^6 bytes; NaN where none knows."""
        return max((run.peak_memory_mb for run in self.runs if not math.isnan(run.peak_memory_mb)), default=math.nan)

    def protocol(self, key: str) -> list[Any]:
        """The values of a protocol key, each once, in the order of the runs."""
        values = [run.evaluation.protocol.get(key) for run in self.runs]
        return [value for number, value in enumerate(values) if value not in values[:number]]
