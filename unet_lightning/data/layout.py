"""What the data sets share: where their folder is, which files are images, and which images a split has."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from unet_lightning.errors import ConfigError, DataError

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

T = TypeVar("T")


def of_split(split: str, train: Sequence[T], test: Sequence[T]) -> list[T]:
    """The images of a split: `train`, `test`, or `all`, the two joined.

    Raises:
        ConfigError: another split.
    """
    splits = {"train": [*train], "test": [*test], "all": [*train, *test]}
    if split not in splits:
        raise ConfigError(f"A data set has the splits train, test and all (both), found {split}.")
    return splits[split]


def image_files(folder: Path) -> dict[str, Path]:
    """The images of a folder by stem, sorted; a folder that is not there has none.

    Hidden files (.DS_Store, and the ._* that macOS leaves beside images) and files with other suffixes are left out.

    Raises:
        DataError: two images with one stem.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        if path.stem in files:
            raise DataError(
                f"Two images are called {path.stem}: {files[path.stem].name} and {path.name} in {folder}. The name "
                "without suffix is the image's id: rename or remove one."
            )
        files[path.stem] = path
    return dict(sorted(files.items()))


def missing_file(words: str, image_id: str, path: Path, remedy: str) -> DataError:
    """The error that says which file of which image is missing, and what to do."""
    return DataError(f"No {words} for image {image_id}: looked for {path}. {remedy}")
