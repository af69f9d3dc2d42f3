"""Probability maps of another program, as `evaluate` measures them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unet_lightning.errors import ConfigError
from unet_lightning.results.decided import USUAL_THRESHOLD, Maps
from unet_lightning.results.maps import open_photographs, read_maps
from unet_lightning.results.places import evaluation_name


@dataclass(frozen=True)
class MapSource:
    """Maps of another program in a folder, of the photographs of a whole `data` section.

    Raises:
        ConfigError: the folder does not exist, or no data set is named.
    """

    folder: Path
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise ConfigError(f"No folder of probability maps: {self.folder}.")
        if "_target_" not in self.data:
            raise ConfigError("predictions needs the data set that the maps belong to, such as data=drive.")

    def splits(self, split: str | None) -> list[str]:
        """The test images, unless others are named."""
        return [split or "test"]

    def name(self, split: str, threshold: float | None = None) -> str:
        """The name of the evaluation of a split."""
        settings = {} if threshold in (None, USUAL_THRESHOLD) else {"threshold": threshold}
        return evaluation_name(open_photographs(self.data, split).name, split, settings)

    def maps(self, split: str, threshold: float | None = None) -> Maps:
        """The maps of a split, see `read_maps`."""
        return read_maps(self.folder, self.data, split, threshold)
