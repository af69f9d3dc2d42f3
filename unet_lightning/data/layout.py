"""Finding the files of a data set."""

from collections.abc import Sequence
from pathlib import Path

from unet_lightning.errors import DataError

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def find_root(root: Path, name: str, contents: Sequence[str], remedy: str) -> Path:
    """The folder of a data set: `root` itself, or the folder `name` in it.

    Args:
        root: where to look.
        name: of the data set, and of its folder.
        contents: what the folder holds, as glob patterns; `images/` is a folder.
        remedy: what to do where there is no such folder.

    Raises:
        DataError: neither folder holds all of `contents`.
    """
    for candidate in (root, root / name):
        if all(any(candidate.glob(pattern)) for pattern in contents):
            return candidate
    raise DataError(f"No {name} in {root}: looked for {' and '.join(contents)} there and in {name}/. {remedy}")


def image_files(folder: Path) -> dict[str, Path]:
    """The images of a folder by stem, sorted; none where the folder does not exist.

    Hidden files (.DS_Store, and the ._* that macOS leaves beside images) and files with other suffixes are left out.

    Raises:
        DataError: two images have the same stem.
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
