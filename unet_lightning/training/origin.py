"""Where maps come from: what a protocol says of it, and what the file of each map says, wherever it is copied."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from unet_lightning.data.seen import Memory, Seen
from unet_lightning.inference.maps import text_in
from unet_lightning.training.trained import Stamp, Trained

IN_MAPS = ("photograph", "drawing", "group")  # what the file of a map keeps of images
MAPS_UNKNOWN = "what they were trained on is unknown"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The networks behind maps, what is known of their training, and how photographs passed through them."""

    networks: list[Stamp]
    trained_on: str | None = None
    initial_weights: str | None = None  # the name of their file
    initial_weights_saw: dict[str, list[str]] | None = None
    unknown_training: list[str] | None = None  # what nobody knows, in words; None of earlier versions
    leak_by_names: bool = False
    tta: str
    scale: str | int | float
    tiles: str
    assumed: dict[str, str] = field(default_factory=dict)  # the normalisation that was said of weights without a run
    out_of_fold: str | None = None  # which networks answer for an image, of a cross-validation's own images
    predictions: str | None = None  # the folder of maps from elsewhere

    @property
    def unknown(self) -> list[str]:
        """What nobody knows: which images maps, or the weights that training began from, have seen."""
        return ([] if self.networks else [MAPS_UNKNOWN]) if self.unknown_training is None else self.unknown_training


@dataclass(frozen=True)
class MadeBy(Memory):
    """What a map says of the networks behind it: in its file, since maps are copied and renamed one by one."""

    origin: Origin
    near: str | None = None  # the image seen that its photograph looks like

    def written(self) -> str:
        """As text, which a file of a map holds."""
        seen = {name: [_row(one) for one in getattr(self, name)] for name in ("learned", "watched")}
        chosen = {"selected": self.selected, "chose_threshold": self.chose_threshold}
        return json.dumps(asdict(self.origin) | seen | chosen | {"near": self.near})


# Data set and name of an image, digests of its photograph and its label, and its group: all but the last of old files.
_Row = tuple[str, str, str, str] | tuple[str, str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class _Text(Origin):
    """The form of what a file of a map holds."""

    unknown_training: list[str] = field(default_factory=list)
    learned: list[_Row]
    watched: list[_Row]
    selected: bool = True  # earlier versions kept what was watched where it was
    chose_threshold: bool = False
    near: str | None


def origin_of(networks: Sequence[Trained], tta: str, scale: str | float, tiles: str) -> Origin:
    """Where maps of networks come from."""
    first, files = networks[0], dict.fromkeys(file for one in networks for file in one.unknown)
    return Origin(
        networks=[trained.stamp() for trained in networks],
        trained_on=first.dataset,
        initial_weights=first.initial_weights,
        initial_weights_saw=first.initial_ids,
        unknown_training=[f"what {file} was trained on is unknown" for file in files],
        leak_by_names=any(not image.content for one in networks for image in one.seen),
        tta=tta,
        scale=scale,
        tiles=tiles,
    )


def made_by(
    networks: Sequence[Trained], origin: Origin, near: str | None = None, chose_threshold: bool = False
) -> MadeBy:
    """What the maps and masks of networks say; `origin` is that of the protocol."""
    return MadeBy(
        replace(origin, networks=[one.stamp() for one in networks]),
        near,
        learned=[image for one in networks for image in one.learned],
        watched=[image for one in networks for image in one.watched],
        selected=any(one.selected for one in networks),
        chose_threshold=chose_threshold,
    )


def read_made_by(path: Path) -> MadeBy | None:
    """What the file of a map says of the networks behind it; None where it says nothing, or nothing that we wrote."""
    from pydantic import TypeAdapter, ValidationError

    try:
        found = TypeAdapter(_Text).validate_json(text_in(path) or "", strict=True)
    except ValidationError:
        return None
    told = {name: value for name, value in vars(found).items() if name in Origin.__dataclass_fields__}
    learned, watched = ([_seen(*row) for row in rows] for rows in (found.learned, found.watched))
    chosen = {"selected": found.selected, "chose_threshold": found.chose_threshold}
    return MadeBy(Origin(**told), found.near, learned=learned, watched=watched, **chosen)


def _row(one: Seen) -> list[str]:
    return [one.dataset, one.image_id, *(one.content.get(name, "") for name in IN_MAPS)]


def _seen(dataset: str, image_id: str, *content: str) -> Seen:
    return Seen(dataset, image_id, {name: text for name, text in zip(IN_MAPS, content, strict=False) if text})
