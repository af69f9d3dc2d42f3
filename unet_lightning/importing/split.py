"""Which images are to train on and which to test: as they came, as a table says, or drawn by group with a seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unet_lightning.data.groups import check_kept_together, likely_groups, read_groups
from unet_lightning.data.table import read_by_image
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.found import Labelled

FILE = "split.csv"


class Split(NamedTuple):
    """Where each image goes."""

    parts: Mapping[str, str]  # of images by id: train, val or test
    groups: Mapping[str, str]  # the patient of each image; empty where nothing tells

    def of(self, part: str) -> list[str]:
        """The images of a part."""
        return [image_id for image_id, found in self.parts.items() if found == part]

    @property
    def folders(self) -> Sequence[str]:
        """The splits of the data set that is written: images to validate on are among those to train on."""
        return ("train", "test") if self.of("test") else ("train",)

    def folder_of(self, image_id: str) -> str:
        """Where an image lies below the folder of the data set."""
        return "." if len(self.folders) == 1 else "test" if self.parts[image_id] == "test" else "train"

    def rows(self) -> list[dict[str, str]]:
        """A row an image."""
        return [
            {"image_id": name, "split": part} | ({"group": self.groups[name]} if self.groups else {})
            for name, part in self.parts.items()
        ]


def split_images(
    images: Sequence[Labelled],
    test: float | None = None,
    seed: int = 0,
    groups: str | None = None,
    table: Path | None = None,
    root: Path = Path(),
) -> Split:
    """The split of images: that of the input, of a `table` (image_id, split), or a drawn one.

    Args:
        images: all of them.
        test: the share of images to test on, of whole groups; None draws nothing.
        seed: of the draw.
        groups: who belongs together, see `read_groups`; None: as the input says.
        table: a split.csv that was written before.
        root: where a table of groups is looked for after the working folder.

    Raises:
        UserError: a part is empty, the parts share a group, or two splits contradict each other.
    """
    ids = _ids(images)
    given, theirs = (_said(images, what) for what in ("split", "group"))
    who = read_groups(groups, ids, root) if groups is not None else theirs
    if sum([bool(given), test is not None, table is not None]) > 1:
        raise ConfigError("The split is given twice: leave out --test or --split, or merge the folders of the splits.")
    if table is not None:
        given = read_by_image(table, "split", ids, ("image_id",), ("split",))
        if wrong := [name for name in ids if given[name] not in ("train", "val", "test")]:
            raise DataError(
                f"The split {table} says of image {wrong[0]} {given[wrong[0]]}: train, val or test is expected."
            )
    elif test is not None:
        given = _drawn(ids, who, test, seed)
    parts = {name: given.get(name, "train") for name in ids}
    if "train" not in parts.values():
        raise DataError(f"All {len(ids)} images are to test on: none is left to train on.")
    people = {who.get(name, name) for name in ids if parts[name] == "train"}
    if len(people) < 2 and "val" not in parts.values():
        raise DataError(
            f"The images to train on are of one group, {people.pop()}: none can be held out to validate on. Bring "
            "more, or where the images are independent all the same give --groups '(.+)'."
        )
    for part in ("test", "val") if who else ():
        inside, outside = ([name for name in ids if (parts[name] == part) == held] for held in (True, False))
        check_kept_together(inside, outside, who, f"The split into train and {part}")
    return Split(parts, who)


def _ids(images: Sequence[Labelled]) -> list[str]:
    """The ids of images; DataError where two have one."""
    found: dict[str, Labelled] = {}
    for image in images:
        if (other := found.setdefault(image.image_id, image)) is not image:
            places = [f"{one.source}{f' ({one.split})' if one.split else ''}" for one in (other, image)]
            raise DataError(
                f"Two images are called {image.image_id}: {' and '.join(places)}. The name is by which images seen in "
                "training are recognised, and an image is in one split: rename or remove one."
            )
    return [*found]


def _said(images: Sequence[Labelled], what: str) -> dict[str, str]:
    """The split or the group of each image, where the input says it of any; then it must of all."""
    found = {image.image_id: getattr(image, what) for image in images if getattr(image, what)}
    if found and (without := [image.image_id for image in images if image.image_id not in found]):
        raise DataError(f"Some images have no {what}, such as {without[0]}: say it of all, or of none.")
    return found


def _drawn(ids: Sequence[str], groups: Mapping[str, str], share: float, seed: int) -> dict[str, str]:
    """Whole groups in an order by chance, until the share of images is reached as nearly as it can be."""
    if not 0 < share < 1:
        raise ConfigError(f"--test must be a share above 0 and below 1, found {share}.")
    if not groups and (likely := likely_groups(ids)):
        raise DataError(
            f"The names look as if images were of {len(likely[1])} patients, and none may be in both parts: give "
            f"--groups '{likely[0]}', or, where each image is of another patient, --groups '(.+)'."
        )
    names = sorted({groups.get(name, name) for name in ids})
    if len(names) < 2:
        raise DataError(
            f"All {len(ids)} images are of one group ({names[0]}): to train and to test two are needed at least. "
            "Where they are independent all the same, give --groups '(.+)'."
        )
    sizes = {name: 0 for name in names}
    for image_id in ids:
        sizes[groups.get(image_id, image_id)] += 1
    chosen: list[str] = []
    for place in np.random.default_rng(seed).permutation(len(names)):
        count = sum(sizes[name] for name in chosen)
        nearer = abs(count + sizes[names[place]] - share * len(ids)) < abs(count - share * len(ids))
        if len(chosen) < len(names) - 1 and (nearer or not chosen):
            chosen.append(names[place])
    return {image_id: "test" if groups.get(image_id, image_id) in chosen else "train" for image_id in ids}
