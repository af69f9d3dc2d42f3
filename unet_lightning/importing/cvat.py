"""CVAT for images 1.1: one XML file for all photographs.

Source: docs.cvat.ai, XML annotation format.
"""

import math
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

import numpy as np

from unet_lightning.errors import DataError
from unet_lightning.importing import shapes
from unet_lightning.importing.annotations import OPTIONS, Sheet, gather
from unet_lightning.importing.found import Found, Options, Reader
from unet_lightning.importing.shapes import Region, Shape, Size
from unet_lightning.importing.values import annotation_files, line_width, points

MARKS = (b"<annotations",)
KINDS = ("polygon", "box", "ellipse", "mask", "polyline")


def read(path: Path, asked: Options) -> Found:
    """All photographs of CVAT's files; a higher z_order covers a lower one."""
    sheets, names, tags = list[Sheet](), list[str](), 0
    for file in annotation_files(path, ".xml", *MARKS):
        root = _parsed(file)
        if root.find("track") is not None:
            raise DataError(f"{file} is of CVAT for video. Export the task as `CVAT for images 1.1`.")
        names += [one.text for one in root.findall("meta//labels/label/name") if one.text and one.text not in names]
        sheets += [_sheet(image, file, asked) for image in root.findall("image")]
        tags += len(root.findall("image/tag"))
    said = [f"Tags of whole photographs, left out: {tags}."] if tags else []
    return gather(sheets, path, asked, names, said)


def _parsed(file: Path) -> Element:
    """The elements of a file without a document type, in which entities could be without end."""

    def refuse(*_: object) -> None:
        raise DataError(f"The annotations {file} have a document type (<!DOCTYPE), as CVAT writes none. Take it out.")

    try:
        content = file.read_bytes()
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = refuse
        parser.Parse(content, True)
        return ElementTree.fromstring(content)
    except (OSError, ValueError, LookupError, expat.ExpatError, ElementTree.ParseError) as error:
        raise DataError(
            f"The annotations {file} cannot be read as XML ({str(error)[:200]}). Export them again."
        ) from error


def _sheet(image: Element, file: Path, asked: Options) -> Sheet:
    name, where = image.get("name", ""), f"{file}, image {image.get('name')}"
    height, width = (_whole(image, key, where, 1) for key in ("height", "width"))
    drawn = [one for one in image if one.tag != "tag"]
    return Sheet(
        file, name, [_shape(one, f"{one.tag} {n}", where, asked) for n, one in enumerate(drawn, 1)], (height, width)
    )


def _shape(one: Element, what: str, where: str, asked: Options) -> Shape:
    name = one.get("label", "")
    where = f"{where}, {what} ({name})"
    if one.tag not in KINDS:
        raise DataError(f"{where} covers no pixels: expected {', '.join(KINDS)}. Take it out, or draw a region.")
    level, angle = _whole(one, "z_order", where) if one.get("z_order") else 0, _number(one, "rotation", where, "0")
    if one.tag == "mask":
        left, top, width, height = (_whole(one, key, where, 0) for key in ("left", "top", "width", "height"))
        try:
            counts = [int(count) for count in one.get("rle", "").split(",")]
        except ValueError as error:
            raise DataError(f"{where}: whole numbers were expected as rle ({str(error)[:80]}).") from error
        return Shape(name, partial(_mask, counts, top, left, (height, width)), what, level)
    if one.tag == "box":
        corners = points([_number(one, key, where) for key in ("xtl", "ytl", "xbr", "ybr")], where, 2)
        return Shape(name, partial(shapes.rectangle, corners, angle), what, level)
    if one.tag == "ellipse":
        x, y, *radii = (_number(one, key, where) for key in ("cx", "cy", "rx", "ry"))
        return Shape(name, partial(shapes.ellipse, np.array([x, y]), radii, angle), what, level)
    outline = points(_pairs(one.get("points", ""), where), where, 3 if one.tag == "polygon" else 2)
    if one.tag == "polygon":
        return Shape(name, partial(shapes.polygon, outline), what, level)
    return Shape(name, partial(shapes.line, outline, line_width(asked, where)), what, level)


def _mask(counts: list[int], top: int, left: int, box: Size, size: Size) -> Region:
    if top + box[0] > size[0] or left + box[1] > size[1]:
        raise DataError(f"its {box[0]} x {box[1]} pixels from ({left}, {top}) do not fit into {size[0]} x {size[1]}")
    return Region(top, left, shapes.of_runs(counts, box, by_columns=False))


def _pairs(text: str, where: str) -> list[float]:
    """The numbers of x,y;x,y."""
    pairs = [pair.split(",") for pair in text.split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise DataError(f"{where}: points were expected as x,y;x,y, found {text[:80]}.")
    return [_finite(number, "points", where) for pair in pairs for number in pair]


def _number(one: Element, key: str, where: str, default: str = "") -> float:
    return _finite(one.get(key, default), key, where)


def _whole(one: Element, key: str, where: str, least: int = -(2**31)) -> int:
    value = _number(one, key, where)
    if value != int(value) or not least <= value < 2**31:
        raise DataError(f"{where}: a whole number from {least} was expected as {key}, found {one.get(key)}.")
    return int(value)


def _finite(text: str, key: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: a finite number was expected as {key}, found {text[:40]!r}.")
    return value


READER = Reader("cvat", lambda path: any(annotation_files(path, ".xml", *MARKS)), read, OPTIONS)
