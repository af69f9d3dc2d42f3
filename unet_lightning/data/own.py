"""Images in memory, or of a data set of your own, as a data set of this project.

Each is looked at once: the type, shape and range of its photograph, and the values of its label.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torchvision.transforms import v2

from unet_lightning.data.arrays import CLASSES, Array, as_levels, as_mask, as_photograph, as_target, numbers
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.description import checked_classes, checked_task
from unet_lightning.data.form import RGB, Form
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.reading import read_binary
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.errors import ConfigError

Given = Array | str | Path  # what is in memory, or the path of a file
# Keys of a data set that gives mappings.
KEYS = {
    "image": ("image",),
    "label": ("label", "mask"),
    "fov": ("fov",),
    "image_id": ("image_id",),
    "group": ("group",),
}
LOOKS = 4  # images that are asked for twice
TEXTS = ("image_id", "group")  # that may be numbers


class Item(NamedTuple):
    """An image as it is given."""

    image: Given
    label: Given | None
    image_id: str
    fov: Given | None = None  # where pixels count
    group: str | None = None  # whose it is


class GivenImages(SegmentationDataset):
    """Images in memory, or in files, with labels or without.

    Args:
        items: the images.
        classes: what a label's values mean, background first.
        name: of the data set, in tables and checkpoints.
        task: a name in `data.terms`.
        fov: see `SegmentationDataset`.
        form: of the photographs; None: of three channels, or as many as the first one has.

    Raises:
        ConfigError: an array is no photograph, no label or no field of view.
    """

    def __init__(
        self,
        items: Sequence[Item],
        classes: Sequence[str] = CLASSES,
        name: str = "images",
        task: str = "regions",
        fov: str = "mask",
        form: Form | None = None,
    ) -> None:
        self.name, self.classes = name, checked_classes(classes, "classes")
        self.task = checked_task(task, "task")
        self.form = form or RGB._replace(channels=channels_of(items[0].image) if items else 3)
        self._arrays: dict[Path, Tensor] = {}  # by the name that stands for a file
        readers: dict[str, Callable[[Any], Tensor]] = {
            "photograph": partial(_as_photograph, channels=self.found_form.channels),
            "label": partial(as_target, classes=self.classes),
            "field-of-view mask": as_mask,
        }
        files = []
        for item in items:
            parts = zip(readers.items(), (item.image, item.label, item.fov), strict=True)
            photo, label, mask = (self._place(item.image_id, *reader, given) for reader, given in parts)
            assert photo is not None
            files.append(ImageFiles(item.image_id, photo, label, mask))
        super().__init__(files, fov)
        self.patients = {item.image_id: item.group for item in items if item.group is not None}

    def photo(self, index: int) -> Tensor:
        """See `SegmentationDataset`."""
        array = self._arrays.get(self.files[index].photo)
        return super().photo(index) if array is None else array

    def _place(self, image_id: str, what: str, read: Callable[[Any], Tensor], given: Given | None) -> Path | None:
        """The path of a file, or the name of what is in memory, which is read."""
        if isinstance(given, str | Path | None):
            return None if given is None else Path(given)
        try:
            place = Path(f"<{what} {image_id}>.npy")  # as whose file it is taken to have no orientation tag
            self._arrays[place] = read(given)
            return place
        except ConfigError as error:
            raise ConfigError(f"The {what} of image {image_id}: {error}") from error

    def _read(self, index: int, path: Path, what: str, read: Callable[[Path, str], Tensor] = read_binary) -> Tensor:
        array = self._arrays.get(path)
        return super()._read(index, path, what, read if array is None else lambda *_: array)


def _as_photograph(image: Array, channels: int) -> Tensor:
    return as_levels(as_photograph(image, channels))


def items_of(pairs: Iterable[Any], part: str = "image") -> Iterator[Item]:
    """The images of a data set, one by one.

    Args:
        pairs: a list, or a `torch.utils.data.Dataset`, of tuples `(image, label)` or `(image, label, id)`, or of
            mappings with the keys of `KEYS`. Images and labels are arrays of numpy, torch or Pillow, or paths.
        part: those without an id are called by it and their number.

    Raises:
        ConfigError: it gives something else, or another image each time.
    """
    found: Any = pairs
    numbered = hasattr(found, "__getitem__") and hasattr(found, "__len__")
    for number, given in enumerate((found[index] for index in range(len(found))) if numbered else pairs):
        item = _item(given, f"{part}_{number}")
        if number < LOOKS and numbered and not _same(item.image, _item(found[number], "").image):
            raise ConfigError(
                f"The data set gives another image {number} each time: leave its random transforms out. Images "
                "are read once; what is random in training is `augment`."
            )
        yield item


def _item(given: Any, name: str) -> Item:
    named: dict[str, Any] = {}
    if isinstance(given, Mapping):
        named = {field: given[key] for field, keys in KEYS.items() for key in keys if key in given}
    elif isinstance(given, tuple | list) and (len(given) == 2 or (len(given) == 3 and isinstance(given[2], str))):
        named = dict(zip(Item._fields, given, strict=False))
    if not {"image", "label"} <= named.keys():
        kind = f"mapping of {', '.join(map(str, given))}" if isinstance(given, Mapping) else type(given).__name__
        kind += f" of {len(given)}" if isinstance(given, tuple | list) else ""
        raise ConfigError(
            f"{name} of the data set is a {kind}, expected (image, label), (image, label, id), or a mapping with "
            "image, label (or mask) and, if you like, fov, image_id and group."
        )
    return Item(**{"image_id": name} | {name: str(one) if name in TEXTS else one for name, one in named.items()})


def channels_of(image: Given) -> int:
    """How many channels a photograph is read with where nothing is said: three, unless an array has others."""
    sides = () if isinstance(image, str | Path) else numbers(image).shape
    return 3 if len(sides) != 3 or 3 in (sides[0], sides[2]) else min(sides[0], sides[2])


def _same(one: Given, other: Given) -> bool:
    if isinstance(one, str | Path) or isinstance(other, str | Path):
        return one == other
    return np.array_equal(numbers(one), numbers(other))


def _part_of(images: GivenImages, test: Sequence[str], root: None, split: str) -> SegmentationDataset:
    """A split of images that are given, as a data module asks for it; `test` names those to test on."""
    if split == "test" and not test:
        raise ConfigError("No test images were given: data_of(..., test=...).")
    return images.subset([one for one in images.image_ids if split == "all" or (one in test) == (split == "test")])


def data_of(
    train: Iterable[Any],
    val: Iterable[Any] = (),
    test: Iterable[Any] = (),
    classes: Sequence[str] = CLASSES,
    name: str = "images",
    task: str = "regions",
    crop: int = 256,
    augment: v2.Transform | None = None,
    **settings: Any,
) -> SegmentationDataModule:
    """Images of your own to train on, to validate on and to test on; they are read now, and checked.

    Args:
        train: see `items_of`.
        val: the same; instead, `val_ids`, or `folds` and `fold`, say which of the training images these are.
        test: the same.
        classes: what a label's values mean, background first.
        name: of the data set, in tables and checkpoints.
        task: `regions`, or `vessels`, which have figures of their own.
        crop: the side of a training crop, pixels.
        augment: instead of crops that are turned, mirrored and a little changed in colour.
        settings: of `SegmentationDataModule`, such as `batch_size`.

    Raises:
        ConfigError: from `items_of`, `GivenImages` and `SegmentationDataModule`.
    """
    parts = {"train": train, "val": val, "test": test}
    items = {part: list(items_of(pairs, part)) for part, pairs in parts.items()}
    ids = {part: [item.image_id for item in found] for part, found in items.items()}
    images = GivenImages([item for found in items.values() for item in found], classes, name, task)
    augment = turn_flip_crop(crop, 0.2, 0.2, 0.2) if augment is None else augment
    chosen: dict[str, Any] = {"val_ids": ids["val"]} if ids["val"] else {}
    return SegmentationDataModule(partial(_part_of, images, ids["test"]), None, augment, **chosen | settings)
