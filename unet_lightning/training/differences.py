"""In what two configurations differ."""

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = object()


def differences(one: Mapping[Any, Any], other: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys whose values differ; of a section that one of them lacks, its own key."""
    for key in {**one, **other}:
        first, second = one.get(key, ABSENT), other.get(key, ABSENT)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            yield from differences(first, second, f"{prefix}{key}.")
        elif first != second:
            yield f"{prefix}{key}"
