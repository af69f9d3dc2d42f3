"""A folder of the user's own: photographs, and labels with the same names."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.description import read_description
from unet_lightning.data.groups import ask_for_groups, check_kept_together, read_groups
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.layout import IMAGE_SUFFIXES, image_files, of_split
from unet_lightning.data.pairs import EXAMPLE, FIELDS, LABELS, doubled, paired
from unet_lightning.errors import ConfigError, DataError, NoSplit
from unet_lightning.text import some

log = logging.getLogger(__name__)

UNNAMED = ("background", "foreground")  # the classes where nothing names them
LAYOUT = "images/ and labels/, or train/images/, train/labels/, test/images/ and test/labels/"


class FolderDataset(SegmentationDataset):
    """Photographs in `images/`, their labels in `labels/` or `masks/`, both in the folder or in its train/ and test/.

    The name without suffix is the image's id: photo_1.jpg has the label photo_1.png, or photo_1_mask.png, or another
    of the usual endings. Beside `labels/`, in either split, `masks/` are masks of the field of view; where there are no
    `labels/` at all they are the labels. `labels2/` may hold the labels of a second observer. Without train/ and test/
    all images are for training: validate on some of them by `data.val_ids` or `data.folds`. Either all test photographs
    have labels or none has.

    With two classes a label is black and white: 0 and 255, 0 and 1, or a palette of black and white, or of the indices
    0 and 1. With more it is an index image, grey or palette, whose values are 0, 1, ... in the order of `classes`, and
    255 for pixels to ignore.

    Photographs have the channels of their files, which must be alike, or `channels`, a number or names: then grey is
    repeated as red, green and blue, colours are made grey, and an alpha channel is left out. Of more than 8 bits,
    `value_range` says which numbers are black and white; of whole numbers of 16 bits it may be left out.

    `name` stands in tables and file names. `groups` says which images are of one patient: see `read_groups`, `task` how
    things are called and which figures are measured: see `Terms`. What is None, or auto, is taken from `dataset.yaml`
    in the folder, where there is one: see `Description`.
    """

    def __init__(
        self,
        root: str | Path | None,
        split: str,
        fov: str = "mask",
        classes: Sequence[str] | None = None,
        name: str | None = None,
        groups: str | None = None,
        task: str | None = None,
        channels: int | Sequence[str] | Literal["auto"] = "auto",
        value_range: Sequence[float] | Literal["auto"] = "auto",
    ) -> None:
        if root is None:
            raise ConfigError(f"data=folder needs the folder: data.root=<the folder with {LAYOUT}>.")
        root = Path(root)
        typed = {"name": name, "classes": classes, "groups": groups, "task": task}
        said = read_description(root, **typed, channels=channels, value_range=value_range)
        self.name, self.classes, self.ignored_level = said.name or "folder", said.classes or UNNAMED, said.ignore
        self.task = said.task or likely_task(self.classes)
        self.form, self.value_range = None, said.value_range
        self.channels = said.channels if isinstance(said.channels, int | None) else len(said.channels)
        parts = _parts(root)
        if split in ("train", "test") and split not in parts:
            raise NoSplit(
                f"{root} has no {split} split: its photographs are all in {next(iter(parts.values()))}. Evaluate them "
                f"with split=all, or put those of the {split} split into {split}/images/ and {split}/labels/."
            )
        labels = _labels_of(root, [*parts.values()])
        train, test = (_files_in(parts[part], fov, labels) if part in parts else [] for part in ("train", "test"))
        if twice := sorted({image.image_id for image in train} & {image.image_id for image in test}):
            raise DataError(
                f"Train and test in {root} both have an image {', '.join(twice)}. The name without suffix is the id by "
                "which images seen in training are recognised: rename one, or remove it from test."
            )
        _check_names_of_maps([image.image_id for image in (*train, *test)], self.classes)
        super().__init__(of_split(split, train, test), fov)
        if said.groups is not None:
            ids = {part: [image.image_id for image in files] for part, files in (("train", train), ("test", test))}
            self.patients = read_groups(said.groups, [*ids["train"], *ids["test"]], root)
            check_kept_together(ids["train"], ids["test"], self.patients, f"The split of {root} into train/ and test/")
        else:
            ask_for_groups(tuple(image.image_id for image in (*train, *test)))


def likely_task(classes: Sequence[str]) -> str:
    """The task where nothing says it: that of vessels where a class is called so."""
    return "vessels" if {"vessel", "vessels"} & {name.lower() for name in classes} else "regions"


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each split that exists."""
    parts = {part: root / part for part in ("train", "test") if (root / part / "images").is_dir()}
    if (root / "images").is_dir():
        if parts:
            raise DataError(
                f"{root} holds images/ and {', '.join(f'{part}/images/' for part in parts)}: keep one of the two."
            )
        return {"train": root}
    if not parts:
        raise DataError(f"No data set in {root}: looked for {LAYOUT}. Set data.root to the folder that holds them.")
    return parts


def _labels_of(root: Path, parts: Sequence[Path]) -> str:
    """Where labels are: without `labels/` anywhere, `masks/` are what was drawn, which is said."""
    if any(image_files(part / "labels") for part in parts) or not any(image_files(part / "masks") for part in parts):
        return "labels"
    _say_that_masks_are_labels(root)
    return "masks"


@cache  # a program opens its data set several times
def _say_that_masks_are_labels(root: Path) -> None:
    log.info(
        f"{root} has no labels/: its masks/ are read as the labels. Masks of the field of view stand beside labels/."
    )


def _files_in(base: Path, fov: str, labels: str) -> list[ImageFiles]:
    """The files of each image; either all photographs have a label (and a mask), or none has."""
    photos = image_files(base / "images")
    if not photos:
        raise DataError(f"No photograph in {base / 'images'}: looked for {', '.join(IMAGE_SUFFIXES)}.")
    drawn, seconds = _paired(base / labels, photos), _paired(base / "labels2", photos, whole=False)
    masked = fov == "mask" and labels != "masks"
    masks = _paired(base / "masks", photos, FIELDS) if masked else {}
    return [
        ImageFiles(name, photo, drawn.get(name), masks.get(name), seconds.get(name)) for name, photo in photos.items()
    ]


def _paired(folder: Path, photos: Mapping[str, Path], endings: str = LABELS, whole: bool = True) -> dict[str, Path]:
    """The file of each photograph in a folder; none where the folder holds no images.

    Raises:
        DataError: a photograph has two, a file belongs to none, or where there are any and `whole`, some have none.
    """
    files, alone = paired(photos, image_files(folder), endings)
    if alone:
        raise DataError(
            f"No photograph in {folder.parent / 'images'} for {some([path.name for path in alone])} in {folder}: "
            f"give both the same name, {EXAMPLE}."
        )
    if twice := doubled(files):
        raise DataError(f"More than one file in {folder} for the photograph {twice}: keep one.")
    if files and whole and (without := [name for name in photos if name not in files]):
        raise DataError(
            f"No file in {folder} for the photograph {some(without)}: each needs one with its name, {EXAMPLE}."
        )
    return {name: path for name, (path,) in files.items()}


def _check_names_of_maps(image_ids: Sequence[str], classes: Sequence[str]) -> None:
    """Raises ConfigError where the maps of two images and classes would have one name: a and b_c, and a_b and c."""
    owners: dict[str, tuple[str, str]] = {}
    for mine in ((image_id, name) for image_id in image_ids for name in classes if len(classes) > 2):
        other = owners.setdefault("_".join(mine), mine)
        if other != mine:
            pairs = " and ".join(f"image {image_id} with class {name}" for image_id, name in (other, mine))
            raise ConfigError(f"Maps of {pairs} would have one name: rename a class in data.dataset.classes.")
