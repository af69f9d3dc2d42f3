"""What a network has seen, by content; by name where an earlier version has not recorded content."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from torch import Tensor

from unet_lightning.data.content import Content, alike
from unet_lightning.data.dataset import SegmentationDataset

log = logging.getLogger(__name__)

PIXELS = ("photograph", "drawing")  # of which either tells that two images are one


@dataclass(frozen=True)
class Seen:
    """An image that a network has seen."""

    dataset: str
    image_id: str
    content: Content = field(default_factory=dict, hash=False)  # empty where it was not recorded

    def is_image(self, other: "Seen") -> bool:
        """Whether the other is this image, whatever it is called; by data set and name where content is unknown."""
        if not self.content or not other.content:
            return (self.dataset, self.image_id) == (other.dataset, other.image_id)
        return any(self.content.get(name, name) == other.content.get(name) for name in PIXELS)

    def is_of_same_patient(self, other: "Seen") -> bool:
        """Whether the other is an image of the same group of the same data set, by their names."""
        group = self.content.get("group")
        return group is not None and (self.dataset, group) == (other.dataset, other.content.get("group"))

    def __str__(self) -> str:
        return f"{self.image_id} of {self.dataset}"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a network has seen, or the networks behind a map."""

    learned: list[Seen]  # images learned from, with all that the initial weights have seen
    watched: list[Seen]  # images that validation watched
    selected: bool = True  # whether validation chose the epoch
    chose_threshold: bool = False  # whether validation chose the threshold of what was decided

    @property
    def seen(self) -> list[Seen]:
        """All images on which its figures prove nothing."""
        return [*self.learned, *(self.watched if self.selected else [])]


class Leak(StrEnum):
    """Why figures of an image prove nothing, as it is stored."""

    TRAINED = "trained"
    EPOCH = "epoch"
    THRESHOLD = "threshold"

    @property
    def words(self) -> str:
        """What stands before the ids of such images."""
        said = {
            "trained": "trained on",
            "epoch": "the epoch was selected on",
            "threshold": "the threshold was chosen on",
        }
        return said[self]

    @classmethod
    def _missing_(cls, value: object) -> "Leak | None":
        """Earlier versions stored the words in place of the code."""
        return next((leak for leak in cls if leak.words == value), None)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is found of the images of a split, one by one."""

    leak_reasons: dict[Leak, list[str]] = field(default_factory=dict)  # images whose figures prove nothing
    seen_as: dict[str, str] = field(default_factory=dict)  # names of the images, where they have others now
    near_duplicates: dict[str, str] = field(default_factory=dict)  # images seen that these look like
    watched: list[str] = field(default_factory=list)  # images of validation that did not choose the epoch
    own_scale: dict[str, list[str]] = field(default_factory=dict)  # of each doubt the images that were not scaled
    same_patient: dict[str, str] = field(default_factory=dict)  # images seen of the patients of these, by name

    def look(self, image: Seen, networks: Sequence[Memory], near: Callable[[], str | None]) -> None:
        """Notes why an image leaks; else which image it is nearly, as `near` finds, and which is of its patient."""
        if found := why_it_leaks(image, networks):
            reason, seen = found
            self.leak_reasons.setdefault(reason, []).append(image.image_id)
            if (seen.dataset, seen.image_id) != (image.dataset, image.image_id):
                self.seen_as[image.image_id] = str(seen)
            return
        others = (one for trained in networks for one in trained.seen if one.is_of_same_patient(image))
        if other := next(others, None):
            self.same_patient[image.image_id] = str(other)
        if any(find(image, trained.watched) for trained in networks):
            self.watched.append(image.image_id)
        elif copy := near():
            self.near_duplicates[image.image_id] = copy


def why_it_leaks(image: Seen, networks: Sequence[Memory]) -> tuple[Leak, Seen] | None:
    """Why the figures of networks on an image prove nothing, and the image that they have seen; None where they do."""
    for trained in networks:
        if seen := find(image, trained.learned):
            return Leak.TRAINED, seen
    for trained in networks:
        if trained.selected and (seen := find(image, trained.watched)):
            return Leak.EPOCH, seen
    for trained in networks:
        if trained.chose_threshold and (seen := find(image, trained.watched)):
            return Leak.THRESHOLD, seen
    return None


def images_of(dataset: SegmentationDataset) -> list[Seen]:
    """The images of a data set, as a network would remember them; they are read."""
    return [Seen(dataset.name, name, dataset.content(index)) for index, name in enumerate(dataset.image_ids)]


def find(image: Seen, among: Iterable[Seen]) -> Seen | None:
    """The image itself among others, under whatever name."""
    return next((one for one in among if one.is_image(image)), None)


def nearest(photo: Tensor, networks: Iterable[Memory]) -> str | None:
    """The image that networks have seen and a photograph `(3, H, W)` uint8 looks like, by name."""
    found = find_alike(photo, [image for one in networks for image in one.seen])
    return None if found is None else str(found)


def find_alike(photo: Tensor, among: Iterable[Seen]) -> Seen | None:
    """An image that looks nearly like a photograph `(C, H, W)`, as one that was compressed with loss."""
    looks = {one.content["look"]: one for one in among if "look" in one.content}
    found = alike(photo, looks)
    return None if found is None else looks[found]


def warn_of_copies(train: SegmentationDataset, val: SegmentationDataset, is_first: bool) -> None:
    """Warns, in the first process, where validation images are, or look like, images to train on."""
    learned = images_of(train)
    for index, image in enumerate(images_of(val) if is_first else []):
        if same := find(image, learned):
            log.warning(
                f"Image {image.image_id} is to validate on and is a copy of {same.image_id}, which is trained on: it "
                "makes the figures of validation too good. Remove one of the two."
            )
        elif near := find_alike(val.photo(index), learned):
            log.warning(
                f"Image {image.image_id} is to validate on and looks like {near.image_id}, which is trained on. Where "
                "it is a copy, or of the same patient, validation is too good: remove it, or see data.dataset.groups."
            )


def own_images(state: Mapping[str, Any], part: str) -> list[Seen]:
    """The images of `train_ids` or `val_ids` of the state of a data module."""
    contents = state.get("contents") or {}
    return [Seen(state["dataset"], image_id, contents.get(image_id, {})) for image_id in state[part]]


def inherited_images(state: Mapping[str, Any]) -> list[Seen]:
    """The images that the initial weights had seen, of the state of a data module."""
    if "inherited_images" in state:
        return [Seen(dataset, image_id, content) for dataset, image_id, content in state["inherited_images"]]
    return [Seen(dataset, image_id) for dataset, ids in (state.get("inherited") or {}).items() for image_id in ids]


def inherited_state(images: Iterable[Seen]) -> dict[str, Any]:
    """What the initial weights had seen, as the state of a data module holds it: see `inherited_images`."""
    images = list(images)
    rows = [[one.dataset, one.image_id, dict(one.content)] for one in images]
    return {"inherited": named(images), "inherited_images": rows}


def lineage(state: Mapping[str, Any]) -> list[Seen]:
    """All images that a network, and those whose weights it began from, have seen.

    From the `state_dict` of the data module that trained it.
    """
    found: dict[Any, Seen] = {}
    for one in [*inherited_images(state), *own_images(state, "train_ids"), *own_images(state, "val_ids")]:
        found.setdefault((one.dataset, one.image_id, one.content.get("photograph")), one)
    return list(found.values())


def named(images: Iterable[Seen]) -> dict[str, list[str]]:
    """The names of images by data set, each once."""
    found: dict[str, dict[str, None]] = {}
    for one in images:
        found.setdefault(one.dataset, {})[one.image_id] = None
    return {dataset: [*names] for dataset, names in found.items()}
