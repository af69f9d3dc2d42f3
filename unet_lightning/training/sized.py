"""Values that are `auto` in a config, such as those of `experiment=own`, become numbers when a run is built.

They are numbers from then on: a run that goes on, or is repeated, has them from its config.yaml.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.models.weights import read_checkpoint, tensors_of
from unet_lightning.specs import SECTIONS, build
from unet_lightning.training.config import ABSENT, select, with_value
from unet_lightning.training.machine import this_machine
from unet_lightning.training.sizing import FOV, SIZED, Circumstances, choose

AUTO = "auto"  # of data.dataset.fov it means something else: there None is to be chosen
LOOKED_AT = 20  # photographs whose size is looked at


def sized(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The config with numbers in place of `auto`, and what was chosen: a heading, then `field=value  # reason` each.

    Raises:
        UserError: the data set, or the weights to begin from, cannot be read.
    """
    if not (waiting := _waiting(config)):
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


def as_recorded(config: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a run that goes on where the same command finds it, with what was chosen when it began."""
    found = dict(config)
    for key in _waiting(config):
        found = with_value(found, key, select(recorded, key))
    return found


def override(key: str, value: Any) -> str:
    """A value as one types it."""
    return f"{key}={'null' if value is None else value}"


def facts_of(config: Mapping[str, Any]) -> Circumstances:
    """What is known before a run is built. All images to train and validate on count, so that folds are alike."""
    section = dict(config["data"]["dataset"])
    if FOV in _waiting(config):
        section["fov"] = "mask"
    data: SegmentationDataset = build(section, SECTIONS["data"])(root=config["data"]["root"], split="train")
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


def _waiting(config: Mapping[str, Any]) -> list[str]:
    """The fields that are still to be chosen."""
    return [
        key for key in SIZED if (found := select(config, key)) is not ABSENT and found == (None if key == FOV else AUTO)
    ]


def width_of(path: Path) -> int | None:
    """The channels of the first convolution in a file of weights; None where it has none."""
    tensors = tensors_of(read_checkpoint(path), ())
    return next((len(value) for value in tensors.values() if value.ndim == 4), None)


def copied(words: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The words of a command with what was chosen, so that it chooses nothing."""
    return [*words, *(line.partition("  # ")[0].strip() for line in lines[1:])]
