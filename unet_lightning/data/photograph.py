"""Reads photographs of any number of channels and any depth.

Every file is read as viewers show it: the orientation tag of the camera is applied. A file that is missing, broken, too
large or not what is expected in its place is a DataError; so is one whose meaning is not sure.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from unet_lightning.data.bands import Window, layout_of, read_bands
from unet_lightning.data.form import RGB, Form, counted, remedy
from unet_lightning.data.opening import SIGNED_WHITE, Picture, header_of, lower_bytes, most_pixels, open_image
from unet_lightning.data.reading import DEEP_MODES, bands_of, opaque, stored_numbers
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.text import some

COLOUR_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")  # 8 bits a channel once decoded
GREY_MODES = ("1", "L", "LA", *DEEP_MODES, "F")
FAINT = 4096  # a 16-bit photograph with no value this high holds at most 12 bits, or is unlike others
LUMA = (19595, 38470, 7471)  # of 65536: red, green and blue in grey, as Pillow has them (ITU-R 601-2)
MOST_NAMES = 3  # files in a message


class Kind(NamedTuple):
    """What the header of a photograph says."""

    height: int
    width: int
    channels: int  # without alpha
    alpha: bool
    in_windows: bool  # whether a part can be read without the rest
    deep: bool = False  # whether it has more than 8 bits, where parts can be read


def kind_of(path: Path, channels: int | None = None) -> Kind:
    """What the header of a file says; DataError where it is none of a photograph. See `layout_of` on `channels`."""
    if (layout := layout_of(path, channels)) is not None:
        return Kind(layout.height, layout.width, layout.channels, layout.alpha, layout.in_windows, layout.dtype != "u1")
    header = header_of(path, "photograph")
    of_palette = header.mode in ("P", "PA")
    grey = _is_grey(open_image(path, "photograph").image) if of_palette else header.mode in GREY_MODES
    return Kind(*header.size, 1 if grey else 3, header.transparent or header.mode in ("LA", "PA", "RGBA"), False)


def read_photo(path: Path, form: Form = RGB, window: Window | None = None) -> Tensor:
    """A photograph, `(C, H, W)`: uint8 where its file has 8 bits a channel, else float32 in [0, 1] by its value range.

    A file whose name ends in .gz is unpacked.

    Args:
        path: of the file.
        form: the channels, and the value range where there are more than 8 bits.
        window: the part that is read, of a file that can be read in parts: see `Kind`.
    """
    layout = layout_of(path, form.channels)
    if layout is not None and (
        window is not None or not layout.by_pillow or layout.height * layout.width > most_pixels()
    ):
        pixels = read_bands(path, layout, window)
        if layout.channels == 4 and layout.colours and not layout.alpha and form[:2] == RGB[:2]:
            pixels = pixels[:3]
        return _shaped(pixels, layout.alpha, None, form, path, window is None)
    picture = open_image(path, "photograph")
    if picture.deep and picture.image.mode in ("LA", "RGB", "RGBA"):
        deep = _deep_colours(path, picture.image)
        return _shaped(deep, len(deep) == 4, None, form, path)
    if picture.image.mode in (*DEEP_MODES, "F"):
        grey, white = _deep_grey(picture, form)
        return _shaped(grey, False, white, form, path)
    if picture.image.mode not in COLOUR_MODES:
        raise DataError(
            f"The photograph {path} has Pillow mode {picture.image.mode}: channels of 8 or 16 bits are expected. "
            "Convert it to 8-bit RGB with the contrast that its camera software shows."
        )
    channels, alpha = _of_eight_bits(picture.image)
    return _shaped(channels, alpha, None, form, path)


def _of_eight_bits(image: Image.Image) -> tuple[NDArray[np.uint8], bool]:
    """The channels of a decoded picture, `(C, H, W)`, and whether the last one is transparency.

    In memory they lie pixel by pixel, as they are decoded.
    """
    alpha = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    mode = ("LA" if alpha else "L") if _is_grey(image) else ("RGBA" if alpha else "RGB")
    pixels = np.empty((image.height, image.width, len(mode)), dtype=np.uint8)
    for rows, band in bands_of(image):
        found = np.asarray(opaque(band).convert(mode))
        pixels[rows] = found if found.ndim == 3 else found[..., None]
    return pixels.transpose(2, 0, 1), alpha


def _is_grey(image: Image.Image) -> bool:
    """Whether a picture of 8 bits is grey, or has a palette of greys."""
    palette = (image.getpalette() or [0, 0, 1]) if image.mode in ("P", "PA") else []
    return image.mode in ("1", "L", "LA") or (palette != [] and palette[::3] == palette[1::3] == palette[2::3])


def _deep_colours(path: Path, upper: Image.Image) -> NDArray[np.uint16]:
    """All 16 bits of a PNG in colours, `(C, H, W)`, of which Pillow gives the upper 8; alpha is the last channel."""
    if upper.format != "PNG" or upper.mode == "LA":
        raise DataError(
            f"The photograph {path} has colours or transparency of 16 bits, of which 8 would be read. "
            "Save it as PNG of 16 bits without transparency, or as TIFF without JPEG."
        )
    pixels = np.asarray(upper).astype(np.uint16) * np.uint16(256)
    pixels += np.asarray(lower_bytes(path, "photograph"))
    return pixels.transpose(2, 0, 1)


def _deep_grey(picture: Picture, form: Form) -> tuple[NDArray[Any], tuple[float, float] | None]:
    """Grey of more than 8 bits, `(1, H, W)`, and the range of its type; None where that says nothing."""
    image = picture.image
    numbers = np.empty((image.height, image.width), np.asarray(image.crop((0, 0, 1, 1))).dtype)
    for rows, band in bands_of(image):
        numbers[rows] = np.asarray(band) if form.value_range is None else stored_numbers(picture, band)
    if picture.shown == SIGNED_WHITE:
        return numbers[None], (-32768, 32767)
    of_32_bits = image.format == "TIFF" and image.mode in ("I", "F")
    return numbers[None], None if of_32_bits or image.mode == "F" else (0, picture.shown)


def _shaped(
    pixels: NDArray[Any], alpha: bool, full: tuple[float, float] | None, form: Form, path: Path, whole: bool = True
) -> Tensor:
    """The numbers of a file, `(C, H, W)` with alpha last, as a photograph of a form; `full` is the range of their type.

    Each pixel by itself, so that a window is what it would be in the `whole`.
    """
    found = len(pixels) - alpha
    if alpha and not (form.converts and form.channels == len(pixels)):
        opaque_level = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
        if not form.converts and bool((pixels[-1] != opaque_level).any()):
            raise DataError(
                f"The photograph {path} is partly transparent: flatten it first, or set data.dataset.channels={found}, "
                f"which leaves its alpha channel out, or {len(pixels)}, which takes it as one more channel."
            )
        pixels = pixels[:-1]
    wanted, found = form.channels, len(pixels)
    if found != wanted and not (form.converts and {found, wanted} == {1, 3}):
        raise DataError(f"The photograph {path} has {counted(found)}, expected {wanted}. {remedy(found, wanted)}")
    photo = torch.from_numpy(pixels) if pixels.dtype == np.uint8 else _scaled(pixels, full, form, path, whole)
    if pixels.dtype == np.uint8 and form.value_range is not None:
        raise DataError(
            f"The photograph {path} has 8 bits a channel, 0 to 255: data.dataset.value_range is of photographs of more "
            "bits. Leave it out, or keep photographs of one depth together."
        )
    if found == wanted:
        return photo
    return photo.expand(3, -1, -1).permute(1, 2, 0).contiguous().permute(2, 0, 1) if wanted == 3 else grey_of(photo)


def grey_of(photo: Tensor) -> Tensor:
    """Red, green and blue `(3, H, W)`, uint8 or float32, as grey `(1, H, W)`."""
    if photo.dtype != torch.uint8:
        red, green, blue = (channel * weight for channel, weight in zip(photo, LUMA, strict=True))
        grey: Tensor = (red + green + blue) / 65536
        return grey[None]
    pixels = photo.permute(1, 2, 0).contiguous().numpy()
    return torch.from_numpy(np.array(Image.fromarray(pixels).convert("L")))[None]


def _scaled(pixels: NDArray[Any], full: tuple[float, float] | None, form: Form, path: Path, whole: bool) -> Tensor:
    """Numbers of more than 8 bits as float32 in [0, 1]: of 16 bits correctly rounded."""
    kind, bits = pixels.dtype.kind, 8 * pixels.dtype.itemsize
    if full is None and kind in "iu" and bits == 16:
        full = (np.iinfo(pixels.dtype).min, np.iinfo(pixels.dtype).max)
    given = form.value_range or full
    low, high = float(pixels.min()), float(pixels.max())  # NaN where there is one
    if given is None:
        numbers = "floating-point numbers" if kind == "f" else f"whole numbers of {bits} bits"
        raise DataError(
            f"The photograph {path} holds {numbers} from {low:g} to {high:g}, whose black and white nothing tells. "
            "Say them, of all photographs: data.dataset.value_range=[0, 1], say."
        )
    if not given[0] <= low <= high <= given[1]:
        raise DataError(
            f"The photograph {path} has values from {low:g} to {high:g}, expected {given[0]:g} to {given[1]:g}"
            f"{'' if form.value_range is None else ' (data.dataset.value_range)'}. Give the range of all photographs: "
            "data.dataset.value_range=[low, high]."
        )
    if form.value_range is None and given[1] == 65535 and high < FAINT and whole:
        raise DataError(
            f"The photograph {path} has 16 bits a channel and no value above {high:g} of 65535: of 12 bits, or "
            "dark. Say which number is white in all photographs: data.dataset.value_range=[0, 4095], or [0, 65535] "
            "where it is right as it is."
        )
    wide = bits > 32 or (bits == 32 and kind != "f")
    scaled = torch.from_numpy(pixels.astype(np.float64 if wide else np.float32))
    return scaled.sub_(given[0]).div_(given[1] - given[0]).float()


def common_form(paths: Sequence[Path], channels: int | None, value_range: tuple[float, float] | None) -> Form:
    """The form of photographs with so many channels; None: with those of their files.

    Raises:
        DataError: they have unlike numbers of channels, and nothing is said.
    """
    kinds = [kind_of(path, channels) for path in paths]
    if channels is not None:
        return Form(channels, any(one.alpha or one.channels != channels for one in kinds), value_range)
    by_number: dict[int, list[Path]] = {}
    for path, kind in zip(paths, kinds, strict=True):
        by_number.setdefault(kind.channels, []).append(path)
    if len(by_number) > 1:
        parts = [f"{counted(number)} in {some(files, MOST_NAMES)}" for number, files in sorted(by_number.items())]
        choice = (
            "Set data.dataset.channels=3, which repeats grey as red, green and blue, or 1, which makes colours grey."
            if {*by_number} == {1, 3}
            else "Train on those of one kind, or make them alike."
        )
        raise DataError(f"The photographs are of unlike channels: {'; '.join(parts)}. {choice}")
    return Form(next(iter(by_number), 3), False, value_range)


def check_channels(paths: Iterable[Path], form: Form, name: str) -> None:
    """Raises ConfigError where photographs of a data set have other channels than a network takes."""
    for path in paths:
        if (found := kind_of(path).channels) != form.channels:
            raise ConfigError(
                f"The network takes photographs of {counted(form.channels)}, those of {name} have {found} ({path}). "
                f"{remedy(found, form.channels)}"
            )
