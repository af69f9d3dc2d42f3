"""Reads image files: photographs as 8-bit RGB, masks as true and false, labels as classes.

Every file is read as viewers show it: the orientation tag of the camera is applied. A file that is missing, broken, too
large or not what is expected in its place is a DataError.
"""

import gzip
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import DataError, UserError

COLOUR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")  # 8 bits a channel once decoded
# Recognised by their content, whatever the file's name. Pillow knows more formats, one of which (EPS) runs a program.
FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # grey with 16 bits or more

FAINT = 4096  # a 16-bit photograph with no value this high holds at most 12 bits, and would be black in 8 bits
PALETTE_SLACK = 8  # grey levels by which a palette's black and white may be off
BAND_ROWS = 256
MAX_VALUES = 300  # an image with more different values is neither a mask nor an index image
MAX_GUNZIPPED = 256 * 1024**2  # bytes: the size in 8-bit RGB of the 89 million pixels that Pillow allows


def read_photo(path: Path) -> Tensor:
    """A photograph as RGB, `(3, H, W)` uint8.

    Grey becomes three equal channels, an alpha channel is dropped, 16 bits a channel (0 to 65535) are scaled to 8 (0
    to 255). A file whose name ends in .gz is unpacked.
    """
    image, is_deep = open_image(path, "photograph")
    if image.mode not in (*COLOUR_MODES, *DEEP_MODES):
        raise DataError(
            f"The photograph {path} has Pillow mode {image.mode}: 8 or 16 bits a channel are expected. Convert it to "
            "8-bit RGB with the contrast that its camera software shows."
        )
    photo = np.empty((image.height, image.width, 3), dtype=np.uint8)
    extremes: list[int] = []  # of 16 bits
    for rows, band in _bands(image):
        if image.mode in DEEP_MODES:
            grey = np.asarray(band, dtype=np.int64)[..., None]  # (rows, W, 1)
            extremes += [int(grey.min()), int(grey.max())]
            photo[rows] = (grey * 255 + 32767) // 65535
        else:
            photo[rows] = np.asarray(_opaque(band).convert("RGB"))
    if is_deep and not extremes:  # Pillow has read the upper 8 bits only
        extremes = [256 * int(photo.max()) + 255]
    if extremes and not 0 <= min(extremes) <= max(extremes) <= 65535:
        raise DataError(
            f"The photograph {path} has values from {min(extremes)} to {max(extremes)}: 0 to 65535 are expected where "
            "there are more than 8 bits. Convert it to 8-bit RGB with the contrast that its camera software shows."
        )
    if extremes and max(extremes) < FAINT:
        raise DataError(
            f"The photograph {path} has 16 bits a channel and no value above {max(extremes)} of 65535: 12-bit or "
            "darker data, black in 8 bits. Stretch all photographs of this kind by one factor first, 16 for 12-bit "
            "data: `magick IN -evaluate multiply 16 OUT`."
        )
    return torch.from_numpy(photo).permute(2, 0, 1)


def read_binary(path: Path, what: str) -> Tensor:
    """A black and white image, `(H, W)` bool: 0 and 255, 0 and 1, 0 and 65535, 1-bit or palette."""
    image, _ = open_image(path, what)
    deep = image.mode in (*DEEP_MODES, "F")  # convert("L") would clip them
    if not deep and "A" in image.getbands() and len(image.getchannel("A").getcolors() or ()) != 1:
        raise DataError(f"The {what} is partly transparent: {path}. Flatten it to black and white first.")

    def grey_of(band: Image.Image) -> NDArray[np.generic]:
        # convert("L") gives the colours of a palette image, whose raw array holds indices.
        grey = np.asarray(band if deep else _opaque(band).convert("L"))  # (rows, W)
        if image.mode == "P":  # DRIVE's second observer is drawn in almost black (3) and almost white (253)
            grey = np.where(grey <= PALETTE_SLACK, 0, np.where(grey >= 255 - PALETTE_SLACK, 255, grey))
        return grey

    white, values = _mask(image, grey_of, bool)
    if not any(values <= {0, white_value} for white_value in (1, 255, 65535)):
        number = f"over {MAX_VALUES}" if len(values) > MAX_VALUES else f"{len(values)}"
        raise DataError(
            f"The {what} has grey values: {path} holds {number} ({_some(sorted(values))}), expected 0 and 255. A mask "
            "saved as JPEG gets them; threshold it and save it as PNG."
        )
    return white


def read_classes(path: Path, what: str, classes: Sequence[str]) -> Tensor:
    """An index image, `(H, W)` uint8: for each pixel the index of its class in `classes`, or IGNORE.

    Annotation tools write palette images: their indices count, not their colours.
    """
    image, _ = open_image(path, what)
    expected = f"0 to {len(classes) - 1} ({', '.join(classes)}) or {IGNORE} (ignored)"
    if image.mode not in ("1", "L", "P", *DEEP_MODES):
        raise DataError(
            f"The {what} has Pillow mode {image.mode}: {path}. An index image is expected (grey or palette), with "
            f"values {expected}."
        )
    indices, values = _mask(image, lambda band: np.asarray(band, dtype=np.int32), np.uint8)
    if any(value != IGNORE and not 0 <= value < len(classes) for value in values):
        raise DataError(
            f"The {what} holds the values {_some(sorted(values))}: {path}, expected {expected}. Renumber them, "
            "or name all classes in data.dataset.classes."
        )
    return indices


def open_image(path: Path, what: str) -> tuple[Image.Image, bool]:
    """The decoded image, and whether its channels had 16 bits; Pillow's warning of many pixels is an error here."""
    if not os.path.isfile(path):
        raise DataError(f"No {what}: looked for {path}. Give the path of a file that exists.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, which is not used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(_gunzip(path, what) if path.suffix == ".gz" else path, formats=FORMATS) as image:
                is_deep = any(";16" in str(tile[3]) for tile in image.tile[:1])  # only known before decoding
                if 0 in image.size:
                    raise DataError(f"The {what} has no pixels: {path}. Copy it again from its source.")
                image.load()
                ImageOps.exif_transpose(image, in_place=True)  # otherwise even an upright photograph is copied
                return image, is_deep
    except UserError:
        raise
    except Exception as error:  # a broken file may raise anything in the parser of its format
        said = str(error)[:200] or type(error).__name__
        wrong = f"is broken: {path} ({said}). Copy it again from its source."
        if isinstance(error, UnidentifiedImageError):
            wrong = f"is not an image: {path}. Expected TIFF, PNG, JPEG, GIF, BMP, WebP or PPM."
        if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
            wrong = f"has more than {Image.MAX_IMAGE_PIXELS:,} pixels: {path}. Cut or shrink it first."
        raise DataError(f"The {what} {wrong}") from error


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
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
    for rows, band in _bands(image):
        pixels[rows] = found = seen(band)
        values.update(np.unique(found)[: MAX_VALUES + 1].tolist())
        if len(values) > MAX_VALUES:
            break
    return torch.from_numpy(pixels), values


def _gunzip(path: Path, what: str) -> BytesIO:
    """The content of a gzip file, at most as much as Pillow would decode."""
    with gzip.open(path) as file:
        content = file.read(MAX_GUNZIPPED + 1)
    if len(content) > MAX_GUNZIPPED:
        raise DataError(f"The {what} unpacks to more than {MAX_GUNZIPPED:,} bytes: {path}. It was not read.")
    return BytesIO(content)


def _opaque(image: Image.Image) -> Image.Image:
    """A palette image with transparency as RGBA, so that Pillow does not warn; others unchanged."""
    return image.convert("RGBA") if image.mode == "PA" or "transparency" in image.info else image


def _some(values: Sequence[float]) -> str:
    """The first four values, for messages."""
    return ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")
