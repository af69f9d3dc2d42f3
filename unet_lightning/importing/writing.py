"""Writes images into the layout of `data=folder`."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from unet_lightning.data.description import Description, write_description
from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL
from unet_lightning.data.opening import header_of, open_image
from unet_lightning.errors import DataError
from unet_lightning.files import write_rows
from unet_lightning.importing.found import Found, Labelled
from unet_lightning.importing.split import FILE, Split
from unet_lightning.progress import counted

IGNORED_LEVEL = 128  # of pixels that do not count, in labels of two classes, which are black and white
LEVELS = np.full(256, IGNORED_LEVEL, np.uint8)
LEVELS[[BACKGROUND, VESSEL]] = 0, 255


def write_folder(
    found: Found, split: Split, root: Path, name: str, channels: int | Sequence[str] | None = None
) -> dict[str, str]:
    """Writes photographs, labels, fields of view, split.csv and dataset.yaml into an empty folder.

    Photographs are copied as they are, but for those that are turned by a tag, and for arrays; `channels` are those as
    which they will be read.

    Returns:
        of each written file what it was made of.

    Raises:
        DataError: a label is wrong. Whether it fits its photograph is seen by `check_folder`.
    """
    made_of: dict[str, str] = {}
    ignored = False
    for image in counted(found.images, "Writing"):
        part = root / split.folder_of(image.image_id)
        photo = _write_photo(image, part / "images")
        origin = str(image.photo) if isinstance(image.photo, Path) else f"the photograph of {image.source}"
        label = image.label()
        ignored = ignored or (len(found.classes) == 2 and IGNORE in label)
        target = _place(part / "labels", f"{image.image_id}.png")
        Image.fromarray(LEVELS[label] if len(found.classes) == 2 else label).save(target)
        made_of |= {str(photo): origin, str(target): image.source}
        if image.fov is not None:
            mask = _place(part / "masks", f"{image.image_id}{image.fov.suffix.lower()}")
            _copy(image.fov, mask)
            made_of[str(mask)] = str(image.fov)
    write_rows(split.rows(), root / FILE)
    groups, level = FILE if split.groups else None, IGNORED_LEVEL if ignored else None
    write_description(root, Description(name, found.classes, groups, channels, found.value_range, ignore=level))
    return made_of


def _write_photo(image: Labelled, folder: Path) -> Path:
    """Writes a photograph: as it is, upright where a tag turns it, or from an array."""
    if not isinstance(image.photo, Path):
        pixels = image.photo()
        pixels = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
        if pixels.dtype not in (np.uint8, np.uint16, np.float32) or pixels.ndim not in (2, 3):
            raise DataError(
                f"The photograph of image {image.image_id} is an array of {pixels.dtype} and shape {pixels.shape}: "
                "uint8, uint16 or float32 are expected, (height, width) or (height, width, channels)."
            )
        colours = pixels.dtype == np.uint8 and pixels.shape[2:] == (3,)
        as_png = colours or (pixels.dtype != np.float32 and pixels.ndim == 2)
        path = _place(folder, f"{image.image_id}.{'png' if as_png else 'tif'}")
        if as_png:
            Image.fromarray(pixels).save(path)
        else:
            tifffile.imwrite(
                path, pixels, photometric="minisblack", planarconfig="contig" if pixels.ndim == 3 else None
            )
        return path
    try:
        turned = header_of(image.photo, "photograph").turn != 1
    except DataError:  # of what is broken, or read in another way; the check will say
        turned = False
    if turned:  # as its label is written
        path = _place(folder, f"{image.image_id}.png")
        open_image(image.photo, "photograph").image.save(path)
        return path
    path = _place(folder, f"{image.image_id}{image.photo.suffix.lower()}")
    _copy(image.photo, path)
    return path


def _copy(source: Path, path: Path) -> None:
    """Copies a file; DataError where it cannot be read, which is no fault of where it goes."""
    try:
        with source.open("rb"):
            pass
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}. May you read it?") from error
    shutil.copyfile(source, path)


def _place(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
