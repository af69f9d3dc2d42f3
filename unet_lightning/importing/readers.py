"""The forms in which people have their images: each reader stands here once, and nothing else names it."""

from collections.abc import Sequence
from pathlib import Path

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing import coco, cvat, dicom, images, labelme, via, volumes
from unet_lightning.importing.found import Found, Options, Reader
from unet_lightning.importing.layouts import FORMS

READERS: Sequence[Reader] = tuple(module.READER for module in (images, labelme, coco, cvat, via, volumes, dicom))


def read(path: Path, options: Options, form: str | None = None, readers: Sequence[Reader] = READERS) -> Found:
    """All images of an input, by the one reader that recognises it, or by the one that `form` names.

    Raises:
        ConfigError: an option means nothing to that reader, or `form` is none.
        DataError: no input, none or several readers recognise it, or what it holds is wrong.
    """
    if not path.exists():
        raise DataError(f"No input: looked for {path}. Give the folder or the file that holds images and labels.")
    known = ", ".join(reader.name for reader in readers)
    chosen = [reader for reader in readers if (reader.recognises(path) if form is None else reader.name == form)]
    if form is not None and not chosen:
        raise ConfigError(f"--format must be one of {known}, found {form}.")
    if not chosen:
        raise DataError(
            f"No images with labels in {path}: looked for {FORMS} (with the columns image and label); annotations of "
            "LabelMe, COCO, CVAT or VIA; NIfTI; and DICOM. Where folders have other names: --images and --labels."
        )
    if len(chosen) > 1:
        found = " and ".join(reader.name for reader in chosen)
        raise DataError(f"{path} looks like {found}: say what is meant by --format.")
    if unknown := [name for name in options if name not in chosen[0].takes]:
        raise ConfigError(
            f"--{unknown[0].replace('_', '-')} means nothing for {path}, which is read as {chosen[0].name}: leave it "
            "out."
        )
    return chosen[0].read(path, options)
