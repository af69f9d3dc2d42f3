"""Photographs, labels and fields of view that are arrays: of numpy, torch or Pillow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError

CLASSES = ("background", "foreground")  # where nothing is said of them
ROUNDING = 1e-3  # of a level of 8 bits, in float32
Array = npt.NDArray[Any] | Tensor | Image.Image


def numbers(array: Array) -> npt.NDArray[Any]:
    """What is in an array, as numpy's; of a picture with a palette its indices."""
    if isinstance(array, Tensor):
        array = array.detach().cpu()
        array = (array.float() if array.is_floating_point() else array).numpy()  # numpy has no bfloat16
    return np.asarray(array)


def several(given: Any) -> list[Any]:
    """One thing, or a list or tuple of several, as a list."""
    return list(given) if isinstance(given, list | tuple) else [given]


def as_photograph(array: Array, channels: int = 3) -> Tensor:
    """A photograph that is an array, as a predictor takes it: `(C, H, W)` uint8 or float32 in [0, 1], a copy.

    Args:
        array: `(H, W, C)`, `(C, H, W)` or grey `(H, W)`, which may stand for red, green and blue; uint8, uint16, whose
            white is 65535, or float in [0, 1]. With C at both ends it is `(H, W, C)`.
        channels: C, of the photographs of training.

    Raises:
        ConfigError: another shape, type or range.
    """
    if isinstance(array, Image.Image) and array.mode in ("1", "P"):
        array = array.convert("L" if array.mode == "1" else "RGB")
    pixels = numbers(array)
    found = f"{tuple(pixels.shape)} {pixels.dtype}"
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


def as_levels(photo: Tensor) -> Tensor:
    """A photograph `(C, H, W)` whose floats are all levels of 8 bits as uint8; another one as it is.

    So an image is the same, and known to be, whether its reader has divided by 255.
    """
    if photo.dtype == torch.uint8:
        return photo
    levels = (photo * 255).round()
    return levels.to(torch.uint8) if bool(((photo * 255 - levels).abs() < ROUNDING).all()) else photo


def as_target(label: Array, classes: Sequence[str] = CLASSES) -> Tensor:
    """A label as a target, `(H, W)` uint8.

    Args:
        label: `(H, W)`, `(1, H, W)` or `(H, W, 1)`: bool, or the number of each pixel's class and, where pixels do not
            count, 255.
        classes: background first.

    Raises:
        ConfigError: another shape, or values that are no classes.
    """
    flat = _flat(label)
    values = np.unique(flat)
    found = {*values.tolist()}
    if not found <= {*range(len(classes)), IGNORE} or (len(classes) == 2 and found == {0, IGNORE}):
        mask = " A mask of 0 and 255 is meant as label > 0." if len(classes) == 2 else ""
        some = ", ".join(f"{value:g}" for value in values[:5].tolist()) + (", ..." if len(values) > 5 else "")
        raise ConfigError(
            f"A label holds 0 to {len(classes) - 1} ({', '.join(classes)}) and, where pixels do not count, {IGNORE}; "
            f"found {some}.{mask}"
        )
    return torch.from_numpy(flat.astype(np.uint8))


def as_mask(mask: Array) -> Tensor:
    """A field of view, `(H, W)` bool, from an array of two values, of which one is 0; ConfigError for another."""
    flat = _flat(mask)
    values = np.unique(flat)
    if len(values) > 2 or (len(values) == 2 and values[0] != 0) or not flat.any():
        some = ", ".join(f"{value:g}" for value in values[:5])
        raise ConfigError(f"A field of view is bool, or 0 and one other value, which must be there; found {some}.")
    return torch.from_numpy(flat != 0)


def _flat(array: Array) -> npt.NDArray[Any]:
    """An array of a label, `(H, W)`, with at most one more side, of 1."""
    found = numbers(array)
    sides = found.shape
    if len(sides) == 3 and 1 in (sides[0], sides[2]):
        sides = sides[1:] if sides[0] == 1 else sides[:2]
    if len(sides) != 2 or not found.size:
        raise ConfigError(f"A label is (H, W), found {tuple(found.shape)} {found.dtype}.")
    return found.reshape(sides)
