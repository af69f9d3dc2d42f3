"""VGG Image Annotator: JSON of versions 1, 2 and 3, and CSV of versions 1 and 2.

Source: gitlab.com/vgg/via, via-2.x.y and via-3.x.y, CodeDoc.md.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unet_lightning.data.table import columns_of, read_rows
from unet_lightning.errors import DataError
from unet_lightning.importing import shapes
from unet_lightning.importing.annotations import OPTIONS, Sheet, gather
from unet_lightning.importing.found import Found, Options, Reader
from unet_lightning.importing.shapes import Shape
from unet_lightning.importing.values import annotation_files, json_of, line_width, numbers, points, read_json, taken
from unet_lightning.text import some

MARKS = (
    (".json", b'"shape_attributes"'),
    (".json", b'"_via_img_metadata"'),
    (".json", b'"vid_list"'),
    (".csv", b"region_shape_attributes"),
    (".csv", b"# CSV_HEADER = metadata_id"),
)
ONLY = "foreground"  # the class of regions that have no attribute
# The kinds of VIA 3 by number, and the keys of VIA 2 in the order of VIA 3's numbers.
KINDS = {1: "point", 2: "rect", 3: "circle", 4: "ellipse", 5: "line", 6: "polyline", 7: "polygon"}
KEYS = {"rect": ("x", "y", "width", "height"), "circle": ("cx", "cy", "r"), "ellipse": ("cx", "cy", "rx", "ry")}


class Drawn(NamedTuple):
    """A region of any version."""

    kind: str
    values: list[float]  # x, y, x, y, ..., or those of KEYS and an angle in radians
    attributes: dict[str, Any]
    where: str


def read(path: Path, asked: Options) -> Found:
    """All photographs of VIA's files; the class is the attribute `attribute`, or the only one."""
    said = set[str]()
    found = [(file, name, drawn) for file in _files(path) for name, drawn in _photographs(file)]
    keys = sorted({key for _, _, drawn in found for one in drawn for key in one.attributes})
    if "attribute" not in asked and len(keys) > 1:
        raise DataError(
            f"{path} has the region attributes {some(keys)}: say which is the class, as --attribute {keys[0]}."
        )
    key = asked.get("attribute") or (keys[0] if keys else None)
    if key is None:
        said.add(f"No region has an attribute: all are of the class {ONLY}.")
    sheets = [
        Sheet(file, name, [_shape(one, _class(one, key), f"region {n}", asked) for n, one in enumerate(drawn, 1)])
        for file, name, drawn in found
    ]
    return gather(sheets, path, asked, (), sorted(said))


def _files(path: Path) -> list[Path]:
    return sorted({file for suffix, mark in MARKS for file in annotation_files(path, suffix, mark)})


def _photographs(file: Path) -> Iterator[tuple[str, Sequence[Drawn]]]:
    """The name of each photograph, with its regions."""
    if file.suffix.lower() == ".csv":
        yield from _of_table(file)
        return
    values = json_of(file)
    if isinstance(values, dict) and {"project", "metadata"} <= values.keys():
        yield from _of_three(values, file)
        return
    if isinstance(values, dict) and "_via_img_metadata" in values:
        values = values["_via_img_metadata"]
    for key in taken({"photographs": values}, "photographs", dict, str(file)):
        one = taken(values, key, dict, str(file))
        name = taken(one, "filename", str, f"{file}, {key}")
        given = taken(one, "regions", (list, dict), f"{file}, {name}")  # VIA 1 numbers them
        regions = enumerate(given.values() if isinstance(given, dict) else given, 1)
        yield name, [_of_two(region, f"{file}, {name}, region {number}") for number, region in regions]


def _of_table(file: Path) -> Iterator[tuple[str, list[Drawn]]]:
    if ",".join(columns_of(file)).startswith("# "):
        raise DataError(
            f"{file} is a table of VIA 3, which leaves out what classes are called. Save the project (JSON)."
        )
    found: dict[str, list[Drawn]] = {}
    for number, row in enumerate(read_rows(file, "table of annotations")[1], 2):
        where = f"{file}, row {number}"
        name = taken({"filename": row.get("filename") or row.get("#filename")}, "filename", str, where)
        keys = "shape_attributes", "region_attributes"
        cells = row.get("region_shape_attributes") or "{}", row.get("region_attributes") or "{}"
        region = {key: read_json(cell, f"{where}, {key},") for key, cell in zip(keys, cells, strict=True)}
        found.setdefault(name, []).extend([_of_two(region, where)] if region["shape_attributes"] else [])
    yield from found.items()


def _of_two(region: Any, where: str) -> Drawn:
    shape, attributes = (taken(region, key, dict, where) for key in ("shape_attributes", "region_attributes"))
    kind = taken(shape, "name", str, where)
    if kind in KEYS:
        values = numbers([shape.get(key) for key in KEYS[kind]], where)
        return Drawn(kind, values + numbers([shape.get("theta", 0)], where), attributes, where)
    across, down = (numbers(shape.get(f"all_points_{axis}", []), where) for axis in "xy")
    if len(across) != len(down):
        raise DataError(f"{where}: {len(across)} numbers are all_points_x, and {len(down)} all_points_y.")
    return Drawn(kind, [one for pair in zip(across, down, strict=True) for one in pair], attributes, where)


def _of_three(values: dict[str, Any], file: Path) -> Iterator[tuple[str, Sequence[Drawn]]]:
    files, views, drawn, attributes = (
        taken(values, key, dict, str(file)) for key in ("file", "view", "metadata", "attribute")
    )
    names: dict[str, str] = {}
    for view, one in views.items():
        shown = taken(one, "fid_list", list, f"{file}, view {view}")
        if len(shown) != 1:
            raise DataError(f"{file}, view {view} shows {len(shown)} photographs side by side: expected one.")
        names[view] = taken(taken(files, str(shown[0]), dict, str(file)), "fname", str, f"{file}, file {shown[0]}")
    regions: dict[str, list[Drawn]] = {view: [] for view in names}
    for key, one in drawn.items():
        where = f"{file}, metadata {key}"
        view, place = taken(one, "vid", str, where), numbers(taken(one, "xy", list, where), where)
        if view not in regions or taken(one, "z", list, where):
            raise DataError(f"{where} is of a moment of a film, or of a view that is not there: expected photographs.")
        if place:  # else it is of the whole photograph
            kind, chosen = KINDS.get(int(place[0]), f"shape {place[0]:g}"), taken(one, "av", dict, where)
            named = dict(_chosen(attributes, number, value, where) for number, value in chosen.items())
            regions[view].append(Drawn(kind, [*place[1:], 0.0] if kind in KEYS else place[1:], named, where))
    yield from ((names[view], found) for view, found in regions.items())


def _chosen(attributes: dict[str, Any], number: str, value: Any, where: str) -> tuple[str, Any]:
    """The name of an attribute, and what was typed, or chosen by the number of an option."""
    attribute = taken(attributes, number, dict, where)
    options = attribute.get("options")
    listed = isinstance(options, dict) and isinstance(value, str)
    return taken(attribute, "aname", str, where), options.get(value, value) if listed else value


def _class(drawn: Drawn, key: str | None) -> str:
    value = ONLY if key is None else drawn.attributes.get(key)
    if isinstance(value, dict):  # boxes to tick
        ticked = [name for name, on in value.items() if on]
        value = ticked[0] if len(ticked) == 1 else ticked
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{drawn.where} has no class: its attribute {key} is {str(value)[:80]}.")
    return value.strip()


def _shape(drawn: Drawn, name: str, what: str, asked: Options) -> Shape:
    where = f"{drawn.where} ({name})"
    if drawn.kind in ("polyline", "line"):
        return Shape(name, partial(shapes.line, points(drawn.values, where, 2), line_width(asked, where)), what)
    if drawn.kind == "polygon":
        return Shape(name, partial(shapes.polygon, points(drawn.values, where, 3)), what)
    if drawn.kind not in KEYS:
        raise DataError(f"{where} is a {drawn.kind}: expected polygon, rect, circle, ellipse or polyline. Take it out.")
    if len(drawn.values) != len(KEYS[drawn.kind]) + 1:
        raise DataError(f"{where}: a {drawn.kind} has {', '.join(KEYS[drawn.kind])}, found {drawn.values[:-1]}.")
    x, y, *rest, angle = drawn.values
    if drawn.kind == "rect":
        corners = np.array([(x, y), (x + rest[0], y + rest[1])])
        return Shape(name, partial(shapes.rectangle, corners, 0.0), what)
    radii = rest * 2 if drawn.kind == "circle" else rest
    return Shape(name, partial(shapes.ellipse, np.array([x, y]), radii, math.degrees(angle)), what)


READER = Reader("via", lambda path: bool(_files(path)), read, OPTIONS | {"attribute"})
