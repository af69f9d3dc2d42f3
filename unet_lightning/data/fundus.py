"""Fundus photographs with labels: read once, checked, kept in memory as uint8."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms.v2.functional import pil_to_tensor

from unet_lightning.data.labels import IGNORE, Sample
from unet_lightning.errors import ConfigError, DataError

# What a fundus camera gives; 16-bit (I;16, I) and floating-point (F) scans need a choice of range first.
PHOTO_MODES = ("RGB", "RGBA", "L", "P", "CMYK", "YCbCr")

PALETTE_SLACK = 8  # grey levels that a palette's black and white may be off


@dataclass(frozen=True)
class Record:
    """Where the files of one photograph lie; a path is None where the data set has no such file."""

    image_id: str
    photo: Path
    label: Path
    fov: Path | None = None
    second_label: Path | None = None


class FundusDataset(Dataset[Sample]):
    """Photographs with labels, field of view burned in, decoded at the first use and kept as uint8.

    A data set is a subclass that lists its `Record`s.

    Args:
        records: one a photograph.

    Raises:
        DataError: a file is missing or broken, a size differs, or a mask has grey values.
    """

    name = "fundus"
    classes: Sequence[str] = ("background", "vessel")  # what a label's values mean, background first

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)

    @property
    def image_ids(self) -> list[str]:
        """The names of the photographs, in the order of the samples."""
        return [record.image_id for record in self.records]

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
        chosen = FundusDataset(records[image_id] for image_id in image_ids)
        chosen.name = self.name
        return chosen

    @cached_property
    def samples(self) -> list[Sample]:
        """All samples, decoded."""
        return [read_sample(record) for record in self.records]

    def second_target(self, index: int) -> Tensor | None:
        """What the second observer drew, `(H, W)` uint8 with IGNORE outside the field of view, or None."""
        record = self.records[index]
        return None if record.second_label is None else read_target(record, record.second_label, "second observer")

    def __len__(self) -> int:
        """Number of photographs."""
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        """Sample with a uint8 image."""
        return self.samples[index]


def read_sample(record: Record) -> Sample:
    """Photograph and label of one record, as tv_tensors.

    Raises:
        DataError: see `FundusDataset`.
    """
    image = read_photo(record.photo)
    target = read_target(record, record.label, "label")
    if image.shape[1:] != target.shape:
        raise DataError(
            f"Photograph and label of image {record.image_id} differ in size: {_size(image)} in {record.photo}, "
            f"{_size(target)} in {record.label}. Both must come from the same photograph."
        )
    return Sample(tv_tensors.Image(image), tv_tensors.Mask(target), record.image_id)


def read_target(record: Record, label_path: Path, kind: str) -> Tensor:
    """An observer's label with IGNORE burned in outside the field of view, `(H, W)` uint8."""
    target = read_binary(label_path, f"{kind} of image {record.image_id}").to(torch.uint8)
    if record.fov is None:
        return target
    fov = read_binary(record.fov, f"field-of-view mask of image {record.image_id}")
    if fov.shape != target.shape:
        raise DataError(
            f"Label and field-of-view mask of image {record.image_id} differ in size: {_size(target)} in "
            f"{label_path}, {_size(fov)} in {record.fov}. Both must come from the same photograph."
        )
    if not fov.any():
        raise DataError(f"The field-of-view mask of image {record.image_id} is empty: {record.fov}.")
    return target.masked_fill(~fov, IGNORE)


def read_photo(path: Path) -> Tensor:
    """A photograph as RGB, `(3, H, W)` uint8; grey becomes three equal channels, an alpha channel is dropped.

    Raises:
        DataError: no such file, not an image, broken, too large, or more than 8 bits a channel.
    """
    image = _open(path, "photograph")
    if image.mode not in PHOTO_MODES:
        raise DataError(
            f"The photograph {path} has Pillow mode {image.mode}: 8 bits a channel are expected. Convert it to 8-bit "
            "RGB with the contrast that its camera software shows."
        )
    photo: Tensor = pil_to_tensor(image if image.mode == "RGB" else image.convert("RGB"))
    return photo


def read_binary(path: Path, what: str) -> Tensor:
    """A two-valued image as bool, `(H, W)`: 0 and 255, 0 and 1, 1-bit or palette.

    Raises:
        DataError: no such file, not an image, broken, too large, or more than two values.
    """
    image = _open(path, what)
    # convert("L") looks palette colours up; the raw array of a palette image holds indices instead.
    grey: Tensor = pil_to_tensor(image.convert("L"))[0]  # (H, W)
    if image.mode == "P":  # DRIVE's second observer is drawn in almost black (3) and almost white (253)
        grey = grey.masked_fill(grey <= PALETTE_SLACK, 0).masked_fill(grey >= 255 - PALETTE_SLACK, 255)
    values = torch.unique(grey).tolist()
    if not (set(values) <= {0, 255} or set(values) <= {0, 1}):
        shown = ", ".join(map(str, values[:4])) + (", ..." if len(values) > 4 else "")
        raise DataError(
            f"The {what} has grey values: {path} holds {len(values)} ({shown}), expected 0 and 255. A mask saved as "
            "JPEG gets them; threshold it and save it as PNG."
        )
    return grey > 0


def _open(path: Path, what: str) -> Image.Image:
    """The decoded image; Pillow's own limit on pixels is an error here, not a warning."""
    if not path.is_file():
        raise DataError(f"No {what}: looked for {path}. Give the path of a file that exists.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                return image
    except UnidentifiedImageError as error:
        raise DataError(f"The {what} is not an image: {path}. Expected TIFF, PNG, JPEG, GIF or PPM.") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(
            f"The {what} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: {path}. Cut or shrink it first."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(f"The {what} is broken: {path} ({error}). Copy it again from its source.") from error


def _size(image: Tensor) -> str:
    """Height x width, for messages."""
    return f"{image.shape[-2]} x {image.shape[-1]} (height x width)"
