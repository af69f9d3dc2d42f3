"""Values of a config that are `auto`: they follow from the training labels, and are numbers from then on.

`from_data` in config.yaml names the fields that were `auto`. A run that goes on, or is repeated, keeps its numbers; the
folds of a cross-validation, whose training labels differ, are still of one method.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from unet_lightning.training.config import ABSENT, select, with_value, within

FIELDS = "from_data"  # of config.yaml: the dotted fields that were AUTO
AUTO = "auto"
WEIGHTS = "class_weights"
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
    return [key for key in known if within(key, "loss") and select(config, key) is not ABSENT]


def waiting(config: Mapping[str, Any]) -> list[str]:
    """The dotted fields of a config that are still to be filled."""
    return [key for key in _weights(config["loss"], "loss") if select(config, key) == AUTO]


def _weights(section: Any, prefix: str) -> Iterator[str]:
    """The dotted fields for class weights in a section."""
    for key, value in section.items() if isinstance(section, Mapping) else ():
        if key == WEIGHTS:
            yield f"{prefix}.{key}"
        else:
            yield from _weights(value, f"{prefix}.{key}")


def filled(config: Mapping[str, Any], train: Any) -> dict[str, Any]:
    """The config with numbers in place of `auto`.

    Args:
        config: of a run.
        train: the photographs to train on; no others may be looked at.
    """
    from unet_lightning.data.shares import class_pixels  # brings torch, which a glance at a config does not need

    if not (keys := waiting(config)):
        return dict(config)
    weights, found = class_weights(class_pixels(train)), dict(config)
    for key in keys:
        found = with_value(found, key, weights)
    return found | {FIELDS: sorted({*fields(config), *keys})}


def said(config: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    """Sentences on what was filled."""
    return [
        f"{key} from the training labels: "
        + ", ".join(f"{name} {weight:g}" for name, weight in zip(classes, select(config, key), strict=True))
        for key in fields(config)
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
    for key in keys:
        found = with_value(found, key, select(recorded, key))
    return found | ({FIELDS: keys} if keys else {})


def with_other_data(config: Mapping[str, Any], typed: Collection[str]) -> dict[str, Any]:
    """The config of a run that is repeated: numbers of its data are found anew where it trains on other data.

    Args:
        config: with what was typed.
        typed: the dotted fields and sections that were.
    """
    keys = [key for key in fields(config) if not any(within(key, one) for one in typed)]
    found = {key: value for key, value in config.items() if key != FIELDS}
    if any(within(one, "data") and one not in SAME_DATA for one in typed):
        for key in keys:
            found = with_value(found, key, AUTO)
        return found
    return found | ({FIELDS: keys} if keys else {})
