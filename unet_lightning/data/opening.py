"""Opens image files: upright as viewers show them, and only what is surely read right.

The header is checked before any pixel is decoded. A file that is missing, broken, too large, of several pages or of a
kind that Pillow may misread is a DataError.
"""

import contextlib
import gzip
import os
import re
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from unet_lightning.data import tiff
from unet_lightning.errors import DataError, UserError

# Recognised by their content, whatever the file's name. Pillow knows more formats, one of which (EPS) runs a program.
FORMATS = ("BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_SIDE = 32_768  # pixels: a photograph of any camera is shorter, and rows of a longer one take memory without end
MAX_GUNZIPPED = 256 * 1024**2  # bytes: the size in 8-bit RGB of the 89 million pixels that Pillow allows
SIGNED_WHITE = 32767  # of 16 bits
TURNED_ASIDE = (5, 6, 7, 8)  # orientations by which height and width change places
LOSSY = ("JPEG", "MPO", "WEBP")  # WebP can do without loss, which Pillow does not tell
LOSSY_IN_TIFF = ("jpeg", "tiff_jpeg", "webp")
SMALL_GREYS = re.compile(r"L;([24])")  # Pillow's raw modes of 2 and 4 bits, which it spreads over 0 to 255
INVERTED = re.compile(r"[1L];[24]?I")  # its raw modes of files that store white as 0


class Picture(NamedTuple):
    """A decoded image, with what its file says of the numbers in it."""

    image: Image.Image
    deep: bool  # more than 8 bits a channel, of which Pillow keeps 8 where there are colours
    stored: int  # white of a grey image in the file: 1, 3, 15, 255, 4095, 65535 or, in PGM, any
    shown: int  # white of the same in `image`
    inverted: bool  # whether the file stores white as 0
    exact: bool  # whether the format keeps values as they were drawn


class Header(NamedTuple):
    """What a file says of its image before it is decoded."""

    height: int  # as it is stored
    width: int
    turn: int  # the orientation tag; 1: upright
    mode: str  # Pillow's
    transparent: bool  # whether a colour is

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as viewers show it."""
        return (self.width, self.height) if self.turn in TURNED_ASIDE else (self.height, self.width)


def most_pixels() -> int:
    """The most pixels that are decoded at once: 119 million, of which Pillow would warn from 89 million on."""
    return 4 * (Image.MAX_IMAGE_PIXELS or 0) // 3


def open_image(path: Path, what: str) -> Picture:
    """Decodes an image, upright; `what` names it in errors."""
    with _checked(path, what) as image:
        given = image.tile[0][3] if image.tile else ""  # only known before decoding
        kind, *rest = given if isinstance(given, tuple) else (given,)
        small = SMALL_GREYS.match(str(kind))
        scaled = image.format == "PPM" and rest and image.mode in ("L", "I")
        exact = image.format not in LOSSY and image.info.get("compression") not in LOSSY_IN_TIFF
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # otherwise even an upright photograph is copied
        whites = {"I;12": 4095, "I;16S": SIGNED_WHITE, "I;16BS": SIGNED_WHITE}
        shown = {"1": 1, "L": 255}.get(image.mode, whites.get(kind, 65535))
        stored = int(rest[0]) if scaled else 2 ** int(small[1]) - 1 if small else shown
        return Picture(image, ";16" in str(kind), stored, shown, INVERTED.match(str(kind)) is not None, exact)


def header_of(path: Path, what: str) -> Header:
    """The header of an image, checked as for decoding."""
    with _checked(path, what) as image:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
        turn = turn if turn in range(1, 9) else 1  # what is no orientation is upright
        return Header(image.height, image.width, turn, image.mode, "transparency" in image.info)


def lower_bytes(path: Path, what: str) -> Image.Image:
    """The lower 8 of 16 bits of a PNG in colours, of which `open_image` gives the upper 8.

    Pillow takes one byte of two: the lower one where it is told that lower bytes come first, as in no PNG they do.
    """
    with _checked(path, what) as image:
        image.tile = [image.tile[0]._replace(args=image.tile[0].args.replace(";16B", ";16L"))]
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        found: Image.Image = image
    return found


def check_turns(photo: Path, other: Path, what: str) -> None:
    """Raises DataError where photograph and mask (or map) have unlike orientation tags, and nothing tells which holds.

    Both are read upright, and then have one size. Where one tag changes height and width and the other does not, the
    sizes prove that both are right, unless the picture is a square.
    """
    turns, square = [], False
    for path, name in ((photo, "photograph"), (other, what)):
        if path.suffix == ".npy" or tiff.is_untagged(path):  # an array has no tag
            turns.append(1)
            continue
        header = header_of(path, name)
        turns.append(header.turn)
        square = square or header.width == header.height
    asides = [turn in TURNED_ASIDE for turn in turns]
    if turns[0] != turns[1] and (asides[0] == asides[1] or square):
        raise DataError(
            f"The photograph {photo} has orientation tag {turns[0]} and the {what} {other} {turns[1]} (1: upright): "
            "they may be turned against each other. If it was drawn on the photograph as viewers show it, store the "
            "photograph upright (`magick IN -auto-orient OUT`); if it was drawn by a program that ignores the tag, "
            "remove the tag (`exiftool -Orientation= FILE`)."
        )


@contextlib.contextmanager
def _checked(path: Path, what: str) -> Iterator[Any]:
    """An image whose header promises that it can be decoded; what goes wrong in the block is a DataError too."""
    if not os.path.isfile(path):
        raise DataError(f"No {what}: looked for {path}. Give the path of a file that exists.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, which is not used, and about a size that is read
            # Opened by name, Pillow maps the pixels of some TIFFs into memory in the size that they have once turned.
            with _gunzip(path, what) if path.suffix == ".gz" else path.open("rb") as file:
                with Image.open(file, formats=FORMATS) as image:
                    _check_header(image, path, what)
                    yield image
    except UserError:
        raise
    except Exception as error:  # a broken file may raise anything in the parser of its format
        said = str(error)[:200] or type(error).__name__
        wrong = f"is broken: {path} ({said}). Copy it again from its source."
        if isinstance(error, UnidentifiedImageError):
            wrong = f"is not an image: {path}. Expected TIFF, PNG, JPEG, GIF, BMP, WebP or PPM."
            with contextlib.suppress(Exception):  # of the same parser
                if kind := tiff.unopened(path):
                    wrong = f"is a TIFF of a kind that is not read: {path} ({kind}). {tiff.REMEDY}"
        if isinstance(error, Image.DecompressionBombError):
            wrong = f"has more than {most_pixels():,} pixels: {path}. Cut or shrink it first."
        raise DataError(f"The {what} {wrong}") from error


def _check_header(image: Any, path: Path, what: str) -> None:
    """Raises DataError for what would take too much memory, or could be read wrong."""
    wrong = ""
    if 0 in image.size:
        wrong = f"has no pixels: {path}. Copy it again from its source."
    elif max(image.size) > MAX_SIDE:
        wrong = (
            f"is {image.width} x {image.height} pixels (width x height): {path}. At most {MAX_SIDE:,} are read on a "
        )
        wrong += "side: cut or shrink it first."
    elif image.width * image.height > most_pixels():
        wrong = f"has more than {most_pixels():,} pixels: {path}. Cut or shrink it first."
    elif image.format == "TIFF" and (kind := tiff.misread(image.tag_v2, image.tag_v2.prefix == b"II")):
        wrong = f"is a TIFF of a kind that is not read: {path} ({kind}). {tiff.REMEDY}"
    elif tiff.several_pages(image) if image.format == "TIFF" else _is_film(image):
        wrong = f"has more than one page or frame: {path}. Save the one that is meant alone: `magick IN[0] OUT`; "
        wrong += "where each page of a TIFF is a channel, say how many: data.dataset.channels."
    if wrong:
        raise DataError(f"The {what} {wrong}")


def _is_film(image: Image.Image) -> bool:
    """Whether there is a second frame; a JPEG may carry other views of the photograph behind it (MPO)."""
    return bool(getattr(image, "is_animated", False)) and image.format != "MPO"


def _gunzip(path: Path, what: str) -> BytesIO:
    """The content of a gzip file, at most as much as Pillow would decode."""
    with gzip.open(path) as file:
        content = file.read(MAX_GUNZIPPED + 1)
    if len(content) > MAX_GUNZIPPED:
        raise DataError(f"The {what} unpacks to more than {MAX_GUNZIPPED:,} bytes: {path}. It was not read.")
    return BytesIO(content)
