"""Probability maps of a split, and what makes vessels of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.errors import ConfigError
from unet_lightning.specs import SECTIONS, build

USUAL_THRESHOLD = 0.5


@dataclass(frozen=True)
class Maps:
    """Probability maps of the photographs of one split.

    Attributes:
        dataset: the photographs.
        split: their name in the protocol.
        probabilities: `(C - 1, H, W)` float32 for each photograph, of each class but the background.
        leak: why figures of an image prove nothing: reason to image ids.
    """

    dataset: SegmentationDataset
    split: str
    probabilities: list[Tensor]
    leak: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold:
    """From which probability on a pixel is a vessel, for each photograph, and where that was taken from."""

    values: list[float]
    source: str

    @property
    def shown(self) -> float | str:
        """One number, or the range of several."""
        low, high = min(self.values), max(self.values)
        return low if low == high else f"{low} to {high}"


class Source(Protocol):
    """Gives maps, thresholds and what a protocol says of them."""

    folder: Path

    def splits(self, split: str | None) -> list[str]:
        """The splits to measure where the command names one, or none."""

    def maps(self, split: str) -> Maps:
        """The maps of a split."""

    def threshold(self, maps: Maps, given: float | str | None) -> Threshold:
        """The threshold for `maps`: a number, `val` or None, the usual one."""

    def stamp(self) -> dict[str, Any]:
        """What the protocol says of where the maps come from."""


def open_photographs(config: Mapping[str, Any], split: str) -> SegmentationDataset:
    """The photographs of a split of a `data` section.

    Raises:
        ConfigError: there is none.
    """
    dataset: SegmentationDataset = build(dict(config), SECTIONS["data"]).photographs(split)
    if not len(dataset):
        raise ConfigError(f"The {split} split of {dataset.name} has no image.")
    return dataset


def check_two_classes(dataset: SegmentationDataset) -> None:
    """Raises ConfigError where there is no single class that a threshold could decide on."""
    if len(dataset.classes) > 2:
        raise ConfigError(
            f"A threshold decides between two classes, {dataset.name} has {len(dataset.classes)}: each pixel gets its "
            "most probable class, leave threshold out."
        )


def fixed_threshold(given: float | str | None, images: int) -> Threshold:
    """The number given, or the usual one."""
    value = USUAL_THRESHOLD if given is None else float(given)
    return Threshold([value] * images, "default" if given is None else "given")
