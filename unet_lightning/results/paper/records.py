"""What runs and evaluations have on disk beside the figures of images: bins of calibration, confusion, epochs."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from unet_lightning.errors import DataError
from unet_lightning.metrics.calibration import ReliabilityBin
from unet_lightning.results.leaderboard.entries import Entry
from unet_lightning.results.stored import METRICS
from unet_lightning.training.folder import RunFolder

CURVES = ("train/loss", "val/loss", "val/dice_per_image")


def bins_of(entry: Entry, observer: str) -> list[ReliabilityBin]:
    """The reliability diagram of an entry, over the pixels of all its runs; empty where it has no probabilities."""
    tables = [_part(run.evaluation.folder, "calibration").get(observer, []) for run in entry.runs]
    if not tables or not all(tables) or not all("auroc" in run.evaluation.pooled[observer] for run in entry.runs):
        return []
    found = []
    try:
        for places in zip(*tables, strict=True):
            pixels = [place["pixels"] for place in places]
            sums = [sum(place["pixels"] * (place[name] or 0) for place in places) for name in ("probability", "share")]
            means = [part / sum(pixels) if sum(pixels) else math.nan for part in sums]
            found.append(ReliabilityBin(float(places[0]["low"]), float(places[0]["high"]), sum(pixels), *means))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the bins of calibration of {entry.name} are broken in its {METRICS}: {error}") from error
    return found


def confusion_of(entry: Entry) -> tuple[list[str], list[list[float]]]:
    """Names of the classes, and the share of the pixels of each true class (rows) that was called each, of all runs.

    Empty where there is none, as with one class of several. Of two classes, which have no names here, it follows from
    sensitivity and specificity.
    """
    first = entry.runs[0].evaluation
    if entry.observer != "model":
        return [], []
    if not first.classes:
        found, right = entry.pooled["sensitivity"], entry.pooled["specificity"]
        return ["", ""], [[right, 1 - right], [1 - found, found]]
    try:
        tables = [torch.tensor(_part(run.evaluation.folder, "confusion")).double() for run in entry.runs]
        total = torch.stack(tables).sum(dim=0)
        shares = (total / total.sum(dim=1, keepdim=True)).tolist()
        return first.classes, [[float(one) for one in row[: len(first.classes)]] for row in shares]
    except (RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"the confusion matrix of {entry.name} is broken in its {METRICS}: {error}") from error


def epochs_of(entry: Entry) -> list[pd.DataFrame]:
    """Losses and validation Dice of the trained runs of an entry, a row an epoch, from 1."""
    homes = [RunFolder(run.evaluation.folder.parents[1]) for run in entry.runs]
    found = []
    for path in (one.path / "metrics.csv" for home in homes for one in home.jobs() or [home]):
        try:
            table = pd.read_csv(path).set_index("epoch").apply(pd.to_numeric)
        except OSError:
            continue
        except (KeyError, ValueError) as error:
            raise DataError(f"{path} is no table of epochs: {error}") from error
        table.index += 1
        found.append(table[[name for name in CURVES if name in table]])
    return found


def _part(folder: Path, name: str) -> Any:
    content = json.loads((folder / METRICS).read_text(encoding="utf-8"))  # read_stored has found it whole
    return content.get(name) or {}
