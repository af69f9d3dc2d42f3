"""Finding the files of a data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.text import as_id

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

T = TypeVar("T")


def of_split(split: str, train: Sequence[T], test: Sequence[T]) -> list[T]:
    """The images of a data set's own split: `train`, `test`, or `all`, the two joined; else ConfigError."""
    splits = {"train": [*train], "test": [*test], "all": [*train, *test]}
    if split not in splits:
        raise ConfigError(f"A data set has the splits train, test and all (both), found {split}.")
    return splits[split]


def find_root(root: Path, name: str, contents: Sequence[str], remedy: str) -> Path:
    """The folder of a data set: `root` itself, or the folder `name` in it; DataError with the remedy if neither is.

    It holds all of `contents`, which are glob patterns: `images/` is a folder.
    """
    for candidate in (root, root / name):
        if all(any(candidate.glob(pattern)) for pattern in contents):
            return candidate
    raise DataError(f"No {name} in {root}: looked for {' and '.join(contents)} there and in {name}/. {remedy}")


def image_files(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """The images of a folder by their ids (see `as_id`), sorted; none where the folder does not exist.

    Hidden files (.DS_Store, and the ._* that macOS leaves beside images) and files with other suffixes are left out.
    Two images with one stem are a DataError.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.suffix.lower() not in suffixes or not path.is_file():
            continue
        image_id = as_id(path.stem)
        if image_id in files:
            raise DataError(
                f"Two images are called {image_id}: {files[image_id].name} and {path.name} in {folder}. The name "
                "without suffix is the image's id: rename or remove one."
            )
        files[image_id] = path
    return dict(sorted(files.items()))
