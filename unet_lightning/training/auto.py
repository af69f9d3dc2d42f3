"""Values of a config that are `auto` become numbers when a run is built.

Sizes are chosen for the data set and the machine (`experiment=own`), channels and classes are those of the data set,
class weights follow from the training labels, and the precision from a timed step. config.yaml holds the values, and
names in `from_data` the fields that followed from labels or from a clock: a run that goes on, or is repeated, keeps its
values; the folds of a cross-validation, whose training labels differ, are still of one method.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from unet_lightning.specs import SECTIONS, build
from unet_lightning.training.config import ABSENT, leaves, select, with_value, within
from unet_lightning.training.sizing import FOV, SIZED, Circumstances, choose

AUTO = "auto"  # of data.dataset.fov it means something else: there None is to be chosen
LOOKED_AT = 20  # photographs whose size is looked at
# Arguments of a network that may be auto, and what they follow.
FOLLOWING: dict[str, Callable[[Any], int]] = {
    "in_channels": lambda data: int(data.found_form.channels),
    "num_classes": lambda data: len(data.classes),
}
FIELDS = "from_data"  # of config.yaml: the dotted fields that were AUTO
WEIGHTS = ".class_weights"
PRECISION = "trainer.precision"
# Fields of the section `data` that leave the training labels what they were.
SAME_DATA = tuple(
    f"data.{name}" for name in ("root", "batch_size", "repeats", "num_workers", "cache", "seed", "normalize")
)
MOST = 10.0  # a class weighs at most this many times as much as the most frequent one


def class_weights(counts: Sequence[int]) -> list[float]:
    """The weight of each class by its number of pixels: the root of how many times the most frequent one has as many.

    The most frequent class has 1, none more than MOST. The inverse share itself would make nine pixels in ten of a rare
    class false; its root is between that and no weights.
    """
    most = max(counts)
    return [round(min(math.sqrt(most / count), MOST) if count else MOST, 3) for count in counts]


def fields(config: Mapping[str, Any]) -> list[str]:
    """The dotted fields of a config, which may be somebody else's, that were `auto`."""
    named = config.get(FIELDS)
    known = [key for key in named if isinstance(key, str)] if isinstance(named, list) else []
    return [key for key in known if (within(key, "loss") or key == PRECISION) and select(config, key) is not ABSENT]


def recorded_as_auto(config: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The config, which names some more fields among those that were `auto`."""
    return {**config, FIELDS: sorted({*fields(config), *keys})}


def follow_data(config: Mapping[str, Any], train: Any) -> dict[str, Any]:
    """The config with the numbers of the photographs to train on where the network follows them: channels, classes."""
    left = [name for name in FOLLOWING if config["model"].get(name) == AUTO]
    return {**config, "model": {**config["model"], **{name: FOLLOWING[name](train) for name in left}}}


def filled(config: Mapping[str, Any], train: Any) -> dict[str, Any]:
    """The config with numbers in place of `auto`, by the photographs to `train` on; no others may be looked at."""
    from unet_lightning.data.shares import class_pixels  # brings torch, which a glance at a config does not need

    values = leaves({"loss": config["loss"]})
    keys = [key for key, value in values.items() if key.endswith(WEIGHTS) and value == AUTO]
    if not keys:
        return dict(config)
    weights, found = class_weights(class_pixels(train)), dict(config)
    for key in keys:
        found = with_value(found, key, weights)
    return recorded_as_auto(found, keys)


def said(config: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """Sentences on what followed from labels."""
    return [
        f"{key} from the training labels: "
        + ", ".join(f"{name} {weight:g}" for name, weight in zip(classes, select(config, key), strict=True))
        for key in fields(config)
        if within(key, "loss")
    ]


def as_asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a run with `auto` again where that was asked for."""
    found = {key: value for key, value in config.items() if key != FIELDS}
    for key in fields(config):
        found = with_value(found, key, AUTO)
    return found


def as_recorded(config: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a run that goes on where the same command finds it, with the numbers that it began with."""
    found, keys = dict(config), [key for key in fields(recorded) if select(config, key) == AUTO]
    following = [key for key in (PRECISION, *(f"model.{name}" for name in FOLLOWING)) if select(config, key) == AUTO]
    for key in (*keys, *following, *_to_choose(config)):
        if (value := select(recorded, key)) is not ABSENT:
            found = with_value(found, key, value)
    return found | ({FIELDS: keys} if keys else {})


def with_other_data(config: Mapping[str, Any], typed: Collection[str]) -> dict[str, Any]:
    """The config of a run that is repeated: numbers of its data are found anew where it trains on other data.

    It has what was `typed`, which are the dotted fields and sections.
    """
    keys = [key for key in fields(config) if not any(within(key, one) for one in typed)]
    found = {key: value for key, value in config.items() if key != FIELDS}
    if any(within(one, "data") and one not in SAME_DATA for one in typed):
        for key in keys:
            found = with_value(found, key, AUTO)
        return found
    return found | ({FIELDS: keys} if keys else {})


def sized(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The config with numbers in place of `auto`, and what was chosen: a heading, then `field=value  # reason` each.

    Raises:
        UserError: the data set, or the weights to begin from, cannot be read.
    """
    if not (waiting := _to_choose(config)):
        return dict(config), []
    facts = facts_of(config)
    given = {key: select(config, key) for key in SIZED if key not in waiting}
    given["data.val_ids"] = select(config, "data.val_ids")
    chosen = {key: choice for key, choice in choose(facts, given).items() if key in waiting}
    found = dict(config)
    for key, choice in chosen.items():
        found = with_value(found, key, choice.value)
    wide = max(len(override(key, one.value)) for key, one in chosen.items())
    lines = [f"{override(key, one.value):{wide}}  # {one.reason}" for key, one in chosen.items()]
    return found, [f"Chosen for {facts} (what you type wins):", *lines]


def timed(config: Mapping[str, Any], built: Mapping[str, Any]) -> list[str]:
    """The precision of a run that is built, as one types it, where it was `auto` in its config."""
    return [override(PRECISION, select(built, PRECISION))] if select(config, PRECISION) == AUTO else []


def override(key: str, value: Any) -> str:
    """A value as one types it."""
    return f"{key}={'null' if value is None else value}"


def facts_of(config: Mapping[str, Any]) -> Circumstances:
    """What is known before a run is built. All images to train and validate on count, so that folds are alike."""
    from unet_lightning.training.machine import this_machine  # brings torch, as in `width_of`

    section = dict(config["data"]["dataset"])
    if FOV in _to_choose(config):
        section["fov"] = "mask"
    data = build(section, SECTIONS["data"])(root=config["data"]["root"], split="train")
    step = max(1, len(data) // LOOKED_AT)
    some = data.subset(data.image_ids[::step][:LOOKED_AT])
    sides = [some.photo(index).shape[1:] for index in range(len(some))]
    height, width = (sorted(side)[len(side) // 2] for side in zip(*sides, strict=True))
    weights = config["model"].get("weights")
    return Circumstances(
        images=len(data),
        groups=len({*map(data.patient_of, data.image_ids)}),
        height=height,
        width=width,
        masks=all(image.fov is not None for image in data.files),
        finds_field=data.terms.finds_field,
        machine=this_machine(config["trainer"]),
        width_of_weights=None if weights is None else width_of(Path(weights)),
    )


def _to_choose(config: Mapping[str, Any]) -> list[str]:
    """The fields that are still to be chosen."""
    return [
        key for key in SIZED if (found := select(config, key)) is not ABSENT and found == (None if key == FOV else AUTO)
    ]


def width_of(path: Path) -> int | None:
    """The channels of the first convolution in a file of weights; None where it has none."""
    from unet_lightning.models.weights import read_checkpoint, tensors_of

    tensors = tensors_of(read_checkpoint(path), ())
    return next((len(value) for value in tensors.values() if value.ndim == 4), None)


def copied(words: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The words of a command with what was chosen, so that it chooses nothing."""
    return [*words, *(line.partition("  # ")[0].strip() for line in lines[1:])]
