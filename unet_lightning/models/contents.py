"""What a checkpoint file may hold: plain values and tensors, no more of them than the file has bytes for."""

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unet_lightning.data.terms import TERMS
from unet_lightning.errors import RunError

DATA_STATE = "SegmentationDataModule"  # Lightning keeps the state of a data module under the name of its class
FORMER_DATA_STATE = "RetinalDataModule"  # what the class was called once
MOST_VALUES = 2_000_000  # a run of 10,000 epochs has about 200,000
DEEPEST = 50  # mappings and lists within one another
MOST_CHANNELS = 66  # of photographs
MOST_SHARED = 4  # times that the tensors together may exceed the file: parameters can share memory


def check_archive(path: Path) -> None:
    """Raises RunError, before torch reads it, for a zip that would unpack to any size: torch.save stores as it is."""
    if not zipfile.is_zipfile(path):
        return  # the older form, or no checkpoint: torch says which
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise RunError(f"The checkpoint {path} is packed, as torch.save leaves none: it was not loaded.")


def check_values(path: Path, checkpoint: Any) -> None:
    """Raises RunError for a value that holds itself or a flood of others, or tensors far larger than their file."""
    room = MOST_SHARED * path.stat().st_size + 1024**2
    pending, seen = [(checkpoint, 0)], 0
    while pending:
        value, depth = pending.pop()
        seen += 1
        if seen > MOST_VALUES or depth > DEEPEST:
            raise RunError(
                f"The checkpoint {path} is none: over {MOST_VALUES:,} values, or over {DEEPEST} within one another."
            )
        if isinstance(value, Mapping):
            pending += [(item, depth + 1) for pair in value.items() for item in pair]
        elif isinstance(value, list | tuple | set):
            pending += [(item, depth + 1) for item in value]
        elif isinstance(value, Tensor):
            if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
                raise RunError(f"The checkpoint {path} holds a tensor that is sparse, quantized or empty of data.")
            room -= value.numel() * value.element_size()
            if room < 0:
                raise RunError(f"The checkpoint {path} holds tensors far larger than the file: it was not loaded.")


def rename_data_state(checkpoint: dict[str, Any]) -> None:
    """Gives what the data module has kept its present name, in a checkpoint from before the class was renamed."""
    if FORMER_DATA_STATE in checkpoint:
        checkpoint.setdefault(DATA_STATE, checkpoint.pop(FORMER_DATA_STATE))


def data_state(path: Path, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint of ours says of its data, in the form of `SegmentationDataModule.state_dict`; else empty."""
    state = checkpoint.get(DATA_STATE, {})
    wrong = ["all"]
    if isinstance(state, Mapping):
        wrong = [name for name, fits in _FORMS.items() if name in state and not fits(state[name])]
    if wrong:
        raise RunError(f"The checkpoint {path} was not written by a run: {DATA_STATE} has a wrong {wrong[0]}.")
    return dict(state)


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_moments(value: Any) -> bool:
    """A figure for each channel, or None where the run had not read its photographs yet."""
    several = isinstance(value, list) and 1 <= len(value) <= MOST_CHANNELS
    return value is None or (several and all(_is_number(one, 1) for one in value))


def _is_form(value: Any) -> bool:
    """How photographs are read: see `data.photograph`."""
    if not isinstance(value, Mapping) or set(value) != {"channels", "converts", "value_range"}:
        return value is None
    channels, span = value["channels"], value["value_range"]
    numbers = isinstance(span, list) and len(span) == 2 and all(isinstance(one, float) for one in span)
    return (
        isinstance(value["converts"], bool)
        and type(channels) is int
        and 1 <= channels <= MOST_CHANNELS
        and (span is None or (numbers and span[0] < span[1]))
    )


def _is_content(value: Any) -> bool:
    """Digests and look of an image, by what they are of, and the name of its group: see `data.content`."""
    digits = {"photograph": 32, "label": 32, "drawing": 32, "fov": 32, "look": 128}
    return isinstance(value, Mapping) and all(
        isinstance(one, str) and (name == "group" or re.fullmatch(f"[0-9a-f]{{{digits.get(name, 0)}}}", one))
        for name, one in value.items()
    )


def _is_seen(value: Any) -> bool:
    """Data set, name and content of an image: see `data.seen`."""
    return isinstance(value, list | tuple) and len(value) == 3 and _is_names([*value[:2]]) and _is_content(value[2])


_FORMS: dict[str, Callable[[Any], bool]] = {
    "dataset": lambda value: value is None or isinstance(value, str),
    "train_ids": _is_names,
    "val_ids": _is_names,
    "contents": lambda value: (
        isinstance(value, Mapping) and _is_names([*value]) and all(map(_is_content, value.values()))
    ),
    "inherited": lambda value: (
        isinstance(value, Mapping) and _is_names([*value]) and all(map(_is_names, value.values()))
    ),
    "inherited_images": lambda value: isinstance(value, list) and all(map(_is_seen, value)),
    "unknown_weights": _is_names,
    "classes": lambda value: _is_names(value) and not set("".join(value)) & set("/\\:\0"),  # parts of names of files
    "mean": _is_moments,
    "std": lambda value: _is_moments(value) and 0 not in (value or ()),
    "task": lambda value: value is None or value in TERMS,
    "form": _is_form,
    "fov": lambda value: value in (None, "mask", "auto", "none"),
    "diameter": lambda value: value is None or (_is_number(value, 20_000) and value > 0),  # pixels
}
