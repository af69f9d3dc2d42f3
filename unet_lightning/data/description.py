"""What the files of a folder alone do not say: `dataset.yaml` in its root, written by `prepare folder` or by hand."""

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unet_lightning.data.bands import MOST_BANDS
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.terms import TERMS
from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text

FILE = "dataset.yaml"
NAME = re.compile(r"(?!\.)[^/\\:\x00-\x1f\x7f-\x9f\ud800-\udfff]+")  # may be part of a file name
LONGEST = 1_000_000  # bytes


@dataclass(frozen=True)
class Description:
    """What a data set says of itself; None where it says nothing."""

    name: str | None = None  # in tables and file names
    classes: Sequence[str] | None = None  # what a label's values mean, background first
    groups: str | None = None  # which images are of one patient: see `read_groups`
    channels: int | Sequence[str] | None = None  # of photographs: how many, or their names
    value_range: tuple[float, float] | None = None  # low and high, of photographs that have not 8 bits a channel
    task: str | None = None  # vessels or regions: which figures are measured
    ignore: int | None = None  # the grey level, in black and white labels, of pixels that do not count


def read_description(root: Path, **typed: Any) -> Description:
    """What is `typed` for data.dataset, and else what the file in the root of a data set says, if there is one.

    A CSV file of groups that the file names is one below `root`.

    Raises:
        ConfigError: the file is broken, or has a key that means nothing; a value means nothing.
    """
    path = root / FILE
    said = _checked(_read(path), f"{{}} in {path}") if path.is_file() else {}
    if said.get("groups", "").lower().endswith(".csv"):
        said["groups"] = str(root / said["groups"])
    return Description(**said | _checked(typed, "data.dataset.{}"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            given = yaml.safe_load(file.read(LONGEST))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {' '.join(str(error).split())[:300]}.") from error
    given = {} if given is None else given
    if not isinstance(given, Mapping) or (unknown := [str(key)[:50] for key in given if key not in CHECKS]):
        found = ", ".join(unknown) if isinstance(given, Mapping) else f"a {type(given).__name__}"
        raise ConfigError(f"{path} may have the keys {', '.join(CHECKS)}, found {found}.")
    return given


def _checked(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What is said, checked; `where` names a key in a message."""
    values = {key: CHECKS[key](value, where.format(key)) for key, value in given.items() if value is not None}
    return {key: value for key, value in values.items() if value is not None}


def write_description(root: Path, description: Description) -> None:
    """Writes what a data set says of itself into its root."""
    said = {key: value for key, value in dataclasses.asdict(description).items() if value is not None}
    plain = {key: [*value] if isinstance(value, tuple) else value for key, value in said.items()}
    head = "# What the files alone do not say; what is typed for data.dataset wins.\n"
    write_text(root / FILE, head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def checked_name(value: Any, what: str) -> str:
    """The name of a data set; ConfigError where it cannot be part of a file name."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ConfigError(f"{what} must be a name without / \\ and :, found {value}.")
    return value


def checked_classes(value: Any, what: str) -> list[str]:
    """The names of classes; ConfigError where they are not different parts of file names."""
    names = [] if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
    named = all(isinstance(name, str) and NAME.fullmatch(name) and name.isprintable() for name in names)
    # They are parts of the names of files, which on some systems are the same in capitals.
    if not named or len({*map(_folded, names)}) < len(names) or not 2 <= len(names) <= IGNORE:
        raise ConfigError(
            f"{what} must be a list of 2 to {IGNORE} different names (capitals and spaces around do not count) without "
            f"/ \\ : and control characters, background first, such as [background, cell]; found {value}."
        )
    return names


def _checked_groups(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{what} must be a pattern as text, or the path of a CSV file, found {value}.")
    return value


def _checked_channels(value: Any, what: str) -> int | tuple[str, ...] | None:
    if value == "auto":
        return None
    number = value
    if isinstance(value, list | tuple):
        named = all(isinstance(one, str) and one for one in value) and len({*value}) == len(value)
        number = len(value) if named else 0
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_BANDS:
        raise ConfigError(
            f"{what} must be auto, a number from 1 to {MOST_BANDS}, or a list of different names, found {value}."
        )
    return number if number == value else tuple(value)


def _checked_range(value: Any, what: str) -> tuple[float, float] | None:
    if value == "auto":
        return None
    numbers = isinstance(value, list | tuple) and all(type(one) in (int, float) and abs(one) < 1e30 for one in value)
    if not numbers or len(value) != 2 or not value[0] < value[1]:
        raise ConfigError(
            f"{what} must be auto, or two numbers, the lower first: black and white in photographs of more than 8 "
            f"bits, such as [0, 4095]; found {value}."
        )
    return float(value[0]), float(value[1])


def _checked_level(value: Any, what: str) -> int:
    if not isinstance(value, int) or not 1 < value < 255:
        raise ConfigError(f"{what} must be a grey level between black and white, such as 128, found {value}.")
    return value


def checked_task(value: Any, what: str) -> str:
    """Which figures are measured, and how things are called; ConfigError where no task is called so."""
    if value not in TERMS:
        raise ConfigError(f"{what} must be {' or '.join(TERMS)}, found {value}.")
    return str(value)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "name": checked_name,
    "classes": checked_classes,
    "groups": _checked_groups,
    "channels": _checked_channels,
    "value_range": _checked_range,
    "task": checked_task,
    "ignore": _checked_level,
}
