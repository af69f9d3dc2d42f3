"""Values in files of annotation tools, taken with their kinds checked: what is not as expected is a DataError."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.found import Options
from unet_lightning.importing.shapes import Points, Size

LARGEST = 2**30  # bytes of a file of annotations


def annotation_files(path: Path, suffix: str, *marks: bytes) -> Iterator[Path]:
    """The file, or the files in a folder and below, that have a suffix and hold all marks."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.suffix.lower() == suffix and not file.name.startswith(".") and file.is_file():
            content = file.read_bytes() if file.stat().st_size <= LARGEST else b""
            if all(mark in content for mark in marks):
                yield file


def json_of(path: Path) -> Any:
    """The values in a file; see `read_json`."""
    try:
        return read_json(path.read_text(encoding="utf-8-sig"), f"The annotations {path}")
    except (OSError, ValueError) as error:
        raise DataError(f"The annotations {path} cannot be read ({str(error)[:200]}). Export them again.") from error


def read_json(text: str, where: str) -> Any:
    """The values in a text; DataError where it is no JSON, or names something twice in one place."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"{max(names, key=names.count)} stands twice in one place")
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} cannot be read as JSON ({str(error)[:200]}). Export it again.") from error


def taken(values: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """A value of a mapping; DataError where there is none of its kind."""
    value = values.get(key) if isinstance(values, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise DataError(f"{where}: {key} must be of the kind {kinds}, found {str(value)[:80]}.")
    return value


def size_in(values: Any, height: str, width: str, where: str) -> Size:
    """Height and width in a mapping, in pixels."""
    size = taken(values, height, int, where), taken(values, width, int, where)
    if min(size) < 1:
        raise DataError(f"{where}: the size of the photograph must be positive, found {size[0]} x {size[1]}.")
    return size


def numbers(values: Any, where: str, count: int | None = None) -> list[float]:
    """A list of finite numbers, of which there may have to be `count`."""
    found: list[Any] = values if isinstance(values, list) else [None]
    try:
        floats = [math.nan if isinstance(one, bool | str) else float(one) for one in found]
    except (TypeError, ValueError, OverflowError):
        floats = [math.nan]
    if not all(map(math.isfinite, floats)) or len(floats) != (count or len(floats)):
        raise DataError(f"{where}: {count or 'only'} finite numbers were expected, found {str(values)[:80]}.")
    return floats


def points(flat: Sequence[float], where: str, least: int) -> Points:
    """Points `(N, 2)` from x, y, x, y, ...; DataError where they are fewer than `least`."""
    if len(flat) % 2 or len(flat) < 2 * least:
        raise DataError(f"{where}: {least} points or more were expected, found {len(flat)} numbers.")
    return np.array(flat, np.float64).reshape(-1, 2)


def line_width(asked: Options, where: str) -> float:
    """The width of lines in pixels.

    Raises:
        ConfigError: it is no width.
        DataError: none was given.
    """
    width = asked.get("line_width")
    if width is None:
        raise DataError(
            f"{where} is a line, which covers no pixels. Give lines a width, --line-width 3 (pixels), or draw regions."
        )
    if not 0 < width < math.inf:
        raise ConfigError(f"--line-width must be a number of pixels above 0, found {width}.")
    return float(width)
