"""COCO: one JSON file for all photographs, with polygons and run lengths.

Run lengths are decoded here: pycocotools 2.0.11 fills a mask whose runs are too short with whatever is in memory. Its
polygons lie 0.04 pixels too high.

Source: cocodataset.org, format-data; pycocotools, maskApi.c.
"""

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

from unet_lightning.errors import DataError
from unet_lightning.importing import shapes
from unet_lightning.importing.annotations import OPTIONS, Sheet, gather
from unet_lightning.importing.found import Found, Options, Reader
from unet_lightning.importing.shapes import Region, Shape, Size
from unet_lightning.importing.values import annotation_files, json_of, numbers, points, size_in, taken
from unet_lightning.text import some

MARKS = (b'"images"', b'"annotations"', b'"categories"')
FIRST = 48  # the character that stands for 0
LONGEST = 13  # characters of a number: 64 bits, five each


def read(path: Path, asked: Options) -> Found:
    """All photographs of the files in COCO's format; objects of a category are merged, crowds too."""
    sheets, names = list[Sheet](), list[str]()
    for file in annotation_files(path, ".json", *MARKS):
        found, categories = _sheets(file)
        sheets += found
        names += [name for name in categories if name not in names]
    return gather(sheets, path, asked, names)


def _sheets(file: Path) -> tuple[list[Sheet], list[str]]:
    values = json_of(file)
    images, annotations, categories = (_by_id(values, key, file) for key in ("images", "annotations", "categories"))
    names = {
        number: taken(one, "name", str, f"{file}, category {number}") for number, one in sorted(categories.items())
    }
    if twice := sorted({name for name in names.values() if [*names.values()].count(name) > 1}):
        raise DataError(f"{file} has two categories of the name {some(twice)}: rename one.")
    drawn = defaultdict[int, list[Shape]](list)
    for number, one in annotations.items():
        where = f"{file}, annotation {number}"
        image, category = taken(one, "image_id", int, where), taken(one, "category_id", int, where)
        if image not in images or category not in names:
            what = f"image {image}" if image not in images else f"category {category}"
            raise DataError(f"{where} is of {what}, which the file does not list. Export it again, with all of both.")
        drawn[image] += _shapes(one, names[category], number, where)
    sheets = [
        Sheet(
            file,
            taken(one, "file_name", str, f"{file}, image {number}"),
            drawn[number],
            size_in(one, "height", "width", f"{file}, image {number}"),
        )
        for number, one in images.items()
    ]
    return sheets, [*names.values()]


def _by_id(values: Any, key: str, file: Path) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for one in taken(values, key, list, str(file)):
        number = taken(one, "id", int, f"{file}, {key}")
        if found.setdefault(number, one) is not one:
            raise DataError(f"{file} has two {key} of the id {number}: give each an id of its own.")
    return found


def _shapes(values: Any, name: str, number: int, where: str) -> list[Shape]:
    given = values.get("segmentation")
    if isinstance(given, dict):
        counts, size = given.get("counts"), numbers(given.get("size"), f"{where}, size", 2)
        runs = _counts(counts, where) if isinstance(counts, str) else numbers(counts, f"{where}, counts")
        if any(one != int(one) for one in runs):
            raise DataError(f"{where}: whole numbers were expected as counts, found {str(counts)[:80]}.")
        return [Shape(name, partial(_mask, [*map(int, runs)], (int(size[0]), int(size[1]))), f"annotation {number}")]
    if not isinstance(given, list) or not given:
        raise DataError(
            f"{where} ({name}) has no segmentation: expected polygons or run lengths. A box alone is no region: draw "
            "regions, or take the annotation out."
        )
    several = given if isinstance(given[0], list) else [given]  # VIA writes one as it is
    outlines = [points(numbers(one, where), where, 3) for one in several]
    return [Shape(name, partial(shapes.polygon, outline), f"annotation {number}") for outline in outlines]


def _mask(counts: list[int], stated: Size, size: Size) -> Region:
    if stated != size:
        raise DataError(
            f"its size is {stated[0]} x {stated[1]}, and the image has {size[0]} x {size[1]} (height x width)"
        )
    return Region(0, 0, shapes.of_runs(counts, size, by_columns=True))


def _counts(text: str, where: str) -> list[int]:
    """The run lengths in COCO's letters: five bits a letter, the lowest first, from the third on as differences.

    The sixth bit of a letter says that more follow, the fifth of the last one that the number is negative.
    """
    found, value, length = list[int](), 0, 0
    for letter in text:
        bits = ord(letter) - FIRST
        if not 0 <= bits < 64 or length == LONGEST:
            raise DataError(f"{where}: its counts are no run lengths of COCO: {text[:40]}. Export it again.")
        value, length = value | (bits & 31) << 5 * length, length + 1
        if not bits & 32:
            value -= (bits & 16) << 5 * length - 4 if bits & 16 else 0
            found.append(value + (found[-2] if len(found) > 2 else 0))
            value = length = 0
    if length:
        raise DataError(f"{where}: its counts end within a number: {text[:40]}. Export it again.")
    return found


READER = Reader("coco", lambda path: any(annotation_files(path, ".json", *MARKS)), read, OPTIONS - {"line_width"})
