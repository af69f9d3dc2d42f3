"""Tables that people give: CSV, with commas, semicolons or tabs."""

import csv
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.errors import DataError
from unet_lightning.text import some


def read_rows(path: Path, what: str) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a CSV file in small letters, and its rows.

    Raises:
        DataError: it cannot be read, or a row has more cells than there are columns, as where a comma lacks quotes.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            rows = csv.DictReader(file, delimiter=max(",;\t", key=first.count), strict=True)
            columns = rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
            found = [*rows]
    except UnicodeDecodeError as error:
        raise DataError(f"The {what} {path} is no text in UTF-8 ({error}). Save it as `CSV UTF-8`.") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"The {what} {path} cannot be read: {error}.") from error
    if twice := sorted({name for name in columns if name and columns.count(name) > 1}):
        raise DataError(f"The {what} {path} has two columns {twice[0]}: keep one.")
    if long := next((row for row in found if None in row), None):
        cells = [*filter(None, (long[name] for name in columns)), *long[None]]
        raise DataError(
            f"The {what} {path} has more cells than columns ({', '.join(columns)}) in a row: {', '.join(cells)}. What "
            "holds a comma stands in quotes."
        )
    return columns, [{name: (row[name] or "").strip() for name in columns} for row in found]


def columns_of(path: Path) -> list[str]:
    """The columns of what may be a CSV file, in small letters, by its first line."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(10_000)
    cells = next(csv.reader([first], delimiter=max(",;\t", key=first.count)), [])
    return [name.strip().lower() for name in cells]


def column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column."""
    return next((name for name in names if name in columns), None)


def read_by_image(
    path: Path, what: str, image_ids: Sequence[str], keys: Sequence[str], values: Sequence[str]
) -> dict[str, str]:
    """What a table says of each image, in one of the columns `values`, by its name in one of the columns `keys`.

    Raises:
        DataError: the table is broken, lacks an image, or says two things of one.
    """
    columns, rows = read_rows(path, what)
    key, value = column(columns, keys), column(columns, values)
    if key is None or value is None:
        raise DataError(
            f"The {what} {path} has the columns {', '.join(columns) or 'none'}, expected one of {', '.join(keys)} and "
            f"one of {', '.join(values)}."
        )
    known, found = {*image_ids}, dict[str, str]()
    for row in rows:
        # `01.png` is the image 01; a name may have a dot of its own.
        image_id = row[key] if row[key] in known else Path(row[key]).stem
        if found.setdefault(image_id, row[value]) != row[value]:
            raise DataError(f"The {what} {path} has {row[key]} in two {value}s: {found[image_id]} and {row[value]}.")
    if lacking := [image_id for image_id in image_ids if not found.get(image_id)]:
        raise DataError(f"The {what} {path} has no {value} of the images {some(lacking)}.")
    return {image_id: found[image_id] for image_id in image_ids}
