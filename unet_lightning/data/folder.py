"""A folder of the user's own: photographs, and labels with the same names."""

from collections.abc import Sequence
from pathlib import Path

from unet_lightning.data.dataset import ImageFiles, SegmentationDataset
from unet_lightning.data.description import checked_classes, checked_name, read_description
from unet_lightning.data.groups import ask_for_groups, check_kept_together, read_groups
from unet_lightning.data.layout import IMAGE_SUFFIXES, image_files, of_split
from unet_lightning.errors import ConfigError, DataError

UNNAMED = ("background", "foreground")  # the classes where nothing names them
LAYOUT = "images/ and labels/, or train/images/, train/labels/, test/images/ and test/labels/"


class FolderDataset(SegmentationDataset):
    """Photographs in `images/`, labels with the same names in `labels/`, both in the folder or in its train/ and test/.

    The name without suffix is the image's id: photo_1.jpg has the label photo_1.png. `masks/` may hold masks of the
    field of view, `labels2/` the labels of a second observer. Without train/ and test/ all images are for training:
    validate on some of them by `data.val_ids` or `data.folds`. Either all test photographs have labels or none has.

    With two classes a label is black and white: 0 and 255, 0 and 1, or a palette of black and white, or of the indices
    0 and 1. With more it is an index image, grey or palette, whose values are 0, 1, ... in the order of `classes`, and
    255 for pixels to ignore.

    `name` stands in tables and file names. `groups` says which images are of one patient: see `read_groups`. What is
    None is taken from `dataset.yaml` in the folder, where there is one: see `Description`.
    """

    def __init__(
        self,
        root: str | Path | None,
        split: str,
        fov: str = "mask",
        classes: Sequence[str] | None = None,
        name: str | None = None,
        groups: str | None = None,
    ) -> None:
        if root is None:
            raise ConfigError(f"data=folder needs the folder: data.root=<the folder with {LAYOUT}>.")
        root = Path(root)
        said = self.description = read_description(root)
        self.name = checked_name(name) if name is not None else said.name or "folder"
        self.classes = checked_classes(classes) if classes is not None else said.classes or UNNAMED
        groups = groups if groups is not None else said.groups
        parts = _parts(root)
        if split in ("train", "test") and split not in parts:
            raise DataError(
                f"{root} has no {split} split: its photographs are all in {next(iter(parts.values()))}. Evaluate them "
                f"with split=all, or put those of the {split} split into {split}/images/ and {split}/labels/."
            )
        train, test = (_files_in(parts[part], fov) if part in parts else [] for part in ("train", "test"))
        if twice := sorted({image.image_id for image in train} & {image.image_id for image in test}):
            raise DataError(
                f"Train and test in {root} both have an image {', '.join(twice)}. The name without suffix is the id by "
                "which images seen in training are recognised: rename one, or remove it from test."
            )
        _check_names_of_maps([image.image_id for image in (*train, *test)], self.classes)
        super().__init__(of_split(split, train, test), fov)
        if groups is not None:
            ids = {part: [image.image_id for image in files] for part, files in (("train", train), ("test", test))}
            self.patients = read_groups(groups, [*ids["train"], *ids["test"]], root)
            check_kept_together(ids["train"], ids["test"], self.patients, f"The split of {root} into train/ and test/")
        else:
            ask_for_groups(tuple(image.image_id for image in (*train, *test)))


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


def _files_in(base: Path, fov: str) -> list[ImageFiles]:
    """The files of each image; either all photographs have a label (and a mask), or none has."""
    photos = image_files(base / "images")
    if not photos:
        raise DataError(f"No photograph in {base / 'images'}: looked for {', '.join(IMAGE_SUFFIXES)}.")
    labels, masks, seconds = (image_files(base / folder) for folder in ("labels", "masks", "labels2"))
    for folder, files in (("labels", labels), ("masks", masks if fov == "mask" else {}), ("labels2", seconds)):
        without = [image_id for image_id in photos if image_id not in files]
        if files and without and folder != "labels2":
            raise DataError(
                f"No file in {base / folder} for the photograph {_listed(without)}: each needs one with its name, "
                "such as photo_1.png for photo_1.jpg."
            )
        if alone := [path.name for image_id, path in files.items() if image_id not in photos]:
            raise DataError(
                f"No photograph in {base / 'images'} for {_listed(alone)} in {base / folder}: give both the same name."
            )
    return [
        ImageFiles(image_id, photo, labels.get(image_id), masks.get(image_id), seconds.get(image_id))
        for image_id, photo in photos.items()
    ]


def _check_names_of_maps(image_ids: Sequence[str], classes: Sequence[str]) -> None:
    """Raises ConfigError where the maps of two images and classes would have one name: a and b_c, and a_b and c."""
    owners: dict[str, tuple[str, str]] = {}
    for mine in ((image_id, name) for image_id in image_ids for name in classes if len(classes) > 2):
        other = owners.setdefault("_".join(mine), mine)
        if other != mine:
            pairs = " and ".join(f"image {image_id} with class {name}" for image_id, name in (other, mine))
            raise ConfigError(f"Maps of {pairs} would have one name: rename a class in data.dataset.classes.")


def _listed(names: Sequence[str]) -> str:
    """At most ten names, for messages."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
