"""Photographs with labels: read once, checked, kept in memory."""

import copy
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch.utils.data import Dataset

from unet_lightning.data.content import Content, digest, look
from unet_lightning.data.decoded import DecodedImages
from unet_lightning.data.facts import Facts, Remembered
from unet_lightning.data.fov import diameter
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.kept import Kept
from unet_lightning.data.labels import IGNORE, Sample
from unet_lightning.data.normalisation import moments_of
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.progress import counted

# Where pixels count, by the value of data.dataset.fov, after what a data set calls it.
REGIONS = {
    "mask": "{field}, masks of the data set",
    "auto": "{field}, found in the photographs",
    "none": "whole image",
}


class SegmentationDataset(DecodedImages, Dataset[Sample]):
    """Photographs with labels, IGNORE outside the field of view, decoded at the first use and kept.

    A data set is a subclass that lists its files. Photographs without a label can be shown and predicted; samples need
    a label for every photograph. With two classes a label is a mask of the second one; with more it holds the index of
    each pixel's class. Reading raises DataError: a file is missing or broken, sizes differ, or a mask has grey values.

    `fov` says where pixels count: `mask` (inside the data set's mask; in the whole image where there is none), `auto`
    (inside the field of view found in each photograph) or `none` (in the whole image).
    """

    most_foreground = 0.5  # of two classes, the greatest share of the second one that is no reason to doubt its labels

    def __init__(self, files: Iterable[ImageFiles], fov: str = "mask", kept: Kept | None = None) -> None:
        if fov not in REGIONS:
            raise ConfigError(f"data.dataset.fov must be mask, auto or none, found {fov}.")
        files = list(files)
        counts = Counter(image.image_id for image in files)
        if twice := [image_id for image_id, count in counts.items() if count > 1]:
            raise DataError(
                f"Images are given twice: {', '.join(twice)}. Each counts once: give each an id of its own."
            )
        super().__init__(files, fov, kept)
        self.patients: dict[str, str] = {}  # of images whose person is not known by a rule of the subclass
        self._facts: dict[int, Facts] = {}
        self._contents: dict[int, Content] = {}

    @property
    def image_ids(self) -> list[str]:
        """The names of the images, in the order of the samples."""
        return [image.image_id for image in self.files]

    def patient_of(self, image_id: str) -> str:
        """The person whose image it is: all images of a person are in the same part of a split."""
        return self.patients.get(image_id, image_id)

    @property
    def groups(self) -> list[str] | None:
        """The person of each image, where some have several here; None: each image stands for itself."""
        found = [self.patient_of(image_id) for image_id in self.image_ids]
        return found if len({*found}) < len(found) else None

    @property
    def region(self) -> str:
        """Where pixels count, in words for a table."""
        return REGIONS[self.fov_rule].format(field=self.terms.field)

    @property
    def diameter(self) -> int | None:
        """The median diameter of the fields of view, pixels; None where photographs show none that is a disc."""
        found = [one.diameter for one in self.facts if one.diameter is not None] if self.terms.finds_field else []
        return statistics.median_low(found) if found else None

    def subset(self, image_ids: Sequence[str]) -> "SegmentationDataset":
        """The named images, in that order; ConfigError where the data set has no image of such a name."""
        files = {image.image_id: image for image in self.files}
        if unknown := [image_id for image_id in image_ids if image_id not in files]:
            raise ConfigError(
                f"No image {', '.join(map(str, unknown))} in this split of {self.name}: it has {', '.join(files)}. "
                "Ids are text in YAML: write '01', not 1."
            )
        _ = self.found_form  # of all images, so that those of a split are alike
        chosen = copy.copy(self)  # keeps the name, the classes, and the subclass's words about missing labels
        SegmentationDataset.__init__(chosen, (files[image_id] for image_id in image_ids), self.fov, self.kept)
        chosen.patients = self.patients
        return chosen

    def content(self, index: int) -> Content:
        """What an image is, whatever its files are called."""
        if index not in self._contents:
            photo, field, label = self.photo(index), self.field_of_view(index), self.files[index].label
            found = {"photograph": digest(photo), "look": look(photo)}
            if field is not None:
                found["fov"] = digest(field)
            if label is not None:
                if label not in self._drawn:
                    self._target(index, label, "label")
                found |= self._drawn[label]
            self._contents[index] = found
        group = self.patient_of(self.image_ids[index])
        return {**self._contents[index], **({"group": group} if group != self.image_ids[index] else {})}

    @property
    def facts(self) -> list[Facts]:
        """What checks need of each image, in one pass over those of which it is not remembered."""
        if len(self._facts) < len(self):
            settings = {
                "form": self.found_form.plain(),
                "fov": self.fov,
                "classes": len(self.classes),
                "task": self.task,
                "ignored": self.ignored_level,
            }
            remembered = Remembered(settings, self.files[0].photo.parent)
            for index in counted(range(len(self)), f"Images of {self.name}"):
                image = self.files[index]
                files = [image.photo, image.label, image.fov if self.fov == "mask" else None]
                found = remembered.get(files) or self.look_at(index)
                self._facts[index] = found
                self.checked.add(index)
                self._contents.setdefault(index, {k: v for k, v in found.content.items() if k != "group"})
                remembered.put(files, found)
            remembered.write()
        return [self._facts[index] for index in range(len(self))]

    def keep(self) -> None:
        """Decodes what there is room for."""
        for index in counted(range(len(self)), f"Images of {self.name}"):
            if self.kept.room > 0 and not self.in_windows(index):
                _ = self.photo(index), self.target(index)

    def look_at(self, index: int) -> Facts:
        """The facts of an image, which is decoded once."""
        image, target, field = self.photo(index), self.target(index), self.field_of_view(index)
        counts = torch.bincount(target.flatten(), minlength=IGNORE + 1)[: len(self.classes)].tolist()
        size = diameter(field) if self.terms.finds_field and field is not None else None
        return Facts(self.content(index), counts, moments_of(image, target != IGNORE), size)

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        from torchvision import tv_tensors  # takes 2 s and 170 MB, and prediction does not need it

        target = tv_tensors.Mask(self.target(index))
        return Sample(tv_tensors.Image(self.photo(index)), target, self.image_ids[index])
