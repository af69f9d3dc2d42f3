"""Fundus photographs with labels: read once, checked, kept in memory as uint8."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from unet_lightning.data.fov import find_field_of_view
from unet_lightning.data.labels import IGNORE, Sample
from unet_lightning.data.reading import read_binary, read_classes, read_photo, size_of
from unet_lightning.errors import ConfigError, DataError

# Where pixels count, by the value of data.dataset.fov.
REGIONS = {
    "mask": "field of view, masks of the data set",
    "auto": "field of view, found in the photographs",
    "none": "whole image",
}


@dataclass(frozen=True)
class Record:
    """Where the files of one photograph lie; a path is None where the data set has no such file."""

    image_id: str
    photo: Path
    label: Path | None = None
    fov: Path | None = None
    second_label: Path | None = None


class FundusDataset(Dataset[Sample]):
    """Photographs with labels, field of view burned in, decoded at the first use and kept as uint8.

    A data set is a subclass that lists its `Record`s. Photographs without a label can be looked at and predicted; the
    samples are there when all have one. With two classes a label is a mask of the second one; with more it holds the
    index of each pixel's class.

    Args:
        records: one a photograph.
        fov: where pixels count: `mask` (inside the data set's mask, in the whole image where there is none), `auto`
            (inside the field of view found in each photograph) or `none` (in the whole image).

    Raises:
        ConfigError: another `fov`.
        DataError: when something is read: a file is missing or broken, a size differs, or a mask has grey values.
    """

    name = "fundus"
    classes: Sequence[str] = ("background", "vessel")  # what a label's values mean, background first

    def __init__(self, records: Iterable[Record], fov: str = "mask") -> None:
        if fov not in REGIONS:
            raise ConfigError(f"data.dataset.fov must be mask, auto or none, found {fov}.")
        self.records = list(records)
        self.fov = fov
        self._photos: dict[int, Tensor] = {}
        self._fields: dict[int, Tensor | None] = {}
        self._samples: list[Sample] | None = None

    @property
    def image_ids(self) -> list[str]:
        """The names of the photographs, in the order of the samples."""
        return [record.image_id for record in self.records]

    def group_of(self, image_id: str) -> str:
        """Whose photograph it is: those of one person never part over training and validation. Here, its own."""
        return image_id

    @property
    def labelled(self) -> bool:
        """Whether every photograph has a label of the first observer."""
        return all(record.label is not None for record in self.records)

    @property
    def region(self) -> str:
        """Where pixels count, in words for a table."""
        masks = self.fov != "mask" or any(record.fov is not None for record in self.records)
        return REGIONS[self.fov if masks else "none"]

    def subset(self, image_ids: Sequence[str]) -> "FundusDataset":
        """The photographs named, in that order.

        Raises:
            ConfigError: a name that the data set has not.
        """
        records = {record.image_id: record for record in self.records}
        unknown = [image_id for image_id in image_ids if image_id not in records]
        if unknown:
            raise ConfigError(
                f"No image {', '.join(map(str, unknown))} in this split of {self.name}: it has {', '.join(records)}. "
                "Ids are text in YAML: write '01', not 1."
            )
        chosen = copy.copy(self)  # with its name and classes, and what its class says of missing labels
        FundusDataset.__init__(chosen, (records[image_id] for image_id in image_ids), self.fov)
        return chosen

    @property
    def samples(self) -> list[Sample]:
        """All samples, decoded.

        Raises:
            DataError: a photograph without a label; see also the class.
        """
        if self._samples is None:
            self._require_labels()
            self._samples = [self._sample(index) for index in range(len(self))]
        return self._samples

    def photo(self, index: int) -> Tensor:
        """The photograph, `(3, H, W)` uint8; it needs no label."""
        if index not in self._photos:
            self._photos[index] = read_photo(self.records[index].photo)
        return self._photos[index]

    def field_of_view(self, index: int) -> Tensor | None:
        """Where pixels count, `(H, W)` bool; None is the whole image."""
        if index not in self._fields:
            self._fields[index] = self._field(index)
        return self._fields[index]

    def second_target(self, index: int) -> Tensor | None:
        """What the second observer drew, as a target within the same field of view, or None.

        Raises:
            DataError: a photograph without a label of the first observer, whom the second is compared with.
        """
        self._require_labels()
        path = self.records[index].second_label
        return None if path is None else self._target(index, path, "second observer")

    def lacks_labels(self, image_ids: Sequence[str]) -> str:
        """What to say and to do about photographs without a label."""
        return (
            f"No label for image {', '.join(image_ids)} of {self.name}, so nothing can be trained or measured on it. "
            "Predict it with `python -m unet_lightning.predict`, or add its label."
        )

    def __len__(self) -> int:
        """Number of photographs."""
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        """Sample with a uint8 image."""
        return self.samples[index]

    def _require_labels(self) -> None:
        """Raises DataError where a photograph has no label."""
        if not self.labelled:
            raise DataError(self.lacks_labels([record.image_id for record in self.records if record.label is None]))

    def _sample(self, index: int) -> Sample:
        """Photograph and label, as tv_tensors."""
        from torchvision import tv_tensors  # 2 s and 170 MB, which prediction does without

        record = self.records[index]
        assert record.label is not None
        target = self._target(index, record.label, "label")
        return Sample(tv_tensors.Image(self.photo(index)), tv_tensors.Mask(target), record.image_id)

    def _target(self, index: int, path: Path, what: str) -> Tensor:
        """An observer's label with IGNORE burned in outside the field of view, `(H, W)` uint8."""
        named = f"{what} of image {self.records[index].image_id}"
        if len(self.classes) > 2:
            target = read_classes(path, named, self.classes)
        else:
            target = read_binary(path, named).to(torch.uint8)
        self._check_size(index, target, path, what)
        field = self.field_of_view(index)
        return target if field is None else target.masked_fill(~field, IGNORE)

    def _field(self, index: int) -> Tensor | None:
        """The field of view, read or found."""
        record = self.records[index]
        if self.fov == "auto":
            return find_field_of_view(self.photo(index))
        if self.fov == "none" or record.fov is None:
            return None
        field = read_binary(record.fov, f"field-of-view mask of image {record.image_id}")
        self._check_size(index, field, record.fov, "field-of-view mask")
        if not field.any():
            raise DataError(f"The field-of-view mask of image {record.image_id} is empty: {record.fov}.")
        return field

    def _check_size(self, index: int, image: Tensor, path: Path, what: str) -> None:
        """Raises DataError where an image has not the size of its photograph."""
        record, photo = self.records[index], self.photo(index)
        if image.shape == photo.shape[1:]:
            return
        turned = image.shape == (photo.shape[2], photo.shape[1])
        raise DataError(
            f"Photograph and {what} of image {record.image_id} differ in size: {size_of(photo)} in {record.photo}, "
            f"{size_of(image)} in {path}. Both must come from the same photograph"
            + (", turned alike: the camera's orientation tag is applied, as viewers do." if turned else ".")
        )
