"""Maps of another program."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.maps import read_probability
from unet_lightning.results.maps import Maps, Threshold, check_two_classes, fixed_threshold, open_photographs


class FolderSource:
    """Probability maps of another program: `<image id or name of the photograph>.png` or `.npy` in a folder.

    Args:
        folder: with the maps.
        given: the `data` section.

    Raises:
        ConfigError: the folder does not exist, or no data set is named.
    """

    def __init__(self, folder: Path, given: Mapping[str, Any]) -> None:
        if not folder.is_dir():
            raise ConfigError(f"No folder of probability maps: {folder}.")
        if "_target_" not in given:
            raise ConfigError("predictions needs the data set that the maps belong to, such as data=drive.")
        self.folder, self.given = folder, given

    def splits(self, split: str | None) -> list[str]:
        """The split named, or test."""
        return [split or "test"]

    def maps(self, split: str) -> Maps:
        """The maps of every photograph of a split."""
        dataset = open_photographs(self.given, split)
        check_two_classes(dataset)
        probabilities = []
        for index, record in enumerate(dataset.files):
            names = [f"{stem}{suffix}" for stem in (record.image_id, record.photo.stem) for suffix in (".png", ".npy")]
            found = [name for name in dict.fromkeys(names) if (self.folder / name).is_file()]
            if len(found) != 1:
                raise DataError(
                    f"{'Two maps' if found else 'No map'} of image {record.image_id} in {self.folder}: looked for "
                    f"{', '.join(dict.fromkeys(names))}, expected one of them."
                )
            probability = read_probability(self.folder / found[0])
            expected = dataset.photo(index).shape[1:]
            if probability.shape != expected:
                raise DataError(
                    f"The map {self.folder / found[0]} is {tuple(probability.shape)}, the photograph of image "
                    f"{record.image_id} {tuple(expected)} (height, width): both must have one size."
                )
            probabilities.append(probability.unsqueeze(0))
        return Maps(dataset, split, probabilities)

    def threshold(self, maps: Maps, given: float | str | None) -> Threshold:
        """A number: there is no validation to choose on."""
        return fixed_threshold(given, len(maps.dataset))

    def stamp(self) -> dict[str, Any]:
        """The protocol knows no more than the folder."""
        unknown = dict.fromkeys(("trained_on", "initial_weights", "initial_weights_saw"))
        return {"networks": [], "predictions": self.folder.name, "tta": "-", "scale": "-", "tiles": "-"} | unknown
