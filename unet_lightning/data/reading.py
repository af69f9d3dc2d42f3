"""Image files in: photographs as 8-bit RGB, masks as truth values, labels as classes.

Every file is read as a viewer shows it: an orientation tag that a camera has left is applied.
"""

import gzip
import os
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import DataError, UserError

COLOUR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")  # 8 bits a channel once decoded
# Looked for in the content, whatever the file is called; Pillow knows more, one of which (EPS) is a program to run.
FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # grey with 16 bits or more

FAINT = 4096  # a 16-bit photograph without a value from here on holds 12 bits at most, and is black in 8
PALETTE_SLACK = 8  # grey levels that a palette's black and white may be off
BAND = 256  # rows
FEW = 300  # different values of an image, after which it is no mask and no index image
MOST_BYTES = 256 * 1024**2  # unpacked from .gz: what Pillow's limit of 89 million pixels takes in 8-bit RGB


def read_photo(path: Path) -> Tensor:
    """A photograph as RGB, `(3, H, W)` uint8.

    Grey becomes three equal channels, an alpha channel is dropped, 16 bits a channel are scaled from 0 to 65535 down
    to 0 to 255. A file that ends in .gz is unpacked.

    Raises:
        DataError: no such file, not an image, broken, too large, floating-point, or 16 bits that hold 12 or less.
    """
    image, is_deep = _open(path, "photograph")
    if image.mode in DEEP_MODES:
        return _scaled(path, image).expand(3, -1, -1).clone()
    if image.mode not in COLOUR_MODES:
        raise DataError(
            f"The photograph {path} has Pillow mode {image.mode}: 8 or 16 bits a channel are expected. Convert it to "
            "8-bit RGB with the contrast that its camera software shows."
        )
    photo = _pixels(image)
    if is_deep:  # Pillow has kept the upper 8 bits
        _check_range(path, 256 * int(photo.max()) + 255)
    return photo


def read_binary(path: Path, what: str) -> Tensor:
    """A two-valued image as bool, `(H, W)`: 0 and 255, 0 and 1, 0 and 65535, 1-bit or palette.

    Raises:
        DataError: no such file, not an image, broken, too large, partly transparent, or more than two values.
    """
    image, _ = _open(path, what)
    deep = image.mode in (*DEEP_MODES, "F")  # convert("L") would clip them
    if not deep and "A" in image.getbands() and len(image.getchannel("A").getcolors() or ()) != 1:
        raise DataError(f"The {what} is partly transparent: {path}. Flatten it to black and white first.")
    white = np.empty((image.height, image.width), dtype=bool)
    values: set[float] = set()
    for rows, band in _bands(image):
        # convert("L") looks palette colours up; the raw array of a palette image holds indices instead.
        grey = np.asarray(band if deep else _opaque(band).convert("L"))  # (rows, W)
        if image.mode == "P":  # DRIVE's second observer is drawn in almost black (3) and almost white (253)
            grey = np.where(grey <= PALETTE_SLACK, 0, np.where(grey >= 255 - PALETTE_SLACK, 255, grey))
        white[rows] = grey > 0
        values.update(np.unique(grey)[: FEW + 1].tolist())
        if len(values) > FEW:
            break
    if not any(values <= {0, white_value} for white_value in (1, 255, 65535)):
        number = f"over {FEW}" if len(values) > FEW else f"{len(values)}"
        raise DataError(
            f"The {what} has grey values: {path} holds {number} ({_some(sorted(values))}), expected 0 and 255. A mask "
            "saved as JPEG gets them; threshold it and save it as PNG."
        )
    return torch.from_numpy(white)


def read_classes(path: Path, what: str, classes: Sequence[str]) -> Tensor:
    """An index image, `(H, W)` uint8: each pixel the place of its class in `classes`, or IGNORE.

    Of a palette image, as annotation tools write them, the indices count, not the colours.

    Raises:
        DataError: no such file, not an image, broken, too large, colours, or a value that is no class.
    """
    image, _ = _open(path, what)
    expected = f"expected 0 to {len(classes) - 1} ({', '.join(classes)}) or {IGNORE} (ignored)"
    if image.mode not in ("1", "L", "P", *DEEP_MODES):
        raise DataError(
            f"The {what} has Pillow mode {image.mode}: {path}. An index image is expected (grey or palette), its "
            f"values {expected}."
        )
    indices = np.empty((image.height, image.width), dtype=np.uint8)
    values: set[int] = set()
    for rows, band in _bands(image):
        found = np.asarray(band, dtype=np.int32)
        values.update(np.unique(found)[: FEW + 1].tolist())
        indices[rows] = found & IGNORE  # what does not fit is no class
        if len(values) > FEW:
            break
    if any(value != IGNORE and not 0 <= value < len(classes) for value in values):
        raise DataError(
            f"The {what} holds the values {_some(sorted(values))}: {path}, {expected}. Renumber them, or name all "
            "classes in data.dataset.classes."
        )
    return torch.from_numpy(indices)


def size_of(image: Tensor) -> str:
    """Height x width, for messages."""
    return f"{image.shape[-2]} x {image.shape[-1]} (height x width)"


def _open(path: Path, what: str) -> tuple[Image.Image, bool]:
    """The decoded image, and whether its channels had 16 bits; Pillow's own limit on pixels is an error here."""
    if not os.path.isfile(path):
        raise DataError(f"No {what}: looked for {path}. Give the path of a file that exists.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that nobody reads here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(_unpack(path, what) if path.suffix == ".gz" else path, formats=FORMATS) as image:
                is_deep = any(";16" in str(tile[3]) for tile in image.tile[:1])  # known before decoding alone
                if 0 in image.size:
                    raise DataError(f"The {what} has no pixels: {path}. Copy it again from its source.")
                image.load()
                ImageOps.exif_transpose(image, in_place=True)  # else even an upright photograph is copied
                return image, is_deep
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f"The {what} is not an image: {path}. Expected TIFF, PNG, JPEG, GIF, BMP, WebP or PPM."
        ) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(
            f"The {what} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: {path}. Cut or shrink it first."
        ) from error
    except Exception as error:  # each format has a parser, which stumbles in its own way over a broken file
        said = str(error)[:200] or type(error).__name__
        raise DataError(f"The {what} is broken: {path} ({said}). Copy it again from its source.") from error


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The image in bands of rows: whole images of other types take several times the memory of the pixels."""
    for top in range(0, image.height, BAND):
        end = min(top + BAND, image.height)
        yield slice(top, end), image.crop((0, top, image.width, end))


def _pixels(image: Image.Image) -> Tensor:
    """The colours of an image, `(3, H, W)` uint8."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for rows, band in _bands(image):
        pixels[rows] = np.asarray(_opaque(band).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _scaled(path: Path, image: Image.Image) -> Tensor:
    """A grey photograph of 16 bits in 8, `(H, W)` uint8."""
    scaled = np.empty((image.height, image.width), dtype=np.uint8)
    extremes: list[int] = []
    for rows, band in _bands(image):
        grey = np.asarray(band, dtype=np.int64)
        extremes += [int(grey.min()), int(grey.max())]
        scaled[rows] = ((grey * 255 + 32767) // 65535).astype(np.uint8)
    low, high = min(extremes), max(extremes)
    if low < 0 or high > 65535:
        raise DataError(
            f"The photograph {path} has values from {low} to {high}: 0 to 65535 are expected where there are more than "
            "8 bits. Convert it to 8-bit RGB with the contrast that its camera software shows."
        )
    _check_range(path, high)
    return torch.from_numpy(scaled)


def _unpack(path: Path, what: str) -> BytesIO:
    """The content of a gzip file, never more than Pillow would decode."""
    with gzip.open(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DataError(f"The {what} unpacks to more than {MOST_BYTES:,} bytes: {path}. It was not read.")
    return BytesIO(content)


def _opaque(image: Image.Image) -> Image.Image:
    """A palette image with transparency as RGBA, without which Pillow warns; others as they are."""
    return image.convert("RGBA") if image.mode == "PA" or "transparency" in image.info else image


def _check_range(path: Path, brightest: int) -> None:
    """Raises DataError where 16 bits hold so little that 8 bits would show nothing of it."""
    if brightest < FAINT:
        raise DataError(
            f"The photograph {path} has 16 bits a channel and no value above {brightest} of 65535: 12-bit or darker "
            "data, black in 8 bits. Stretch all its like by one factor first, 16 for 12-bit data: "
            "`magick IN -evaluate multiply 16 OUT`."
        )


def _some(values: Sequence[float]) -> str:
    """The first values, for messages."""
    return ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if len(values) > 4 else "")
