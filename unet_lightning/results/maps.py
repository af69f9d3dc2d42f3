"""Probability maps of a split and what makes vessels of them; here also maps that another program has made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.maps import read_probability
from unet_lightning.results.stored import Leak
from unet_lightning.specs import SECTIONS, build

USUAL_THRESHOLD = 0.5


@dataclass(frozen=True)
class Maps:
    """Probability maps of the photographs of one split."""

    dataset: SegmentationDataset
    split: str  # its name in the protocol
    probabilities: list[Tensor]  # (C - 1, H, W) float32 each, of each class but the background
    origin: dict[str, Any]  # what the protocol says of where they come from
    leak: Mapping[Leak, list[str]] = field(default_factory=dict)  # images whose figures prove nothing, by the reason
    thresholds: Sequence[float] = ()  # of each photograph: the probability from which on a pixel is a vessel
    threshold_source: str = ""  # for the protocol


def read_maps(folder: Path, data: Mapping[str, Any], split: str, threshold: float | None = None) -> Maps:
    """Maps of another program: `<image id or name of the photograph>.png` or `.npy` in a folder.

    Raises:
        ConfigError: the folder does not exist, or no data set is named, or one of more than two classes.
        DataError: a photograph has no map or two, or one that is broken or of another size.
    """
    if not folder.is_dir():
        raise ConfigError(f"No folder of probability maps: {folder}.")
    if "_target_" not in data:
        raise ConfigError("predictions needs the data set that the maps belong to, such as data=drive.")
    dataset = open_photographs(data, split)
    check_two_classes(dataset)
    maps = [_read_map(folder, dataset, index).unsqueeze(0) for index in range(len(dataset))]
    origin: dict[str, Any] = {"networks": [], "predictions": folder.name, "tta": "-", "scale": "-", "tiles": "-"}
    origin |= dict.fromkeys(("trained_on", "initial_weights", "initial_weights_saw"))
    return with_threshold(Maps(dataset, split, maps, origin), threshold)


def _read_map(folder: Path, dataset: SegmentationDataset, index: int) -> Tensor:
    """The map of one photograph, `(H, W)` float32."""
    record = dataset.files[index]
    stems = dict.fromkeys((record.image_id, record.photo.stem))
    paths = [folder / f"{stem}{suffix}" for stem in stems for suffix in (".png", ".npy")]
    found = [path for path in paths if path.is_file()]
    if len(found) != 1:
        raise DataError(
            f"{'Two maps' if found else 'No map'} of image {record.image_id} in {folder}: looked for "
            f"{', '.join(path.name for path in paths)}, expected one of them."
        )
    probability, photo = read_probability(found[0]), dataset.photo(index)
    if probability.shape != photo.shape[1:]:
        raise DataError(
            f"The map {found[0]} is {tuple(probability.shape)}, the photograph of image {record.image_id} "
            f"{tuple(photo.shape[1:])} (height, width): both must have one size."
        )
    return probability


def open_photographs(data: Mapping[str, Any], split: str) -> SegmentationDataset:
    """The photographs of a split of a `data` section; ConfigError where there is none."""
    dataset: SegmentationDataset = build(data, SECTIONS["data"]).photographs(split)
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


def with_threshold(maps: Maps, value: float | None) -> Maps:
    """The maps with one threshold for all photographs; None is the usual one."""
    values = [USUAL_THRESHOLD if value is None else float(value)] * len(maps.dataset)
    return replace(maps, thresholds=values, threshold_source="default" if value is None else "given")
