"""Image files in: photographs as 8-bit RGB, masks as truth values, labels as classes.

Every file is read as a viewer shows it: an orientation tag that a camera has left is applied.
"""

import gzip
import struct
import warnings
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import DataError

COLOUR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")  # 8 bits a channel once decoded
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # grey with 16 bits or more

FAINT = 4096  # a 16-bit photograph without a value from here on holds 12 bits at most, and is black in 8
PALETTE_SLACK = 8  # grey levels that a palette's black and white may be off
BAND = 256  # rows
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
        grey = torch.from_numpy(np.array(image, dtype=np.int32))  # (H, W)
        if grey.min() < 0 or grey.max() > 65535:
            raise DataError(
                f"The photograph {path} has values from {grey.min()} to {grey.max()}: 0 to 65535 are expected where "
                "there are more than 8 bits. Convert it to 8-bit RGB with the contrast that its camera software shows."
            )
        _check_range(path, int(grey.max()))
        return ((grey * 255 + 32767) // 65535).to(torch.uint8).expand(3, -1, -1).clone()
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
    if image.mode in (*DEEP_MODES, "F"):
        grey = torch.from_numpy(np.array(image, dtype=np.float64))  # convert("L") would clip them
    else:
        if "A" in image.getbands() and len(image.getchannel("A").getcolors() or ()) != 1:
            raise DataError(f"The {what} is partly transparent: {path}. Flatten it to black and white first.")
        # convert("L") looks palette colours up; the raw array of a palette image holds indices instead.
        grey = torch.from_numpy(np.array(_opaque(image).convert("L")))  # (H, W)
    if image.mode == "P":  # DRIVE's second observer is drawn in almost black (3) and almost white (253)
        grey = grey.masked_fill(grey <= PALETTE_SLACK, 0).masked_fill(grey >= 255 - PALETTE_SLACK, 255)
    values = torch.unique(grey).tolist()
    if not any(set(values) <= {0, white} for white in (1, 255, 65535)):
        raise DataError(
            f"The {what} has grey values: {path} holds {len(values)} ({_some(values)}), expected 0 and 255. A mask "
            "saved as JPEG gets them; threshold it and save it as PNG."
        )
    return grey > 0


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
    indices = torch.from_numpy(np.array(image, dtype=np.int32))  # (H, W)
    values = torch.unique(indices).tolist()
    if any(value != IGNORE and not 0 <= value < len(classes) for value in values):
        raise DataError(
            f"The {what} holds the values {_some(values)}: {path}, {expected}. Renumber them, or name all classes in "
            "data.dataset.classes."
        )
    return indices.to(torch.uint8)


def size_of(image: Tensor) -> str:
    """Height x width, for messages."""
    return f"{image.shape[-2]} x {image.shape[-1]} (height x width)"


def _open(path: Path, what: str) -> tuple[Image.Image, bool]:
    """The decoded image, and whether its channels had 16 bits; Pillow's own limit on pixels is an error here."""
    if not path.is_file():
        raise DataError(f"No {what}: looked for {path}. Give the path of a file that exists.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(_unpack(path, what) if path.suffix == ".gz" else path) as image:
                is_deep = any(";16" in str(tile[3]) for tile in image.tile[:1])  # known before decoding alone
                image.load()
                ImageOps.exif_transpose(image, in_place=True)  # else even an upright photograph is copied
                return image, is_deep
    except UnidentifiedImageError as error:
        raise DataError(f"The {what} is not an image: {path}. Expected TIFF, PNG, JPEG, GIF or PPM.") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(
            f"The {what} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: {path}. Cut or shrink it first."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"The {what} is broken: {path} ({error}). Copy it again from its source.") from error


def _pixels(image: Image.Image) -> Tensor:
    """The colours of an image, `(3, H, W)` uint8; in bands of rows, where Pillow would make three copies of it all."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top in range(0, image.height, BAND):
        band = image.crop((0, top, image.width, min(top + BAND, image.height)))
        pixels[top : top + BAND] = np.asarray(_opaque(band).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)


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
