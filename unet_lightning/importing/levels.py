"""What a label's file holds, before it is known what is meant by it: numbers, indices of a palette, or colours."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from unet_lightning.data.opening import open_image
from unet_lightning.data.palette import Colour
from unet_lightning.data.reading import DEEP_MODES, check_opaque, opaque, stored_numbers
from unet_lightning.errors import DataError
from unet_lightning.importing.colours import as_number
from unet_lightning.importing.found import Pixels

ARRAYS = (".npy", ".npz")
STACKS = (".tif", ".tiff")
Numbers = NDArray[np.int64]


class Source(NamedTuple):
    """A picture in a file."""

    path: Path
    page: int | None = None  # of a stack, from 0; None: the file holds one picture

    def __str__(self) -> str:
        return str(self.path) if self.page is None else f"{self.path} (page {self.page + 1})"


class Levels(NamedTuple):
    """A label as it is stored."""

    source: str
    numbers: Numbers  # (H, W): grey levels, indices of a palette, or colours as 0xRRGGBB
    coloured: bool  # whether they are colours
    palette: Sequence[Colour] = ()  # the colours of indices, where they are such
    sure: bool = True  # whether the format keeps numbers as they were drawn
    gif: bool = False  # of which programs leave unused colours out

    def in_colours(self) -> Numbers:
        """The colours that a viewer shows, as 0xRRGGBB; of greys above 255 none."""
        if self.coloured:
            return self.numbers
        if self.palette:
            colours: Numbers = np.array([as_number(colour) for colour in self.palette])[self.numbers]
            return colours
        return np.where(self.numbers < 256, self.numbers * 0x010101, -1)

    def in_grey(self) -> Numbers:
        """The brightness that a viewer shows; of greys the numbers themselves."""
        if not self.coloured and not self.palette:
            return self.numbers
        colours = self.in_colours()
        grey: Numbers = (299 * (colours >> 16) + 587 * (colours >> 8 & 255) + 114 * (colours & 255)) // 1000
        return grey


def read_levels(source: Source) -> Levels:
    """The numbers of a label, from an image, a page of a stack or an array.

    Raises:
        DataError: the file is broken, partly transparent, or of a kind whose numbers are not sure.
    """
    if source.page is not None or source.path.suffix.lower() in ARRAYS:
        return _of_array(read_array(source), str(source))
    refuse_stack(source.path)
    picture = open_image(source.path, "label")
    image = picture.image
    check_opaque(image, source.path, "label")
    if image.mode == "P":
        flat = image.getpalette() or []
        palette = [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat), 3)]
        indices = np.asarray(image).astype(np.int64)
        palette += [(0, 0, 0)] * (int(indices.max()) + 1 - len(palette))
        return Levels(str(source), indices, False, palette, gif=image.format == "GIF")
    if image.mode in ("1", "L", *DEEP_MODES):
        numbers = stored_numbers(picture, image).astype(np.int64)
        return Levels(str(source), numbers, False, sure=picture.exact and not picture.inverted)
    if picture.deep or image.mode == "F":
        raise DataError(f"The label has more than 8 bits a channel: {source}. Save it with 8 bits, as PNG.")
    return _of_array(np.asarray(opaque(image).convert("RGB")), str(source))._replace(sure=picture.exact)


def _of_array(array: Pixels, source: str) -> Levels:
    """The levels of an array, `(H, W)`, or `(H, W, 3)` of which equal channels are grey."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    whole = array.dtype.kind in "bui" or (array.dtype.kind == "f" and bool((array == np.round(array)).all()))
    if not whole or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8)):
        raise DataError(
            f"The label {source} is an array of {array.dtype} and shape {array.shape}: whole numbers (height, width) "
            "are expected, or colours (height, width, 3) of uint8."
        )
    if array.ndim == 2:
        return Levels(source, array.astype(np.int64), False)
    red, green, blue = np.moveaxis(array.astype(np.int64), 2, 0)
    grey = bool((red == green).all() and (red == blue).all())
    return Levels(source, red if grey else red << 16 | green << 8 | blue, not grey)


def read_array(source: Source) -> Pixels:
    """The pixels of a page of a stack, or of a file of NumPy's."""
    if source.page is not None:
        page: Pixels = _stack(source.path)[source.page]
        return page
    try:
        loaded = np.load(source.path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            if len(loaded.files) != 1:
                raise DataError(f"{source.path} holds {', '.join(loaded.files) or 'nothing'}: one array is expected.")
            found: Pixels = loaded[loaded.files[0]]
            return found
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"The array {source.path} cannot be read: {str(error)[:200]}.") from error


def pages_of(path: Path) -> int:
    """The number of pages of a TIFF stack."""
    return len(_stack(path))


def refuse_stack(path: Path) -> None:
    """Raises DataError where a TIFF holds several pages, which nobody has asked for."""
    if path.suffix.lower() in STACKS and (number := _pages(path)) > 1:
        raise DataError(
            f"{path} has {number} pages: --stack takes each for an image, with the same page of its labels."
        )


def _pages(path: Path) -> int:
    """The number of pictures in a TIFF; 1 where it cannot be told, as what opens it will say."""
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            pictures = 3 if series.axes.endswith("S") or series.axes.startswith("S") else 2
            return series.shape[0] if series.ndim > pictures else len(file.series)
    except Exception:  # a broken file may raise anything
        return 1


def _stack(path: Path) -> Pixels:
    """A stack as `(N, H, W)` or `(N, H, W, 3)`."""
    return _stack_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)  # of photographs and of labels
def _stack_of(path: Path, changed: int) -> Pixels:
    """The same, read once while the file stays as it is."""
    try:
        with tifffile.TiffFile(path) as file:
            inverted = file.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            axes, pixels = file.series[0].axes, file.series[0].asarray()
    except Exception as error:
        raise DataError(f"The stack {path} cannot be read: {str(error)[:200]}.") from error
    if axes.endswith("YX") and pixels.ndim == 2:
        pixels = pixels[None]
    if inverted or pixels.ndim not in (3, 4) or (pixels.ndim == 4 and not axes.endswith("YXS")):
        why = "white is stored as 0" if inverted else f"axes {axes} of {pixels.shape}"
        raise DataError(f"The stack {path} is not read ({why}): pages of grey or RGB are expected, black stored as 0.")
    return pixels
