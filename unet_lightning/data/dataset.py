"""Photographs with labels: read once, checked, kept in memory."""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from unet_lightning.data.content import Content, digest, is_drawn, look
from unet_lightning.data.form import RGB, Form
from unet_lightning.data.fov import find_field_of_view, median_diameter
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.labels import IGNORE, Sample
from unet_lightning.data.opening import check_turns
from unet_lightning.data.photograph import check_channels, common_form, read_photo
from unet_lightning.data.reading import read_binary, read_classes, read_partly_known
from unet_lightning.data.terms import TERMS, Terms
from unet_lightning.errors import ConfigError, DataError

# Where pixels count, by the value of data.dataset.fov, after what a data set calls it.
REGIONS = {
    "mask": "{field}, masks of the data set",
    "auto": "{field}, found in the photographs",
    "none": "whole image",
}


class SegmentationDataset(Dataset[Sample]):
    """Photographs with labels, IGNORE outside the field of view, decoded at the first use and kept.

    A data set is a subclass that lists its files. Photographs without a label can be shown and predicted; samples need
    a label for every photograph. With two classes a label is a mask of the second one; with more it holds the index of
    each pixel's class. Reading raises DataError: a file is missing or broken, sizes differ, or a mask has grey values.

    `fov` says where pixels count: `mask` (inside the data set's mask; in the whole image where there is none), `auto`
    (inside the field of view found in each photograph) or `none` (in the whole image).
    """

    name = "dataset"  # in tables and checkpoints
    classes: Sequence[str] = ("background", "vessel")  # what a label's values mean, background first
    task = "vessels"  # a name in TERMS
    form: Form | None = RGB  # how photographs are read; None: see `found_form`
    channels: int | None = None  # of photographs, where form is None; None: those of their files, which must be alike
    value_range: tuple[float, float] | None = None  # of photographs of more than 8 bits, where form is None
    ignored_level: int | None = None  # the grey of pixels that do not count, in black and white labels
    most_foreground = 0.5  # of two classes, the greatest share of the second one that is no reason to doubt its labels

    def __init__(self, files: Iterable[ImageFiles], fov: str = "mask") -> None:
        if fov not in REGIONS:
            raise ConfigError(f"data.dataset.fov must be mask, auto or none, found {fov}.")
        self.files = list(files)
        counts = Counter(image.image_id for image in self.files)
        if twice := [image_id for image_id, count in counts.items() if count > 1]:
            raise DataError(
                f"Images are given twice: {', '.join(twice)}. Each counts once: give each an id of its own."
            )
        self.fov = fov
        self.patients: dict[str, str] = {}  # of images whose person is not known by a rule of the subclass
        self._photos: dict[int, Tensor] = {}
        self._fields: dict[int, Tensor | None] = {}
        self._samples: list[Sample] | None = None
        self._drawn: dict[Path, Content] = {}  # what labels are, by file
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
    def fov_rule(self) -> str:
        """Where pixels count: `fov`, but `none` where masks are meant and there are none."""
        unmasked = self.fov == "mask" and all(image.fov is None for image in self.files)
        return "none" if unmasked else self.fov

    @property
    def region(self) -> str:
        """Where pixels count, in words for a table."""
        return REGIONS[self.fov_rule].format(field=self.terms.field)

    @property
    def diameter(self) -> int | None:
        """The median diameter of the fields of view, pixels; None where photographs show none that is a disc."""
        fields = map(self.field_of_view, range(len(self)))
        return median_diameter(fields) if self.terms.finds_field else None

    @property
    def terms(self) -> Terms:
        """How readers call things, and what is measured."""
        return TERMS[self.task]

    @property
    def found_form(self) -> Form:
        """How photographs are read, by the headers of their files where it is not known yet."""
        if self.form is None:
            self.form = common_form([image.photo for image in self.files], self.channels, self.value_range)
        return self.form

    def read_as(self, form: Form) -> None:
        """Reads photographs as a network takes them; a value range that is said of them here holds.

        Raises:
            ConfigError: they have other channels.
        """
        if not form.converts and form.channels != self.channels:  # not by a choice that is made here
            check_channels((image.photo for image in self.files), form, self.name)
        else:
            form = form._replace(converts=True)
        self.form = form._replace(value_range=self.value_range or form.value_range)

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
        SegmentationDataset.__init__(chosen, (files[image_id] for image_id in image_ids), self.fov)
        chosen.patients = self.patients
        return chosen

    @property
    def samples(self) -> list[Sample]:
        """All samples, as tv_tensors; DataError where an image has no label."""
        if self._samples is None:
            from torchvision import tv_tensors  # takes 2 s and 170 MB, and prediction does not need it

            labels, samples = self._labels(), []
            for index, image_id in enumerate(self.image_ids):
                target = tv_tensors.Mask(self._target(index, labels[index], "label"))
                samples.append(Sample(tv_tensors.Image(self.photo(index)), target, image_id))
            self._samples = samples  # all of them, or none where one cannot be read
        return self._samples

    def photo(self, index: int) -> Tensor:
        """The photograph, `(C, H, W)`: uint8, or float32 in [0, 1] where it has more than 8 bits. It needs no label."""
        if index not in self._photos:
            self._photos[index] = read_photo(self.files[index].photo, self.found_form)
        return self._photos[index]

    def field_of_view(self, index: int) -> Tensor | None:
        """Where pixels count, `(H, W)` bool; None is the whole image."""
        if index not in self._fields:
            image, field = self.files[index], None
            if self.fov == "auto":
                field = find_field_of_view(self.photo(index))
            elif self.fov == "mask" and image.fov is not None:
                field = self._read(index, image.fov, self.terms.mask)
                if not field.any():
                    raise DataError(f"The {self.terms.mask} of image {image.image_id} is empty: {image.fov}.")
            self._fields[index] = field
        return self._fields[index]

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
            if (group := self.patient_of(self.image_ids[index])) != self.image_ids[index]:
                found["group"] = group
            self._contents[index] = found
        return self._contents[index]

    def second_target(self, index: int) -> Tensor | None:
        """What the second observer drew, as a target with the same field of view; None where there is no such label.

        DataError where an image has no label of the first observer, with whom the second is compared.
        """
        self._labels()
        path = self.files[index].second_label
        return None if path is None else self._target(index, path, self.terms.second)

    def missing_labels(self, image_ids: Sequence[str]) -> str:
        """The message about images without a label: what is missing, and what to do."""
        return (
            f"No label for image {', '.join(image_ids)} of {self.name}, so nothing can be trained or measured on it. "
            "Predict it, or add its label."
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def _labels(self) -> list[Path]:
        """The label of each image; DataError where one has none."""
        if missing := [image.image_id for image in self.files if image.label is None]:
            raise DataError(self.missing_labels(missing))
        return [image.label for image in self.files if image.label]

    def _target(self, index: int, path: Path, what: str) -> Tensor:
        """An observer's label with IGNORE outside the field of view, `(H, W)` uint8."""
        read: Callable[[Path, str], Tensor] = read_binary
        if len(self.classes) > 2:
            read = partial(read_classes, classes=self.classes)
        elif self.ignored_level is not None:
            read = partial(read_partly_known, ignored=self.ignored_level)
        target = self._read(index, path, what, read).to(torch.uint8)
        self._drawn[path] = {"label": digest(target)} | ({"drawing": digest(target)} if is_drawn(target) else {})
        field = self.field_of_view(index)
        return target if field is None else target.masked_fill(~field, IGNORE)

    def _read(self, index: int, path: Path, what: str, read: Callable[[Path, str], Tensor] = read_binary) -> Tensor:
        """A mask or a label; DataError where it differs in size from its photograph."""
        image = self.files[index]
        named = f"{what} of image {image.image_id}"
        mask = read(path, named)
        photo = self.photo(index)
        if mask.shape != photo.shape[1:]:
            turned = ", turned alike: the camera's orientation tag is applied, as viewers do"
            raise DataError(
                f"Photograph and {what} of image {image.image_id} differ in size: {_size(photo)} in {image.photo}, "
                f"{_size(mask)} in {path}. Both must come from the same photograph"
                f"{turned if mask.T.shape == photo.shape[1:] else ''}."
            )
        check_turns(image.photo, path, named)
        return mask


def _size(image: Tensor) -> str:
    return f"{image.shape[-2]} x {image.shape[-1]} (height x width)"
