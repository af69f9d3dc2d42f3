"""An evaluation on disk, written here and read here: figures of each image, and how they were measured."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pandas as pd

from unet_lightning.errors import RunError
from unet_lightning.files import write_rows, write_text
from unet_lightning.metrics.summary import Summary

METRICS, PER_IMAGE, TABLE, PROBABILITIES = "metrics.json", "per_image.csv", "table.md", "probabilities"
# Who drew what is measured; with more than two classes `model: <class>`.
MODEL, SECOND, AGAINST_SECOND = "model", "second observer", "model against second observer"
REQUIRED = "dataset split images reference region resolution threshold threshold_source tta scale tiles networks leak"


class Leak(StrEnum):
    """Why figures of an image prove nothing: the codes that an evaluation stores, among `leak_reasons`."""

    TRAINED = "trained"
    EPOCH = "epoch"
    THRESHOLD = "threshold"

    @property
    def words(self) -> str:
        """Before the ids of images: `trained on 21, 22`."""
        return SENTENCES[self]

    @property
    def for_validation(self) -> bool:
        """Whether validation images are there for this: figures of them serve to choose, not to report."""
        return self is not Leak.TRAINED

    @classmethod
    def _missing_(cls, value: object) -> "Leak | None":
        """The reason behind the words that earlier versions stored in place of a code."""
        return next((leak for leak, words in SENTENCES.items() if words == value), None)


SENTENCES = {
    Leak.TRAINED: "trained on",
    Leak.EPOCH: "the epoch was selected on",
    Leak.THRESHOLD: "the threshold was chosen on",
}


@dataclass(frozen=True, eq=False)
class StoredEvaluation:
    """What was measured on the images of a split.

    Attributes:
        folder: where it was read.
        protocol: how it was measured.
        per_image: a row an observer and image: `observer`, `image_id`, `leak`, then figures; NaN where there is none.
        figures: names of the figures that each observer has, also of those that are NaN.
        pooled: figures over the pixels of all images, of each observer.
        leak: the images whose figures prove nothing.
        reasons: why, and for which images; None where the evaluation does not say it, or in words that are not known.
    """

    folder: Path
    protocol: Mapping[str, Any]
    per_image: pd.DataFrame
    figures: Mapping[str, list[str]]
    pooled: Mapping[str, Mapping[str, float]]
    leak: tuple[str, ...]
    reasons: Mapping[Leak, list[str]] | None

    def values(self, observer: str, figure: str) -> dict[str, float]:
        """One figure of an observer by image; NaN where an image has none, empty where nobody is called so."""
        rows = self.per_image[self.per_image["observer"] == observer]
        found = rows[figure] if figure in rows else [math.nan] * len(rows)
        return dict(zip(rows["image_id"], found, strict=True))

    @property
    def images(self) -> set[str]:
        """Ids of the images that the network was measured on."""
        return set(self.per_image["image_id"][self.per_image["observer"].str.startswith(MODEL)])

    @property
    def for_choosing(self) -> bool:
        """Whether these are validation images that no network learned from, but that chose its epoch or threshold."""
        if self.protocol["split"] != "val" or not self.leak or self.reasons is None:
            return False
        explained = {image for images in self.reasons.values() for image in images}
        return all(reason.for_validation for reason in self.reasons) and set(self.leak) <= explained


def evaluation_folder(run: Path, dataset: str, split: str) -> Path:
    """Where the evaluation of a run on the split of a data set stands."""
    return run / "evaluation" / f"{dataset}-{split}"


def stored_evaluations(run: Path) -> dict[str, Path]:
    """The finished evaluations in a run folder, by `<data set>-<split>`."""
    return {path.parent.name: path.parent for path in sorted(run.glob(f"evaluation/*/{METRICS}"))}


def write_stored(
    folder: Path,
    protocol: Mapping[str, Any],
    summaries: Mapping[str, Summary],
    image_ids: Sequence[str],
    calibration: Mapping[str, Sequence[Mapping[str, float | None]]],
) -> None:
    """Writes `per_image.csv`, then `metrics.json`, which makes the evaluation a finished one.

    Args:
        folder: of the evaluation, see `evaluation_folder`.
        protocol: how it was measured; `leak` lists images, `leak_reasons` has those of each `Leak`.
        summaries: figures by observer.
        image_ids: of the rows of each summary.
        calibration: the bins of the reliability diagram, by observer.
    """
    rows = [
        {"observer": observer, "image_id": image_id, "leak": image_id in protocol["leak"]} | row
        for observer, summary in summaries.items()
        for image_id, row in zip(image_ids, summary.per_image, strict=True)
    ]
    figures = {
        observer: {
            "mean": _for_json(summary.mean),
            "sd": _for_json(summary.sd),
            "low": _for_json({name: low for name, (low, _) in summary.interval.items()}),
            "high": _for_json({name: high for name, (_, high) in summary.interval.items()}),
            "pooled": _for_json(summary.pooled),
        }
        for observer, summary in summaries.items()
    }
    bins = {observer: [_for_json(one) for one in found] for observer, found in calibration.items()}
    write_rows(rows, folder / PER_IMAGE)
    content = {"protocol": protocol, "figures": figures, "calibration": bins}
    write_text(folder / METRICS, json.dumps(content, indent=2))


def _for_json(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Figures for JSON, which has no NaN: null where there is none, such as the SD of one image."""
    return {name: None if value is None or math.isnan(value) else value for name, value in figures.items()}


def read_stored(folder: Path) -> StoredEvaluation:
    """Reads `metrics.json` and `per_image.csv`.

    Raises:
        RunError: one of them is missing, broken, or not what `evaluate` writes.
    """
    protocol, pooled, reasons = _read_metrics(folder / METRICS)
    table, figures = _read_images(folder / PER_IMAGE)
    for observer in figures:
        images = int((table["observer"] == observer).sum())
        if observer not in pooled:
            raise _broken(folder / METRICS, f"it lacks figures of {observer}, whom {PER_IMAGE} has")
        if observer.startswith(MODEL) and images != protocol["images"]:
            raise _broken(folder / PER_IMAGE, f"{images} images of {observer}, {METRICS} has {protocol['images']}")
    leak = tuple(dict.fromkeys(table["image_id"][table["leak"]]))
    if bool(protocol["leak"]) != bool(leak):
        raise _broken(
            folder / METRICS, f"its leak is {protocol['leak']}, {PER_IMAGE} marks {', '.join(leak) or 'none'}"
        )
    return StoredEvaluation(folder, protocol, table, figures, pooled, leak, reasons)


def _read_metrics(
    path: Path,
) -> tuple[dict[str, Any], dict[str, dict[str, float]], dict[Leak, list[str]] | None]:
    """The protocol, the pooled figures of each observer, and why images leaked."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"it is no JSON ({error})") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in ("protocol", "figures")):
        raise _broken(path, "it has no protocol and figures")
    protocol = content["protocol"]
    if missing := [key for key in REQUIRED.split() if key not in protocol]:
        raise _broken(path, f"its protocol lacks {', '.join(missing)}")
    if not isinstance(protocol["networks"], list):
        raise _broken(path, "the networks of its protocol are no list")
    for network in protocol["networks"]:
        if not isinstance(network, dict) or not isinstance(network.get("checkpoint"), str):
            raise _broken(path, "a network of its protocol has no checkpoint")
    try:
        pooled = {
            observer: {name: math.nan if value is None else float(value) for name, value in figures["pooled"].items()}
            for observer, figures in content["figures"].items()
        }
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise _broken(path, "its figures have no pooled numbers") from error
    return protocol, pooled, _reasons(protocol.get("leak_reasons"))


def _reasons(stored: Any) -> dict[Leak, list[str]] | None:
    """The images behind each reason for LEAK; None for what `evaluate` does not write."""
    try:
        return {Leak(reason): list(map(str, images)) for reason, images in stored.items()}
    except (AttributeError, TypeError, ValueError):
        return None


def _read_images(path: Path) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The table of the images, and the figures that each observer has: those with a cell that is not empty."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    figures: dict[str, list[str]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            for row in reader:
                observer, image, leaked = row.pop("observer"), row.pop("image_id"), row.pop("leak")
                if None in row:  # where DictReader puts what is beyond the header
                    raise _broken(path, f"line {reader.line_num} is longer than its header")
                if leaked not in ("True", "False"):
                    raise _broken(path, f"line {reader.line_num} says {leaked!r} of leak, which is True or False")
                if (observer, image) in rows:
                    raise _broken(path, f"image {image} of {observer} stands there twice")
                numbers = {name: float(cell) for name, cell in row.items() if cell != ""}
                rows[observer, image] = {"observer": observer, "image_id": image, "leak": leaked == "True"} | numbers
                figures[observer] = list(dict.fromkeys([*figures.get(observer, []), *numbers]))
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except KeyError as error:
        raise _broken(path, f"it has no column {error}") from error
    except (ValueError, csv.Error) as error:
        raise _broken(path, f"line {reader.line_num} cannot be read ({error})") from error
    if not any(observer.startswith(MODEL) for observer in figures):
        raise _broken(path, "it has no image of the model")
    return pd.DataFrame(list(rows.values())), figures


def _broken(path: Path, found: str) -> RunError:
    """The error for a file that is not as evaluate writes it."""
    return RunError(f"Broken {path.name}: {found}, in {path}. Evaluate anew by python -m unet_lightning.evaluate.")
