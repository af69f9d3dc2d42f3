"""Images of a data set decoded: photographs, fields of view and labels, whole or in windows, as many kept as fit."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from unet_lightning.data.bands import Window, layout_of, read_bands
from unet_lightning.data.content import Content, digest, is_drawn
from unet_lightning.data.form import RGB, Form
from unet_lightning.data.fov import find_field_of_view
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.kept import Kept, bytes_of
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.opening import check_turns
from unet_lightning.data.photograph import Kind, check_channels, common_form, kind_of, read_photo
from unet_lightning.data.reading import read_binary, read_classes, read_partly_known
from unet_lightning.data.terms import TERMS, Terms
from unet_lightning.errors import DataError

TIFF = (".tif", ".tiff")
IN_MEMORY = ".npy"  # the ending of names that stand for arrays, which need not be kept once more
LARGE = 4096**2  # pixels, from which on a photograph is read in windows where its file can be


class DecodedImages:
    """The images of some files: see `SegmentationDataset`, which is made of them."""

    name = "dataset"  # in tables and checkpoints
    classes: Sequence[str] = ("background", "vessel")  # what a label's values mean, background first
    task = "vessels"  # a name in TERMS
    form: Form | None = RGB  # how photographs are read; None: see `found_form`
    channels: int | None = None  # of photographs, where form is None; None: those of their files, which must be alike
    value_range: tuple[float, float] | None = None  # of photographs of more than 8 bits, where form is None
    ignored_level: int | None = None  # the grey of pixels that do not count, in black and white labels

    def __init__(self, files: Iterable[ImageFiles], fov: str, kept: Kept | None = None) -> None:
        self.files, self.fov = list(files), fov
        self.kept = Kept(bytes_of("auto")) if kept is None else kept
        self.checked: set[int] = set()  # images whose labels have been read whole
        self._kinds: dict[int, Kind] = {}
        self._drawn: dict[Path, Content] = {}  # what labels are, by file

    @property
    def fov_rule(self) -> str:
        """Where pixels count: `fov`, but `none` where masks are meant and there are none."""
        unmasked = self.fov == "mask" and all(image.fov is None for image in self.files)
        return "none" if unmasked else self.fov

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

    def photo(self, index: int) -> Tensor:
        """The photograph, `(C, H, W)`: uint8, or float32 in [0, 1] where it has more than 8 bits. It needs no label."""
        path = self.files[index].photo
        make = partial(read_photo, path, self.found_form)
        return make() if self.in_windows(index) else self._get(path, path, make)

    def target(self, index: int) -> Tensor:
        """The first observer's label with IGNORE outside the field of view, `(H, W)` uint8.

        DataError where an image of the data set has none.
        """
        path = self._labels()[index]
        return self._get(path, path, lambda: self._target(index, path, "label"))

    def field_of_view(self, index: int) -> Tensor | None:
        """Where pixels count, `(H, W)` bool; None is the whole image."""
        image = self.files[index]
        if self.fov == "none" or (self.fov == "mask" and image.fov is None):
            return None
        return self._get(image.fov or image.photo, (image.photo, image.fov, self.fov), lambda: self._field(index))

    def _field(self, index: int) -> Tensor:
        image = self.files[index]
        if self.fov == "auto" or image.fov is None:
            return find_field_of_view(self.photo(index))
        field = self._read(index, image.fov, self.terms.mask)
        if not field.any():
            raise DataError(f"The {self.terms.mask} of image {image.image_id} is empty: {image.fov}.")
        return field

    def _get(self, path: Path, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        if path.suffix == IN_MEMORY:
            return make()
        return self.kept.get((key, self.found_form), make)

    def in_windows(self, index: int) -> bool:
        """Whether a photograph is so large that it is never kept, and parts of it are read instead."""
        if self.files[index].photo.suffix.lower() not in TIFF:
            return False
        kind = self._kind(index)
        return kind.in_windows and kind.height * kind.width > LARGE

    def _kind(self, index: int) -> Kind:
        if index not in self._kinds:
            self._kinds[index] = kind_of(self.files[index].photo, self.found_form.channels)
        return self._kinds[index]

    def stored(self, index: int) -> tuple[int, int, int, torch.dtype]:
        """Height, width, channels and type of a photograph that is read in windows."""
        kind = self._kind(index)
        return kind.height, kind.width, self.found_form.channels, torch.float32 if kind.deep else torch.uint8

    def photo_in(self, index: int, window: Window) -> Tensor:
        """A part of a photograph that is read in windows, `(C, h, w)`."""
        return read_photo(self.files[index].photo, self.found_form, window)

    def target_in(self, index: int, window: Window) -> Tensor:
        """The same part of its target, `(h, w)` uint8; from the file where all of it has been checked."""
        path = self._labels()[index]
        layout = layout_of(path) if self._is_plain(index) else None
        if layout is not None and layout.in_windows and (layout.channels, layout.dtype.str[1:]) == (1, "u1"):
            numbers = torch.from_numpy(read_bands(path, layout, window)[0])
            return numbers if len(self.classes) > 2 else (numbers > 0).to(torch.uint8)
        top, left, height, width = window
        return self.target(index)[top : top + height, left : left + width]

    def _is_plain(self, index: int) -> bool:
        """Whether the numbers in a label, all of which have been checked, are its target."""
        return self.fov_rule == "none" and self.ignored_level is None and index in self.checked

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
