"""Tables that people give: CSV, with commas or semicolons."""

import csv
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.errors import DataError


def read_rows(path: Path, what: str) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a CSV file in small letters, and its rows; DataError where it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            rows = csv.DictReader(file, delimiter=";" if first.count(";") > first.count(",") else ",", strict=True)
            columns = [name.strip().lower() for name in rows.fieldnames or ()]
            rows.fieldnames = columns
            return columns, [{name: (row[name] or "").strip() for name in columns} for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"The {what} {path} cannot be read: {error}.") from error


def column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column."""
    return next((name for name in names if name in columns), None)
