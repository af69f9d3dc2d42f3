"""Photographs to predict: files, folders and data sets."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.form import RGB, Form
from unet_lightning.data.kept import Kept, bytes_of
from unet_lightning.data.opening import check_turns
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.given import Given
from unet_lightning.text import as_id


@dataclass(frozen=True)
class Photograph:
    """One photograph, read when its turn comes."""

    name: Path  # of its pictures, below the output folder and without a suffix
    # Photo (C, H, W) uint8 or float32; the field of view that comes with it (H, W) bool, or None.
    read: Callable[[], tuple[Tensor, Tensor | None]]
    source: str = ""  # what was given: a file, or an image of a data set
    find_fov: bool = False  # whether the field of view is looked for in the photograph


def photographs_in(found: Given, fov: str, form: Form = RGB) -> list[Photograph]:
    """The photographs of files; `fov` is `auto`, `none`, the path of a mask, or a folder of masks of their names."""
    return [
        Photograph(name, partial(read_with_mask, file, fov, form), str(file), fov == "auto")
        for name, file in found.files
    ]


def check_outside(paths: Sequence[str], pictures: Path) -> None:
    """Raises ConfigError where the folder of pictures lies in a folder of photographs."""
    for path in paths:
        if os.path.isdir(path) and pictures.resolve().is_relative_to(Path(path).resolve()):
            raise ConfigError(
                f"The pictures would be photographs of the next command: give --out a folder outside {path}."
            )


def photographs_of(dataset: SegmentationDataset, fov: str) -> list[Photograph]:
    """The photographs of a data set, labels or not; `fov` is `auto` (the data set's own) or as in `photographs_in`."""

    def read(index: int) -> tuple[Tensor, Tensor | None]:
        if fov not in ("auto", "none"):
            return read_with_mask(dataset.files[index].photo, fov, dataset.found_form)
        single = dataset.subset([dataset.image_ids[index]])  # so that what it keeps in memory goes with it
        single.kept = Kept(bytes_of("auto"))
        return single.photo(0), single.field_of_view(0) if fov == "auto" else None

    return [
        Photograph(Path(image_id), partial(read, index), f"image {image_id} of {dataset.name}")
        for index, image_id in enumerate(dataset.image_ids)
    ]


def read_with_mask(path: Path, fov: str, form: Form = RGB) -> tuple[Tensor, Tensor | None]:
    """Photo and mask of a file; see `photographs_in`."""
    photo = read_photo(path, form)
    if fov in ("auto", "none"):
        return photo, None
    mask_path = Path(fov)
    if os.path.isdir(mask_path):
        name = as_id(path.stem)
        masks = [file for file in sorted(mask_path.iterdir()) if as_id(file.stem) in (name, f"{name}_mask")]
        if len(masks) != 1:
            raise DataError(f"{len(masks)} field-of-view masks for {path} in {fov}: expected one of the same name.")
        mask_path = masks[0]
    mask = read_binary(mask_path, "field-of-view mask")
    if mask.shape != photo.shape[1:]:
        raise DataError(
            f"The field-of-view mask {mask_path} is {tuple(mask.shape)}, the photograph {path} "
            f"{tuple(photo.shape[1:])} (height, width): both must have one size."
        )
    check_turns(path, mask_path, "field-of-view mask")
    if not mask.any():
        raise DataError(f"The field-of-view mask {mask_path} of the photograph {path} is empty.")
    return photo, mask
