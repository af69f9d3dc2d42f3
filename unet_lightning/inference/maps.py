"""Masks and probability maps as image files; of a large grey one no second copy is made."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageColor, PngImagePlugin
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.data.opening import open_image
from unet_lightning.data.shown import shown
from unet_lightning.errors import DataError
from unet_lightning.files import whole_file
from unet_lightning.inference.colours import class_colours

BAND = 64  # rows
COMPRESSION = 4  # of a PNG's compression: half the time of Pillow's 6 for files larger by 2 to 6 %
MADE_BY, MADE_OF = "unet_lightning", "photograph"  # the keywords of texts in a PNG
WHITE = {"L": 255, "I;16": 65535, "I;16B": 65535}  # Pillow's modes of grey, and their greatest value
ROUNDING = 1e-6  # that a float32 softmax may leave [0, 1]
OPACITY = 0.85


def overlay(photo: Tensor, drawn: Tensor) -> Tensor:
    """The photograph as it is `shown`, with classes painted over it, each in its colour; it is changed, not copied.

    Args:
        photo: `(C, H, W)` uint8, or float32 in [0, 1].
        drawn: the pixels of each class but the background, `(C - 1, H, W)` bool.
    """
    photo = shown(photo)
    for pixels_of, name in zip(drawn, class_colours(len(drawn) + 1)[1:], strict=True):
        colour = torch.tensor(ImageColor.getrgb(name))[:, None]
        for row, marked in zip(photo.unbind(1), pixels_of, strict=True):  # (3, W) and (W,)
            pixels = row[:, marked]
            row[:, marked] = (pixels * (1 - OPACITY) + colour * OPACITY).round().to(torch.uint8)
    return photo


def save_image(image: Tensor, path: Path, made_by: str | None = None, made_of: str | None = None) -> None:
    """Writes `(H, W)` or `(3, H, W)` uint8 in the format of the suffix, whole or not at all.

    `made_by` (what) and `made_of` (which photograph) are texts that a PNG keeps: see `text_in`.
    """
    pixels = image.permute(1, 2, 0) if image.ndim == 3 else image  # of a photograph as it was read: (H, W, 3)
    _save(Image.fromarray(pixels.contiguous().numpy()), path, {MADE_BY: made_by, MADE_OF: made_of})


def save_classes(numbers: Tensor, path: Path, made_by: str | None = None, made_of: str | None = None) -> None:
    """Writes the number of each pixel's class, `(H, W)` uint8, as PNG with a palette that shows them in colours."""
    image = Image.fromarray(numbers.contiguous().numpy())
    # All colours that there are: for fewer Pillow writes fewer bits a pixel, which not every reader takes.
    image.putpalette([level for colour in class_colours(IGNORE) for level in ImageColor.getrgb(colour)])
    _save(image, path, {MADE_BY: made_by, MADE_OF: made_of})


def save_probability(probability: Tensor, path: Path, made_by: str | None = None, made_of: str | None = None) -> None:
    """Writes `(H, W)` float32 in [0, 1] as 16-bit grey PNG: 65535 is probability 1; see `save_image` on the texts."""
    levels = np.empty(tuple(probability.shape), dtype=np.uint16)
    for top in range(0, len(probability), BAND):
        levels[top : top + BAND] = (probability[top : top + BAND] * WHITE["I;16"]).round().numpy()
    _save(Image.fromarray(levels), path, {MADE_BY: made_by, MADE_OF: made_of})


def text_in(path: Path, keyword: str = MADE_BY) -> str | None:
    """The text that a picture of ours keeps of what made it, or of what; None where it has none, whatever it is."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            found = image.info.get(keyword)
    except Exception:  # it is no PNG, or a broken one: who reads the map itself says so
        return None
    return found if isinstance(found, str) else None


def read_probability(path: Path) -> Tensor:
    """A probability map that this program has written, `(H, W)` float32 in [0, 1]; see `read_levels`."""
    levels, white = read_levels(path)
    return levels.div_(white)


def read_levels(path: Path) -> tuple[Tensor, int]:
    """A probability map that this or another program has written, `(H, W)` float32, and what is probability 1 in it.

    Args:
        path: grey image of 8 or 16 bits, whose white is probability 1; or a `.npy` file of floats in [0, 1], `(H, W)`
            or `(1, H, W)`.

    Raises:
        DataError: no such file, broken, or anything else in it.
    """
    if path.suffix == ".npy" and os.path.isfile(path):  # Path.is_file raises where a name is too long
        return _read_array(path), 1
    image = open_image(path, "probability map").image
    if image.mode not in WHITE:
        raise DataError(
            f"The probability map {path} has Pillow mode {image.mode}, expected grey of 8 or 16 bits (L or I;16). Save "
            "the probability alone, without colours or transparency."
        )
    return torch.from_numpy(np.array(image).astype(np.float32)), WHITE[image.mode]


def _read_array(path: Path) -> Tensor:
    """A map from a file of numpy's; objects in it, which could run code, are not loaded."""
    try:
        # Mapped: a header cannot claim more than is there. np.load would look into archives and pickles as well.
        array = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # numpy parses the header as Python
        raise DataError(
            f"The probability map {path} is broken, or holds more than plain numbers ({error}). Save one array of "
            "float32 by numpy.save."
        ) from error
    shape = array.shape[1:] if array.ndim == 3 and len(array) == 1 else array.shape
    if array.dtype.kind != "f" or len(shape) != 2 or 0 in shape:
        raise DataError(
            f"The probability map {path} holds {array.shape} {array.dtype}, expected (H, W) or (1, H, W) floats in "
            "[0, 1]."
        )
    probability = torch.from_numpy(array.reshape(shape).astype(np.float32))
    low, high = float(probability.min()), float(probability.max())  # NaN where there is one
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise DataError(
            f"The probability map {path} has values from {low:.3g} to {high:.3g}, expected 0 to 1. Save probabilities "
            "after the softmax or sigmoid, not logits, and no NaN."
        )
    return probability.clamp_(0, 1)


def _save(image: Image.Image, path: Path, texts: Mapping[str, str | None]) -> None:
    kept = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        if text is not None:
            kept.add_text(keyword, text, zip=True)
    with whole_file(path) as temporary:
        image.save(temporary, compress_level=COMPRESSION, pnginfo=kept)
