"""Images that networks have seen: why figures on them prove nothing, and what maps say of it wherever they are."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from unet_lightning.data.seen import Seen, find, find_alike
from unet_lightning.inference.maps import text_in
from unet_lightning.training.trained import Trained

MAPS_UNKNOWN = "what they were trained on is unknown"
# What a protocol says of networks, with its types: a map may be of somebody else.
ORIGIN: dict[str, Any] = {
    "networks": list,
    "trained_on": str | None,
    "initial_weights": str | None,
    "initial_weights_saw": dict,
    "unknown_training": list,
    "leak_by_names": bool,
    "tta": str,
    "scale": str | int | float,
    "tiles": str,
}


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


class Remembering(Protocol):
    """What has seen images: a network, or what a map says of networks."""

    @property
    def learned(self) -> list[Seen]:
        """Images learned from."""

    @property
    def watched(self) -> list[Seen]:
        """Images that validation watched."""

    @property
    def selected(self) -> bool:
        """Whether validation chose the epoch."""


@dataclass(frozen=True)
class MadeBy:
    """What a map says of the networks behind it: in its file, since maps are copied and renamed one by one."""

    origin: dict[str, Any]  # for a protocol
    learned: list[Seen]
    watched: list[Seen]
    near: str | None = None  # the image seen that its photograph looks like
    selected: bool = True

    def written(self) -> str:
        """As text, which a file of a map holds."""
        seen = {name: [_row(one) for one in getattr(self, name)] for name in ("learned", "watched")}
        return json.dumps(self.origin | seen | {"near": self.near})


def made_by(networks: Sequence[Trained], origin: Mapping[str, Any], near: str | None = None) -> MadeBy:
    """What the maps of networks say; `origin` is that of the protocol."""
    kept = {name: origin[name] for name in ORIGIN} | {"networks": [one.stamp() for one in networks]}
    if kept["initial_weights"]:  # a file goes to others, whom the folders here do not concern
        kept["initial_weights"] = Path(kept["initial_weights"]).name
    learned = [image for one in networks for image in one.learned]
    return MadeBy(kept, learned, [image for one in networks if one.selected for image in one.watched], near)


def origin_of(networks: Sequence[Trained], tta: str, scale: str | float, tiles: str) -> dict[str, Any]:
    """What a protocol says of the networks behind maps, and of how photographs passed through them."""
    first, files = networks[0], dict.fromkeys(file for one in networks for file in one.unknown)
    return {
        "networks": [trained.stamp() for trained in networks],
        "trained_on": first.dataset,
        "initial_weights": first.initial_weights,
        "initial_weights_saw": first.initial_ids,
        "unknown_training": [f"what {file} was trained on is unknown" for file in files],
        "leak_by_names": any(not image.content for one in networks for image in one.seen),
        "tta": tta,
        "scale": scale,
        "tiles": tiles,
    }


def read_made_by(path: Path) -> MadeBy | None:
    """What the file of a map says of the networks behind it; None where it says nothing, or nothing that we wrote."""
    try:
        found = json.loads(text_in(path) or "")
        origin = {name: found[name] for name in ORIGIN}
        right = all(isinstance(origin[name], kind) for name, kind in ORIGIN.items())
        for network in origin["networks"]:
            texts, numbers = [network["checkpoint"], network["sha256"]], [network["epoch"], network["seed"]]
            right &= all(isinstance(one, str) for one in texts) and all(isinstance(one, int) for one in numbers)
        right &= all(isinstance(one, str) for one in origin["unknown_training"])
        learned, watched = ([_seen(*row) for row in found[name]] for name in ("learned", "watched"))
        near = found["near"]
        return MadeBy(origin, learned, watched, near) if right and isinstance(near, str | None) else None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None


def why_it_leaks(image: Seen, networks: Iterable[Remembering]) -> tuple[Leak, Seen] | None:
    """Why the figures of networks on an image prove nothing, and the image that they have seen; None where they do."""
    for trained in networks:
        if seen := find(image, trained.learned):
            return Leak.TRAINED, seen
    for trained in networks:
        if trained.selected and (seen := find(image, trained.watched)):
            return Leak.EPOCH, seen
    return None


class Findings:
    """What is found of the images of a split, one by one, for its protocol."""

    def __init__(self) -> None:
        self.reasons: dict[Leak, list[str]] = {}
        self.seen_as: dict[str, str] = {}  # names of the images, where they have others now
        self.near: dict[str, str] = {}  # images seen that these look like
        self.watched: list[str] = []  # images of validation that did not choose the epoch

    def look(self, image: Seen, networks: Iterable[Remembering], near: Callable[[], str | None]) -> None:
        """Notes why an image leaks; else which image it is nearly, as `near` finds."""
        if found := why_it_leaks(image, networks):
            reason, seen = found
            self.reasons.setdefault(reason, []).append(image.image_id)
            if (seen.dataset, seen.image_id) != (image.dataset, image.image_id):
                self.seen_as[image.image_id] = str(seen)
        elif any(find(image, trained.watched) for trained in networks):
            self.watched.append(image.image_id)
        elif copy := near():
            self.near[image.image_id] = copy


def nearest(photo: Tensor, networks: Iterable[Trained]) -> str | None:
    """The image that networks have seen and a photograph `(3, H, W)` uint8 looks like, by name."""
    found = find_alike(photo, [image for one in networks for image in one.seen])
    return None if found is None else str(found)


def _row(one: Seen) -> list[str]:
    return [one.dataset, one.image_id, one.content.get("photograph", ""), one.content.get("drawing", "")]


def _seen(dataset: str, image_id: str, photograph: str, drawing: str) -> Seen:
    if not all(isinstance(text, str) for text in (dataset, image_id, photograph, drawing)):
        raise TypeError("A map names images by text.")
    given = {"photograph": photograph, "drawing": drawing}
    return Seen(dataset, image_id, {name: text for name, text in given.items() if text})
