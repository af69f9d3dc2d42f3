"""Probability maps of a split and what makes vessels of them; here also the maps that another program has made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from unet_lightning.data.fundus import FundusDataset
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.maps import read_probability
from unet_lightning.results.stored import Leak
from unet_lightning.specs import SECTIONS, build

USUAL_THRESHOLD = 0.5


@dataclass(frozen=True)
class Maps:
    """Probability maps of the photographs of one split.

    Attributes:
        dataset: the photographs.
        split: its name in the protocol.
        probabilities: `(C - 1, H, W)` float32 for each photograph, of each class but the background.
        leak: images whose figures prove nothing, by the reason.
    """

    dataset: FundusDataset
    split: str
    probabilities: list[Tensor]
    leak: dict[Leak, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold:
    """From which probability on a pixel is a vessel.

    Attributes:
        values: one for each photograph.
        source: where they were taken from, for the protocol.
        leak: those of the photographs that it was chosen on.
    """

    values: list[float]
    source: str
    leak: list[str] = field(default_factory=list)


class FolderSource:
    """Maps of another program: `<image id or name of the photograph>.png` or `.npy` in a folder.

    Args:
        folder: with the maps.
        data: the `data` section.

    Raises:
        ConfigError: the folder does not exist, or no data set is named.
    """

    def __init__(self, folder: Path, data: Mapping[str, Any]) -> None:
        if not folder.is_dir():
            raise ConfigError(f"No folder of probability maps: {folder}.")
        if "_target_" not in data:
            raise ConfigError("predictions needs the data set that the maps belong to, such as data=drive.")
        self.folder, self.data = folder, data

    def splits(self, split: str | None) -> list[str]:
        """The split named, or test."""
        return [split or "test"]

    def maps(self, split: str) -> Maps:
        """The maps of a split."""
        dataset = open_photographs(self.data, split)
        check_two_classes(dataset)
        return Maps(dataset, split, [self._read(dataset, index).unsqueeze(0) for index in range(len(dataset))])

    def threshold(self, maps: Maps, wanted: float | str | None) -> Threshold:
        """A number: there is no validation to choose on."""
        return fixed_threshold(wanted, len(maps.dataset))

    def stamp(self) -> dict[str, Any]:
        """What the protocol says of where the maps come from: no more than the folder is known."""
        unknown = dict.fromkeys(("trained_on", "initial_weights", "initial_weights_saw"))
        return {"networks": [], "predictions": self.folder.name, "tta": "-", "scale": "-", "tiles": "-"} | unknown

    def _read(self, dataset: FundusDataset, index: int) -> Tensor:
        """The map of one photograph, `(H, W)` float32."""
        record = dataset.records[index]
        stems = dict.fromkeys((record.image_id, record.photo.stem))
        paths = [self.folder / f"{stem}{suffix}" for stem in stems for suffix in (".png", ".npy")]
        found = [path for path in paths if path.is_file()]
        if len(found) != 1:
            raise DataError(
                f"{'Two maps' if found else 'No map'} of image {record.image_id} in {self.folder}: looked for "
                f"{', '.join(path.name for path in paths)}, expected one of them."
            )
        probability = read_probability(found[0])
        expected = dataset.photo(index).shape[1:]
        if probability.shape != expected:
            raise DataError(
                f"The map {found[0]} is {tuple(probability.shape)}, the photograph of image {record.image_id} "
                f"{tuple(expected)} (height, width): both must have one size."
            )
        return probability


def open_photographs(data: Mapping[str, Any], split: str) -> FundusDataset:
    """The photographs of a split of a `data` section.

    Raises:
        ConfigError: there is none.
    """
    dataset: FundusDataset = build(data, SECTIONS["data"]).photographs(split)
    if not len(dataset):
        raise ConfigError(f"The {split} split of {dataset.name} has no image.")
    return dataset


def check_two_classes(dataset: FundusDataset) -> None:
    """Raises ConfigError where there is no single class that a threshold could decide on."""
    if len(dataset.classes) > 2:
        raise ConfigError(
            f"A threshold decides between two classes, {dataset.name} has {len(dataset.classes)}: each pixel gets its "
            "most probable class, leave threshold out."
        )


def fixed_threshold(wanted: float | str | None, images: int) -> Threshold:
    """The number wanted, or the usual one."""
    value = USUAL_THRESHOLD if wanted is None else float(wanted)
    return Threshold([value] * images, "default" if wanted is None else "given")
