"""Photographs and labels of what was measured, read again from where the data set is, and maps from evaluations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.labels import IGNORE, one_against_rest
from unet_lightning.data.shown import shown
from unet_lightning.errors import DataError
from unet_lightning.inference.maps import read_probability
from unet_lightning.metrics.threshold import decide
from unet_lightning.results.leaderboard.entries import Entry, Run
from unet_lightning.results.maps import open_photographs
from unet_lightning.training.config import without_drawing


@dataclass(frozen=True)
class Pixels:
    """The images that entries were measured on, by the names that the leaderboard has for them."""

    dataset: SegmentationDataset  # of these images alone
    places: Mapping[str, int]  # of each image in the data set
    class_name: str | None  # of several classes the one against the rest

    def photo(self, image: str) -> Tensor:
        """The photograph as it is shown, `(3, H, W)` uint8."""
        return shown(self.dataset.photo(self.places[image]))

    def target(self, image: str) -> Tensor:
        """The first observer's label, `(H, W)` integer, IGNORE where nothing counts."""
        return self._chosen(self.dataset[self.places[image]].target.as_subclass(Tensor))

    def second(self, image: str) -> Tensor | None:
        """The second observer's, if there is one."""
        found = self.dataset.second_target(self.places[image])
        return None if found is None else self._chosen(found)

    def called(self, run: Run, image: str) -> Tensor:
        """The class that a run called each pixel, `(H, W)` uint8; DataError where its maps or threshold are gone."""
        evaluation = run.evaluation
        names = evaluation.classes[1:] or [""]
        maps = torch.stack([read_probability(evaluation.map_of(image, name)) for name in names])
        own = evaluation.written_as.get(image, image)
        threshold = (evaluation.protocol.thresholds or {}).get(own, evaluation.protocol.threshold)
        if len(maps) > 1:
            threshold = math.nan  # of no use
        elif isinstance(threshold, str):
            raise DataError(f"{run.name} does not say the threshold of each image: evaluate it anew")
        numbers = torch.zeros(maps.shape[1:], dtype=torch.uint8)
        for number, pixels in enumerate(decide(maps, threshold), start=1):
            numbers[pixels] = number
        return self._chosen(numbers)

    def share(self, numbers: Tensor, image: str) -> float:
        """The share of the counted pixels of an image that are of a class, in percent; of several, of any."""
        counted = self.target(image) != IGNORE
        return 100 * float((numbers[counted] > 0).double().mean())

    def _chosen(self, numbers: Tensor) -> Tensor:
        if self.class_name is None:
            return numbers
        return one_against_rest(numbers, list(self.dataset.classes).index(self.class_name))


def open_pixels(entries: Sequence[Entry], data: Mapping[str, Any] | None, class_name: str | None) -> Pixels:
    """The images that entries were measured on, found by name, and known again by their pixels and labels.

    Args:
        entries: of the leaderboard.
        data: a `data` section; None: that of the first run, whose data set it must be.
        class_name: see `Pixels`.

    Raises:
        UserError: they are not there.
    """
    runs = [run for entry in entries for run in entry.runs]
    configs = [run.config["data"] for run in runs if "_target_" in run.config.get("data", {})]
    if data is None and not configs:
        raise DataError("no run says where the photographs are: name the data set, such as data=drive")
    section = dict(data) if data is not None else without_drawing(configs[0])
    owner = {image: run.evaluation for run in reversed(runs) for image in run.evaluation.images}
    written = {image: evaluation.written_as.get(image, image) for image, evaluation in sorted(owner.items())}
    every = open_photographs(section, "all")
    if missing := [name for name in written.values() if name not in every.image_ids]:
        raise DataError(
            f"{every.name} has no image {', '.join(missing[:3])}: name the data set measured, as data=drive"
        )
    dataset = every.subset([*written.values()])
    for place, image in enumerate(written):
        measured, found = owner[image].content.get(image, {}), dataset.content(place)
        if any(found.get(part) != digest for part, digest in measured.items() if part in ("photograph", "label")):
            raise DataError(f"image {image} of {dataset.name} has other pixels or another label than the one measured")
    return Pixels(dataset, {image: place for place, image in enumerate(written)}, class_name)
