"""Reads the folder that an evaluation wrote: figures of each image, and how they were measured."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unet_lightning.errors import RunError

METRICS, PER_IMAGE = "metrics.json", "per_image.csv"
# What a leaderboard reads of the protocol.
STAMP = (
    "dataset split images reference region resolution threshold threshold_source tta scale tiles networks leak".split()
)
# Reasons for LEAK that are what validation is for: see results/networks.py.
CHOSEN_BY_VALIDATION = ("the epoch was selected on", "the threshold was chosen on")
AGAIN = "Evaluate anew by python -m unet_lightning.evaluate"


@dataclass(frozen=True)
class Evaluation:
    """What was measured on the images of a split.

    Attributes:
        folder: where it was read.
        protocol: how it was measured.
        per_image: figures by name, of each image, of each observer (`model`, `second observer`, ...); a figure that
            an observer does not have is left out.
        pooled: figures over the pixels of all images, of each observer.
        leak: images that the network was trained or selected on.
    """

    folder: Path
    protocol: Mapping[str, Any]
    per_image: Mapping[str, Mapping[str, Mapping[str, float]]]
    pooled: Mapping[str, Mapping[str, float]]
    leak: tuple[str, ...]

    def values(self, observer: str, figure: str) -> dict[str, float]:
        """One figure of an observer by image; NaN where an image has none."""
        return {image: row.get(figure, math.nan) for image, row in self.per_image.get(observer, {}).items()}

    @property
    def images(self) -> set[str]:
        """Ids of the images that the network was measured on."""
        return {image for name, rows in self.per_image.items() if name.startswith("model") for image in rows}

    @property
    def for_choosing(self) -> bool:
        """Whether these are validation images that the network has not learned from, but that chose its epoch.

        An evaluation of an earlier version does not say why its images leaked: then no.
        """
        reasons = self.protocol.get("leak_reasons")
        if self.protocol["split"] != "val" or not self.leak or not isinstance(reasons, Mapping):
            return False
        explained = {image for images in reasons.values() for image in images}
        return all(reason in CHOSEN_BY_VALIDATION for reason in reasons) and set(self.leak) <= explained

    def figures(self, observer: str) -> list[str]:
        """Names of the observer's figures."""
        return list(dict.fromkeys(name for row in self.per_image.get(observer, {}).values() for name in row))


def evaluations(folder: Path) -> dict[str, Path]:
    """The finished evaluations in a run folder, by `<data set>-<split>`."""
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"evaluation/*/{METRICS}"))}


def read_evaluation(folder: Path) -> Evaluation:
    """Reads `metrics.json` and `per_image.csv`.

    Raises:
        RunError: one of them is missing, broken, or not what `evaluate` writes.
    """
    protocol, pooled = _read_metrics(folder / METRICS)
    per_image, leak = _read_images(folder / PER_IMAGE)
    for observer, rows in per_image.items():
        if observer not in pooled:
            raise _broken(folder / METRICS, f"it lacks figures of {observer}, whom {PER_IMAGE} has")
        if observer.startswith("model") and len(rows) != protocol["images"]:
            raise _broken(folder / PER_IMAGE, f"{len(rows)} images of {observer}, {METRICS} has {protocol['images']}")
    if bool(protocol["leak"]) != bool(leak):
        raise _broken(
            folder / METRICS, f"its leak is {protocol['leak']}, {PER_IMAGE} marks {', '.join(leak) or 'none'}"
        )
    return Evaluation(folder, protocol, per_image, pooled, tuple(leak))


def _read_metrics(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """The protocol, and the pooled figures of each observer."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"it is no JSON ({error})") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in ("protocol", "figures")):
        raise _broken(path, "it has no protocol and figures")
    missing = [key for key in STAMP if key not in content["protocol"]]
    if missing:
        raise _broken(path, f"its protocol lacks {', '.join(missing)}")
    if not isinstance(content["protocol"]["networks"], list):
        raise _broken(path, "the networks of its protocol are no list")
    if not all(
        isinstance(network, dict) and isinstance(network.get("checkpoint"), str)
        for network in content["protocol"]["networks"]
    ):
        raise _broken(path, "a network of its protocol has no checkpoint")
    try:
        pooled = {observer: _numbers(figures["pooled"]) for observer, figures in content["figures"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _broken(path, "its figures have no pooled numbers") from error
    return content["protocol"], pooled


def _numbers(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Figures of JSON, which writes null for NaN."""
    return {name: math.nan if value is None else float(value) for name, value in figures.items()}


def _read_images(path: Path) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, None]]:
    """Figures by observer and image, and the images that leaked."""
    per_image: dict[str, dict[str, dict[str, float]]] = {}
    leak: dict[str, None] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            for row in reader:
                observer, image, leaked = row.pop("observer"), row.pop("image_id"), row.pop("leak")
                if None in row:  # where DictReader puts what is beyond the header
                    raise _broken(path, f"line {reader.line_num} is longer than its header")
                if leaked not in ("True", "False"):
                    raise _broken(path, f"line {reader.line_num} says {leaked!r} of leak, which is True or False")
                if image in per_image.setdefault(observer, {}):
                    raise _broken(path, f"image {image} of {observer} stands there twice")
                per_image[observer][image] = {name: float(cell) for name, cell in row.items() if cell != ""}
                leak |= {image: None} if leaked == "True" else {}
    except OSError as error:
        raise _broken(path, error.strerror or str(error)) from error
    except KeyError as error:
        raise _broken(path, f"it has no column {error}") from error
    except (ValueError, csv.Error) as error:
        raise _broken(path, f"line {reader.line_num} cannot be read ({error})") from error
    if not any(observer.startswith("model") for observer in per_image):
        raise _broken(path, "it has no image of the model")
    return per_image, leak


def _broken(path: Path, found: str) -> RunError:
    """The error for a file that is not as evaluate writes it."""
    return RunError(f"Broken {path.name}: {found}, in {path}. {AGAIN}.")
