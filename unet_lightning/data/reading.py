"""Reads what is drawn on photographs: masks as true and false, labels as classes.

Every file is read as viewers show it: the orientation tag of the camera is applied. A file that is missing, broken, too
large or not what is expected in its place is a DataError; so is one whose meaning is not sure.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.data.opening import Picture, open_image
from unet_lightning.data.palette import renumbered, white_indices
from unet_lightning.errors import DataError

DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # grey with 16 bits or more
GREY_MODES = ("1", "L", *DEEP_MODES, "F")  # whose numbers are taken as they are
MASK_MODES = (*GREY_MODES, "P", "LA", "PA", "RGB", "RGBA", "RGBX")

BAND_ROWS = 256
MAX_VALUES = 300  # an image with more different values is neither a mask nor an index image
COLOURED = -1  # in the place of a grey level


def read_binary(path: Path, what: str) -> Tensor:
    """A black and white image, `(H, W)` bool: 0 and 255, 0 and 1, 0 and the format's white, 1-bit or palette."""
    picture = open_image(path, what)
    image = picture.image
    if image.mode not in MASK_MODES or (picture.deep and image.mode not in GREY_MODES):
        depth = "16 bits a channel and colours" if picture.deep else f"Pillow mode {image.mode}"
        raise DataError(
            f"The {what} has {depth}: {path}. Black and white are expected, as grey, palette or 8-bit RGB: save it as "
            "8-bit grey PNG of 0 and 255."
        )
    check_opaque(image, path, what)
    if image.mode == "P":
        return _read_palette_mask(image, path, what)

    def grey_of(band: Image.Image) -> NDArray[np.generic]:
        if image.mode in GREY_MODES:
            return stored_numbers(picture, band)
        colours = np.asarray(opaque(band).convert("RGB"))  # (rows, W, 3)
        red = colours[..., 0].astype(np.int16)
        return np.where((colours == colours[..., :1]).all(axis=2), red, COLOURED)

    white, values = _mask(image, grey_of, bool)
    if not any(values <= {0, level} for level in (1, 255, picture.stored, 65535)) or not (
        picture.exact or values == {0, 255}
    ):
        raise DataError(_no_mask(path, what, values))
    return white


def _read_palette_mask(image: Image.Image, path: Path, what: str) -> Tensor:
    """A mask whose file holds indices of colours."""
    indices, values = _mask(image, np.asarray, np.uint8)
    palette = image.getpalette() or []
    used = {int(value) for value in values}
    if (white := white_indices(palette, used)) is None:
        colours = [tuple(palette[3 * index : 3 * index + 3]) for index in sorted(used)]
        if all(len({*colour}) == 1 for colour in colours):
            raise DataError(_no_mask(path, what, {colour[0] for colour in colours}))
        raise DataError(
            f"The {what} is a palette image of other colours than black and white: {path} holds {_number_of(used)} "
            f"({', '.join(map(str, colours[:4]))}) by the indices {_some(sorted(used))}. Of black and a colour the "
            "indices 0 and 1 are expected. Save it as 8-bit grey PNG of 0 and 255."
        )
    return torch.isin(indices, torch.tensor(sorted(white), dtype=torch.uint8))


def _no_mask(path: Path, what: str, values: Collection[float]) -> str:
    """The message about what is neither black nor white."""
    if COLOURED in values and {*values} <= {COLOURED, 0, 1, 255}:
        return f"The {what} has colours: {path}, expected black and white. Make what is meant white and all else black."
    levels = sorted({*values} - {COLOURED})
    return (
        f"The {what} has grey values: {path} holds {_number_of(values)} ({_some(levels)}), expected 0 and 255. A mask "
        "saved as JPEG or WebP gets them; threshold it and save it as PNG."
    )


def read_partly_known(path: Path, what: str, ignored: int) -> Tensor:
    """A black and white image with a grey level of pixels to ignore, as 0, 1 and IGNORE: `(H, W)` uint8."""
    picture = open_image(path, what)
    grey, values = _mask(picture.image.convert("L"), np.asarray, np.uint8)
    if picture.image.mode != "L" or not picture.exact or not values <= {0, ignored, 255}:
        raise DataError(
            f"The {what} holds {_some(sorted(values))} (Pillow mode {picture.image.mode}): {path}. Black (0), white "
            f"(255) and {ignored} (ignored) are expected, in 8-bit grey PNG."
        )
    return torch.where(grey == ignored, IGNORE, (grey == 255).to(torch.uint8))


def read_classes(path: Path, what: str, classes: Sequence[str]) -> Tensor:
    """An index image, `(H, W)` uint8: for each pixel the index of its class in `classes`, or IGNORE.

    Annotation tools write palette images: their indices count, not their colours.
    """
    picture = open_image(path, what)
    image = picture.image
    expected = f"0 to {len(classes) - 1} ({', '.join(classes)}) or {IGNORE} (ignored)"
    if image.mode not in ("1", "L", "P", *DEEP_MODES):
        raise DataError(
            f"The {what} has Pillow mode {image.mode}: {path}. An index image is expected (grey or palette), with "
            f"values {expected}."
        )
    if picture.inverted or not picture.exact:
        why = "white stored as 0" if picture.inverted else "JPEG or WebP, which change values"
        raise DataError(
            f"The {what} does not surely hold the numbers that were drawn ({why}): {path}. Save it as PNG, with "
            f"values {expected}."
        )
    indices, values = _mask(image, lambda band: stored_numbers(picture, band), np.uint8)
    if any(value != IGNORE and not 0 <= value < len(classes) for value in values):
        raise DataError(
            f"The {what} holds the values {_some(sorted(values))}: {path}, expected {expected}. Renumber them, "
            "or name all classes in data.dataset.classes."
        )
    used, known = {int(value) for value in values}, {*range(len(classes)), IGNORE}
    if image.mode == "P" and renumbered(image.getpalette() or [], used, known, image.format == "GIF"):
        raise DataError(
            f"The {what} may have been renumbered, as GIF does with a palette: {path} holds the indices "
            f"{_some(sorted(used))}. Save it as grey PNG, with values {expected}."
        )
    return indices


def stored_numbers(picture: Picture, band: Image.Image) -> NDArray[np.generic]:
    """The numbers in the file, `(rows, W)`; Pillow spreads those of 2 and 4 bits, and of a PGM, over 0 to white."""
    numbers = np.asarray(band)
    if picture.stored == picture.shown:
        return numbers
    return (numbers.astype(np.int64) * picture.stored + picture.shown // 2) // picture.shown


def bands_of(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The image in bands of rows, to save memory: other types take several times that of 8 bits a channel."""
    for top in range(0, image.height, BAND_ROWS):
        end = min(top + BAND_ROWS, image.height)
        yield slice(top, end), image.crop((0, top, image.width, end))


def _mask(
    image: Image.Image, seen: Callable[[Image.Image], NDArray[np.generic]], dtype: type
) -> tuple[Tensor, set[float]]:
    """What is `seen` in the bands, `(H, W)`, and its different values, which may be others than `dtype` holds.

    Where there are more values than a mask has, the rest is not read.
    """
    pixels: NDArray[np.generic] = np.empty((image.height, image.width), dtype)
    values: set[float] = set()
    for rows, band in bands_of(image):
        pixels[rows] = found = seen(band)
        values.update(np.unique(found)[: MAX_VALUES + 1].tolist())
        if len(values) > MAX_VALUES:
            break
    return torch.from_numpy(pixels), values


def check_opaque(image: Image.Image, path: Path, what: str) -> None:
    """Raises DataError where what is drawn is more transparent in some pixels than in others."""
    if "A" in image.getbands() and len(image.getchannel("A").getcolors() or ()) != 1:
        raise DataError(f"The {what} is partly transparent: {path}. Flatten it first.")


def opaque(image: Image.Image) -> Image.Image:
    """A palette image with transparency as RGBA, so that Pillow does not warn; others unchanged."""
    return image.convert("RGBA") if image.mode == "PA" or "transparency" in image.info else image


def _some(values: Sequence[float]) -> str:
    """The first four values, for messages."""
    return ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")


def _number_of(values: Collection[float]) -> str:
    """How many values there are, for messages."""
    return f"over {MAX_VALUES}" if len(values) > MAX_VALUES else f"{len(values)}"
