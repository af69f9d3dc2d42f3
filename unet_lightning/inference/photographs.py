"""Photographs to predict: files, folders, data sets and arrays."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.form import RGB, Form
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


def as_photograph(array: NDArray[np.generic] | Tensor, channels: int = 3) -> Tensor:
    """A photograph that is an array, as a predictor takes it: `(C, H, W)` uint8 or float32 in [0, 1], a copy.

    Args:
        array: `(H, W, C)`, `(C, H, W)` or grey `(H, W)`, which may stand for red, green and blue; uint8, uint16, whose
            white is 65535, or float in [0, 1]. With C at both ends it is `(H, W, C)`.
        channels: C, of the photographs of training.

    Raises:
        ConfigError: another shape, type or range.
    """
    if isinstance(array, Tensor):
        array = array.detach().cpu()
        array = (array.float() if array.is_floating_point() else array).numpy()  # numpy has no bfloat16
    pixels, found = np.asarray(array), f"{tuple(array.shape)} {array.dtype}"
    if pixels.ndim == 2:
        pixels = np.broadcast_to(pixels, (3 if channels == 3 else 1, *pixels.shape))
    elif pixels.ndim == 3 and pixels.shape[2] == channels:
        pixels = pixels.transpose(2, 0, 1)
    is_float = pixels.dtype.kind == "f"
    whole = pixels.dtype in (np.uint8, np.uint16)
    fits = pixels.ndim == 3 and len(pixels) == channels and pixels.size > 0 and (is_float or whole)
    if fits and is_float:
        low, high = float(pixels.min()), float(pixels.max())  # NaN where there is one
        found, fits = f"{found} from {low:.3g} to {high:.3g}", low >= 0 and high <= 1
    if not fits:
        raise ConfigError(
            f"This array is no photograph: found {found}, expected (H, W, {channels}), ({channels}, H, W)"
            f"{' or (H, W)' if channels in (1, 3) else ''} in uint8 or uint16, or in float from 0 to 1."
        )
    if pixels.dtype == np.uint8:
        return torch.from_numpy(pixels.astype(np.uint8, order="C"))
    return torch.from_numpy(pixels.astype(np.float32, order="C") / np.float32(1 if is_float else 65535))
