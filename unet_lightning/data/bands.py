"""TIFF photographs by tifffile: of many channels, of more than 8 bits, or a window of one without the rest.

What Pillow reads too, both read alike.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unet_lightning.data import tiff
from unet_lightning.errors import DataError, UserError

MOST_BANDS = 64
MOST_SIDE = 32_768  # pixels
MOST_BYTES = 2 * 1024**3  # of a decoded photograph
MOST_GROWTH, FREE_GROWTH = 200, 256 * 1024**2  # times that a file may grow, beyond so many bytes
LARGE_SEGMENT = 16 * 1024**2  # bytes of a strip or tile: a window decodes all of each that it touches
SMALL = 64 * 1024  # bytes of a packed strip, of which 64 MB may come at most
TYPES = {
    (8, tiff.UNSIGNED): "u1",
    (16, tiff.UNSIGNED): "u2",
    (16, tiff.SIGNED): "i2",
    (16, tiff.FLOAT): "f2",
    (32, tiff.UNSIGNED): "u4",
    (32, tiff.SIGNED): "i4",
    (32, tiff.FLOAT): "f4",
    (64, tiff.FLOAT): "f8",
}
DEFLATE = (8, 32946)
# tifffile decodes the rest of what is lossless where imagecodecs is installed: LZW, zstd, and differences of floats.
COMPRESSIONS = (1, *DEFLATE, *((5, 50000) if find_spec("imagecodecs") else ()))
PREDICTORS = (1, 2, *((3,) if find_spec("imagecodecs") else ()))
ALPHA = (1, 2)  # of ExtraSamples


class Window(NamedTuple):
    """A rectangle of a photograph, pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Layout:
    """How the pixels of a TIFF lie that is surely read right here."""

    height: int
    width: int
    channels: int  # without alpha
    alpha: bool  # whether a last channel more is transparency
    colours: bool  # whether the first three channels are red, green and blue
    dtype: np.dtype[Any]
    by_pillow: bool  # whether Pillow reads all of it
    in_windows: bool  # whether a part can be read without the rest
    pages: int = 1  # of one channel each, where there are several

    @property
    def nbytes(self) -> int:
        """Of the decoded photograph."""
        return self.height * self.width * (self.channels + self.alpha) * self.dtype.itemsize


def layout_of(path: Path, channels: int | None = None) -> Layout | None:
    """The layout of a TIFF file; None where it is none, or one that Pillow reads or refuses.

    Args:
        path: of the file.
        channels: asked for; in a file of so many pages each page is a channel.

    Raises:
        DataError: it is larger than what is read.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) not in tiff.MAGIC:
                return None
            found = [_layout(tags) for tags in tiff.pictures(file, MOST_BANDS)]
    except Exception:  # a broken file may raise anything in a parser; Pillow, which reads it next, says so
        return None
    first = found[0] if found else None
    if first is None or any(one != first for one in found):
        return None
    if len(found) > 1:
        if len(found) != channels or first.channels + first.alpha != 1:
            return None
        first = replace(first, channels=channels, pages=channels, by_pillow=False)
    if max(first.height, first.width) > MOST_SIDE or first.nbytes > MOST_BYTES:
        raise DataError(
            f"The photograph {path} is {first.width} x {first.height} pixels (width x height) of {first.channels} "
            f"channels, {first.nbytes:,} bytes: at most {MOST_SIDE:,} pixels are read on a side, and {MOST_BYTES:,} "
            "bytes. Cut or shrink it first."
        )
    if first.nbytes > FREE_GROWTH and first.nbytes > MOST_GROWTH * path.stat().st_size:
        raise DataError(f"The photograph {path} unpacks to over {MOST_GROWTH} times its size. It was not read.")
    return first


def _layout(tags: Mapping[int, Any]) -> Layout | None:
    """The layout of a page; None where it may be misread."""
    each = tags.get(tiff.BITS, (1,))
    samples, kinds = tags.get(tiff.SAMPLES, len(each)), {*tags.get(tiff.FORMAT, (tiff.UNSIGNED,))}
    photometric, extra = tags.get(tiff.PHOTOMETRIC), tuple(tags.get(tiff.EXTRA, ()))
    dtype = TYPES.get((max(each), min(kinds))) if len({*each}) == len(kinds) == 1 else None
    least = 3 if photometric == tiff.RGB else 1
    extra = extra or (0,) * (samples - least)
    alphas = [one in ALPHA for one in extra]
    height, width = tags[tiff.LENGTH], tags[tiff.WIDTH]
    right = (
        dtype is not None
        and photometric in (tiff.BLACK_IS_ZERO, tiff.RGB)
        and len(extra) == samples - least >= 0
        and sum(alphas) == sum(alphas[-1:])  # none, or the last one
        and samples - any(alphas) <= MOST_BANDS
        and tags.get(tiff.COMPRESSION, 1) in COMPRESSIONS
        and tags.get(tiff.PREDICTOR, 1) in PREDICTORS
        and tags.get(tiff.PLANES, 1) in (1, 2)
        and (tags.get(tiff.FILL, 1), tags.get(tiff.ORIENTATION, 1), tags.get(tiff.DEPTH, 1)) == (1, 1, 1)
        and min(height, width) > 0
    )
    if not right or dtype is None:
        return None
    segment = tags.get(tiff.TILE_WIDTH, width) * tags.get(tiff.TILE_LENGTH, min(height, tags.get(tiff.ROWS, height)))
    in_windows = tags.get(tiff.COMPRESSION, 1) == 1 or segment * samples * max(each) // 8 <= LARGE_SEGMENT
    eight = dtype == "u1" and not tiff.misread(tags, True) and (samples in (1, 3) or any(alphas))
    return Layout(height, width, samples - any(alphas), any(alphas), least == 3, np.dtype(dtype), eight, in_windows)


def read_bands(path: Path, layout: Layout, window: Window | None = None) -> NDArray[Any]:
    """The numbers in a file, `(C, H, W)` as they are stored, alpha last; or those of a window alone.

    Raises:
        DataError: the file is broken.
    """
    try:
        from tifffile import TiffFile

        part = window or Window(0, 0, layout.height, layout.width)
        pixels = np.empty((part.height, part.width, layout.channels + layout.alpha), layout.dtype)
        with TiffFile(path) as file:
            pages = [file.pages[index] for index in range(layout.pages)]
            for number, page in enumerate(pages):
                _fill(pixels[..., number : number + 1] if layout.pages > 1 else pixels, file, page, part)
        return pixels.transpose(2, 0, 1)
    except UserError:
        raise
    except Exception as error:  # a broken file may raise anything in the parser of its format
        said = str(error)[:200] or type(error).__name__
        raise DataError(f"The photograph is broken: {path} ({said}). Copy it again from its source.") from error


def _fill(pixels: NDArray[Any], file: Any, page: Any, part: Window) -> None:
    """Puts a window of a page into `(h, w, C)`."""
    length, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    length = min(length, page.imagelength) if not page.is_tiled else length
    down, across = -(-page.imagelength // length), -(-page.imagewidth // width)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    if not len(page.dataoffsets) == len(page.databytecounts) == planes * down * across:
        raise ValueError(f"{len(page.dataoffsets)} strips or tiles, expected {planes * down * across}")
    if page.is_contiguous and page.compression == 1 and not page.is_tiled:
        _copy(pixels, file, page, part)
        return
    rows = range(part.top // length, -(-(part.top + part.height) // length))
    columns = range(part.left // width, -(-(part.left + part.width) // width))
    expected = length * width * page.samplesperpixel // planes * page.dtype.itemsize
    for index in (
        plane * down * across + row * across + col for plane in range(planes) for row in rows for col in columns
    ):
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if not count:
            raise ValueError("a strip or tile is missing")
        file.filehandle.seek(offset)
        data = file.filehandle.read(count)
        if len(data) < count:
            raise ValueError("the file ends too early")
        if (
            page.compression in DEFLATE
            and count > SMALL
            and len(zlib.decompressobj().decompress(data, expected + 1)) > expected
        ):
            raise ValueError("a strip or tile unpacks to more than its size")
        segment, (plane, _, top, left, _), (_, height, wide, _) = page.decode(data, index)
        target = pixels[..., plane : plane + 1] if planes > 1 else pixels
        first, last = max(top, part.top), min(top + height, part.top + part.height)
        start, stop = max(left, part.left), min(left + wide, part.left + part.width)
        target[first - part.top : last - part.top, start - part.left : stop - part.left] = segment[
            0, first - top : last - top, start - left : stop - left
        ]


def _copy(pixels: NDArray[Any], file: Any, page: Any, part: Window) -> None:
    """The same of pixels that lie one after another, as they are shown."""
    size, samples = (page.imagelength, page.imagewidth), page.samplesperpixel
    shape = (samples, *size, 1) if page.planarconfig == 2 else (1, *size, samples)
    dtype = np.dtype(page.dtype).newbyteorder(file.byteorder)
    stored = np.memmap(file.filehandle.path, dtype, "r", page.dataoffsets[0], shape)
    rows = slice(part.top, part.top + part.height), slice(part.left, part.left + part.width)
    for plane, found in enumerate(stored):
        (pixels[..., plane : plane + 1] if len(stored) > 1 else pixels)[...] = found[rows]
