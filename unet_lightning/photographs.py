"""The photographs that a command names: files, folders or a data set."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from unet_lightning.data.fov import find_field_of_view
from unet_lightning.data.layout import IMAGE_SUFFIXES, image_files
from unet_lightning.data.reading import read_binary, read_photo
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.program import CONF, from_composition, plain
from unet_lightning.results.maps import open_photographs


@dataclass(frozen=True)
class Photograph:
    """One photograph, read when its turn comes.

    Attributes:
        name: of its pictures, below the output folder and without a suffix.
        read: gives photo `(3, H, W)` uint8 and field of view `(H, W)` bool, or None for the whole photograph.
    """

    name: Path
    read: Callable[[], tuple[Tensor, Tensor | None]]


def collect(named: Sequence[str], fov: str, apart_from: Path | None = None) -> list[Photograph]:
    """The photographs that a command names, in the order of their names within a folder.

    Args:
        named: paths of files and folders, or Hydra's words for a data set: `data=drive split=test data.root=...`.
        fov: `auto`, `none`, the path of a mask, or a folder of masks named as the photographs.
        apart_from: the folder of the pictures, which must not be searched for photographs.

    Raises:
        ConfigError: both kinds, pictures within a folder of photographs, two photographs of one name, or a folder
            without any.
        DataError: from the data set.
    """
    words = [name for name in named if "=" in name and not os.path.exists(name)]
    if words:
        if len(words) < len(named):
            raise ConfigError("Name photographs or a data set (data=drive split=test), not both.")
        found = of_data_set(words, fov)
    else:
        for name in named:
            if (
                apart_from is not None
                and os.path.isdir(name)
                and apart_from.resolve().is_relative_to(Path(name).resolve())
            ):
                raise ConfigError(
                    f"The pictures would be photographs of the next command: give --out a folder outside {name}."
                )
        found = [photograph for name in named for photograph in of_path(Path(name), fov)]
    times = Counter(photograph.name for photograph in found)
    twice = sorted(str(name) for name, number in times.items() if number > 1)
    if twice:
        raise ConfigError(f"Two photographs are called {twice[0]}: their pictures would overwrite one another.")
    return found


def of_path(path: Path, fov: str) -> list[Photograph]:
    """A file, or every image below a folder."""
    if not os.path.isdir(path):
        return [Photograph(Path(path.stem), lambda: read(path, fov))]
    folders = [path, *(folder for folder in sorted(path.rglob("*")) if folder.is_dir())]
    files = [file for folder in folders for file in image_files(folder).values()]
    if not files:
        raise ConfigError(f"No photograph in {path}: looked for {', '.join(IMAGE_SUFFIXES)}.")
    return [
        Photograph(file.relative_to(path).with_suffix(""), lambda file=file: read(file, fov))  # type: ignore[misc]
        for file in files
    ]


def read(path: Path, fov: str) -> tuple[Tensor, Tensor | None]:
    """Photo and field of view of a file.

    Raises:
        DataError: either is missing or broken, or their sizes differ.
    """
    photo = read_photo(path)
    if fov == "none":
        return photo, None
    if fov == "auto":
        return photo, find_field_of_view(photo)
    mask_path = Path(fov)
    if os.path.isdir(mask_path):
        masks = [file for file in sorted(mask_path.iterdir()) if file.stem in (path.stem, f"{path.stem}_mask")]
        if len(masks) != 1:
            raise DataError(f"{len(masks)} field-of-view masks for {path} in {fov}: expected one of the same name.")
        mask_path = masks[0]
    mask = read_binary(mask_path, "field-of-view mask")
    if mask.shape != photo.shape[1:]:
        raise DataError(
            f"The field-of-view mask {mask_path} is {tuple(mask.shape)}, the photograph {path} "
            f"{tuple(photo.shape[1:])} (height, width): both must have one size."
        )
    return photo, mask


def of_data_set(words: Sequence[str], fov: str) -> list[Photograph]:
    """The photographs of a data set of conf/data, labels or not.

    Raises:
        ConfigError: an unknown word.
    """
    from hydra import compose, initialize_config_dir

    other = [word for word in words if not word.lstrip("+").startswith(("data=", "data.", "split="))]
    if other:
        raise ConfigError(f"{' '.join(other)} says nothing of a data set: options begin with two dashes, see --help.")
    try:
        with initialize_config_dir(CONF, version_base="1.3"):
            config = plain(compose("evaluate", list(words)))
    except Exception as error:
        if not from_composition(error):
            raise
        raise ConfigError(f"{' '.join(words)} names no data set: {str(error).splitlines()[0]}") from error
    if "_target_" not in config["data"]:
        raise ConfigError(f"{' '.join(words)} names no data set: begin with data=drive or another file of conf/data.")
    dataset = open_photographs(config["data"], config["split"] or "test")

    def photo_and_fov(index: int) -> tuple[Tensor, Tensor | None]:
        if fov not in ("auto", "none"):
            return read(dataset.files[index].photo, fov)
        single = dataset.subset([dataset.image_ids[index]])  # so that what it keeps in memory goes with it
        return single.photo(0), single.field_of_view(0) if fov == "auto" else None

    return [
        Photograph(Path(image_id), lambda index=index: photo_and_fov(index))  # type: ignore[misc]
        for index, image_id in enumerate(dataset.image_ids)
    ]
