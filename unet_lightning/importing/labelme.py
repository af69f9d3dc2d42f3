"""LabelMe: a JSON file beside each photograph.

Source: labelme 5, github.com/wkentaro/labelme, label_file.py and utils/shape.py.
"""

import base64
import math
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unet_lightning.data.opening import open_image
from unet_lightning.errors import DataError
from unet_lightning.importing import shapes
from unet_lightning.importing.annotations import OPTIONS, Sheet, gather
from unet_lightning.importing.found import Found, Options, Pixels, Reader
from unet_lightning.importing.shapes import Points, Region, Shape, Size
from unet_lightning.importing.values import annotation_files, json_of, line_width, numbers, points, size_in, taken

MARKS = (b'"shapes"', b'"imagePath"')
CORNERS = {"polygon": 3, "rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "mask": 2}  # the fewest points


def read(path: Path, asked: Options) -> Found:
    """All photographs with a JSON file of LabelMe; one that is not there is taken out of its JSON file."""
    sheets = [_sheet(file, asked) for file in annotation_files(path, ".json", *MARKS)]
    return gather(sheets, path, asked)


def _sheet(file: Path, asked: Options) -> Sheet:
    values = json_of(file)
    name, size = taken(values, "imagePath", str, str(file)), size_in(values, "imageHeight", "imageWidth", str(file))
    drawn = [
        _shape(one, f"shape {number}", file, asked)
        for number, one in enumerate(taken(values, "shapes", list, str(file)), 1)
    ]
    data = values.get("imageData")
    embedded = partial(_photo, data, size, file) if isinstance(data, str) and data else None
    return Sheet(file, name, drawn, size, embedded)


def _shape(values: Any, what: str, file: Path, asked: Options) -> Shape:
    where = f"{file}, {what}"
    name = taken(values, "label", str, where)
    kind = values.get("shape_type") or "polygon"  # of the first versions, which had no other
    if not isinstance(kind, str) or kind not in CORNERS:
        raise DataError(f"{where} ({name}) is of the type {str(kind)[:40]}: expected {', '.join(CORNERS)}.")
    given = taken(values, "points", list, where)
    corners = points([number for one in given for number in numbers(one, where, 2)], where, CORNERS[kind])
    if CORNERS[kind] == 2 and kind != "linestrip" and len(corners) != 2:
        raise DataError(f"{where} ({name}): a {kind} has 2 points, found {len(corners)}.")
    if kind == "mask":
        return Shape(name, partial(_mask, taken(values, "mask", str, where), corners), what)
    if kind == "polygon":
        return Shape(name, partial(shapes.polygon, corners), what)
    if kind == "rectangle":
        return Shape(name, partial(shapes.rectangle, corners, 0.0), what)
    if kind == "circle":  # its centre, and a point on it
        return Shape(name, partial(shapes.ellipse, corners[0], [math.dist(*corners)] * 2, 0.0), what)
    return Shape(name, partial(shapes.line, corners, line_width(asked, f"{where} ({name})")), what)


def _mask(text: str, corners: Points, size: Size) -> Region:
    """A mask in the box between two pixels, both of which are in it."""
    (left, top), (right, bottom) = corners.astype(np.int64).tolist()
    mask = _decoded(text, "mask") > 0
    fits = 0 <= left <= right < size[1] and 0 <= top <= bottom < size[0]
    if not fits or mask.shape != (bottom - top + 1, right - left + 1):
        raise DataError(f"a mask of {mask.shape} pixels does not fit from ({left}, {top}) to ({right}, {bottom})")
    return Region(top, left, mask)


def _photo(text: str, size: Size, file: Path) -> Pixels:
    """The photograph within a file, `(H, W)` or `(H, W, 3)`."""
    try:
        image = _decoded(text, "photograph")
    except DataError as error:
        raise DataError(f"The photograph within {file} cannot be decoded: {error}.") from error
    if image.shape[:2] != size:
        raise DataError(f"The photograph within {file} has {image.shape[:2]} pixels, and the file says {size}.")
    return image


def _decoded(text: str, what: str) -> Pixels:
    """An image of 8 bits in base64."""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise DataError(f"its {what} is no base64 ({error})") from error
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder, what)).write_bytes(content)
        try:
            image, deep, *_ = open_image(path, what)
        except DataError as error:
            raise DataError(f"its {what} is no image that is read") from error
    if deep:
        raise DataError(f"its {what} has more than 8 bits a channel: put the file itself there")
    return np.asarray(image if image.mode in ("L", "RGB") else image.convert("L" if what == "mask" else "RGB"))


READER = Reader("labelme", lambda path: any(annotation_files(path, ".json", *MARKS)), read, OPTIONS)
