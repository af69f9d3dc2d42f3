"""Annotations of every tool, volumes and DICOM files: drawn, so that it is known what they show, and spoilt."""

import base64
import csv
import io
import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

import nibabel
import numpy as np
import pydicom
from drawn import ReadWrong
from forms import Array
from mutations import spoil, spoil_value
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from skimage.measure import points_in_poly

from unet_lightning.importing.found import Found
from unet_lightning.importing.readers import READERS

NAMES = ["cell", "nucleus"]
NEAR = 0.011  # pixels: nearer to a border than what two decimals can move, a centre may be on either side


class Thing(NamedTuple):
    """A shape, and what pixels it covers by another way than the readers'."""

    kind: str
    name: str
    values: list[float]  # x, y, x, y, ...; of an ellipse its centre, radii and angle in degrees
    inside: Array  # (H, W) bool
    unsure: Array  # (H, W) bool: where the border is


def things(size: tuple[int, int], rng: random.Random, kinds: Sequence[str]) -> list[Thing]:
    """A few shapes within an image."""
    return [thing(rng.choice(kinds), rng.choice(NAMES), size, rng) for _ in range(rng.randint(1, 4))]


def thing(kind: str, name: str, size: tuple[int, int], rng: random.Random) -> Thing:
    """A shape somewhere in an image, its numbers of two decimals."""
    height, width = size
    y, x = np.indices(size) + 0.5

    def spot() -> list[float]:
        return [round(rng.uniform(0, width), 2), round(rng.uniform(0, height), 2)]

    if kind == "ellipse":
        centre, radii, angle = spot(), [round(rng.uniform(0.5, 9), 2) for _ in range(2)], rng.choice((0.0, 30.0, 90.0))
        turn = math.radians(angle)
        across = ((x - centre[0]) * math.cos(turn) + (y - centre[1]) * math.sin(turn)) / radii[0]
        along = ((y - centre[1]) * math.cos(turn) - (x - centre[0]) * math.sin(turn)) / radii[1]
        far = np.hypot(across, along)
        return Thing(kind, name, [*centre, *radii, angle], far <= 1, abs(far - 1) * min(radii) < NEAR)
    if kind == "mask":
        left, right = sorted(rng.sample(range(width + 1), 2))
        top, bottom = sorted(rng.sample(range(height + 1), 2))
        inside = np.zeros(size, bool)
        inside[top:bottom, left:right] = (
            np.random.default_rng(rng.randrange(2**32)).random((bottom - top, right - left)) < 0.6
        )
        return Thing(kind, name, [left, top, right, bottom], inside, np.zeros(size, bool))
    corners = np.array([spot() for _ in range(2 if kind == "box" else rng.randint(3, 8))])
    outline = (
        corners
        if kind == "polygon"
        else np.array(
            [corners[i // 2 % 2, 0] if axis == 0 else corners[(i + 1) // 2 % 2, 1] for i in range(4) for axis in (0, 1)]
        ).reshape(4, 2)
    )
    inside = points_in_poly(np.stack([x.ravel(), y.ravel()], 1), outline).reshape(size)
    unsure = np.zeros(size, bool)
    for start, end in zip(outline, np.roll(outline, -1, 0), strict=True):
        step = end - start
        share = np.clip(((x - start[0]) * step[0] + (y - start[1]) * step[1]) / max(step @ step, 1e-12), 0, 1)
        unsure |= np.hypot(x - start[0] - share * step[0], y - start[1] - share * step[1]) < NEAR
    return Thing(kind, name, corners.ravel().tolist(), inside, unsure)


def pairs(values: Sequence[float]) -> list[list[float]]:
    """Numbers as points."""
    return np.reshape(values, (-1, 2)).tolist()


def runs(mask: Array, order: Any) -> list[int]:
    """The lengths of runs, the first outside."""
    flat = np.concatenate([[False], mask.ravel(order=order)])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff([0, *edges, mask.size]).tolist()


def labelme(folder: Path, size: tuple[int, int], drawn: Sequence[Thing]) -> str:
    """A file of LabelMe."""

    def shape(one: Thing) -> dict[str, Any]:
        kind, points = {"box": "rectangle"}.get(one.kind, one.kind), pairs(one.values) if one.kind != "ellipse" else []
        more: dict[str, Any] = {}
        if one.kind == "mask":
            left, top, right, bottom = map(int, one.values)
            points = [[left, top], [right - 1, bottom - 1]]
            Image.fromarray(one.inside[top:bottom, left:right].astype(np.uint8)).save(file := io.BytesIO(), "PNG")
            more = {"mask": base64.b64encode(file.getvalue()).decode()}
        return {"label": one.name, "points": points, "shape_type": kind, "group_id": None} | more

    values = {"version": "5.5.0", "flags": {}, "shapes": [shape(one) for one in drawn], "imagePath": "a.png"}
    values |= {"imageData": None, "imageHeight": size[0], "imageWidth": size[1]}
    (folder / "a.json").write_text(json.dumps(values))
    return "a.json"


def coco(folder: Path, size: tuple[int, int], drawn: Sequence[Thing]) -> str:
    """A file in COCO's format."""
    notes = [
        {
            "id": number,
            "image_id": 5,
            "category_id": NAMES.index(one.name) + 3,
            "iscrowd": int(one.kind == "mask"),
            "segmentation": {"size": [*size], "counts": runs(one.inside, "F")} if one.kind == "mask" else [one.values],
        }
        for number, one in enumerate(drawn)
    ]
    images = [{"id": 5, "file_name": "a.png", "height": size[0], "width": size[1]}]
    categories = [{"id": number, "name": name} for number, name in enumerate(NAMES, 3)]
    (folder / "coco.json").write_text(json.dumps({"images": images, "annotations": notes, "categories": categories}))
    return "coco.json"


def cvat(folder: Path, size: tuple[int, int], drawn: Sequence[Thing]) -> str:
    """A file of CVAT."""

    def shape(one: Thing) -> str:
        if one.kind == "mask":
            left, top, right, bottom = map(int, one.values)
            counts = ", ".join(map(str, runs(one.inside[top:bottom, left:right], "C")))
            keys = {"rle": counts, "left": left, "top": top, "width": right - left, "height": bottom - top}
        elif one.kind == "polygon":
            keys = {"points": ";".join(f"{x:.2f},{y:.2f}" for x, y in pairs(one.values))}
        else:
            names = {"box": ("xtl", "ytl", "xbr", "ybr"), "ellipse": ("cx", "cy", "rx", "ry", "rotation")}[one.kind]
            keys = dict(zip(names, one.values, strict=True))
        return (
            f"<{one.kind} label={quoteattr(one.name)} {' '.join(f'{k}={quoteattr(str(v))}' for k, v in keys.items())}/>"
        )

    shapes = "".join(map(shape, drawn))
    text = f'<image id="0" name="a.png" width="{size[1]}" height="{size[0]}">{shapes}</image>'
    (folder / "cvat.xml").write_text(f"<?xml version='1.0'?><annotations><version>1.1</version>{text}</annotations>")
    return "cvat.xml"


def via(folder: Path, size: tuple[int, int], drawn: Sequence[Thing]) -> str:
    """A project, or a table, of VIA."""

    def shape(one: Thing) -> dict[str, Any]:
        if one.kind == "polygon":
            return {"name": "polygon", "all_points_x": one.values[::2], "all_points_y": one.values[1::2]}
        if one.kind == "box":
            x, y, right, bottom = one.values
            return {"name": "rect", "x": x, "y": y, "width": right - x, "height": bottom - y}
        cx, cy, rx, ry, angle = one.values
        return {"name": "ellipse", "cx": cx, "cy": cy, "rx": rx, "ry": ry, "theta": math.radians(angle)}

    regions = [{"shape_attributes": shape(one), "region_attributes": {"kind": one.name}} for one in drawn]
    if len(drawn) % 2:
        (folder / "via.json").write_text(json.dumps({"a.png1": {"filename": "a.png", "size": 1, "regions": regions}}))
        return "via.json"
    with (folder / "via.csv").open("w", newline="") as file:
        rows = [["filename", "region_shape_attributes", "region_attributes"]]
        csv.writer(file).writerows(rows + [["a.png", *map(json.dumps, one.values())] for one in regions])
    return "via.csv"


TOOLS = (
    (labelme, "labelme", ("polygon", "box", "mask")),
    (coco, "coco", ("polygon", "mask")),
    (cvat, "cvat", ("polygon", "box", "ellipse", "mask")),
    (via, "via", ("polygon", "box", "ellipse")),
)


def read(folder: Path, form: str, options: dict[str, Any]) -> Found:
    """All that a form's reader makes of a folder."""
    found = next(one for one in READERS if one.name == form).read(folder, options)
    for image in found.images:
        image.label()
        image.photo if isinstance(image.photo, Path) else image.photo()
    return found


def annotations(material: Any, rng: random.Random) -> Callable[[], object]:
    """A file of a tool, whole: what is read must be what was drawn."""
    size = rng.randint(4, 30), rng.randint(4, 30)
    write, form, kinds = rng.choice(TOOLS)
    drawn = things(size, rng, kinds)
    Image.fromarray(np.zeros(size, np.uint8)).save(material.work / "a.png")
    write(material.work, size, drawn)
    expected = np.max([one.inside * (NAMES.index(one.name) + 1) for one in drawn], axis=0)
    unsure = np.any([one.unsure for one in drawn], axis=0)
    options: dict[str, Any] = {"classes": ["background", *NAMES]}
    options |= {"overlap": "later"} if rng.random() < 0.8 else {}

    def check() -> None:
        label = read(material.work, form, options).images[0].label()
        if label.shape != size or ((label != expected) & ~unsure).any():
            raise ReadWrong(f"{form}: {drawn}")

    return check


def spoilt(material: Any, rng: random.Random) -> Callable[[], object]:
    """A file of a tool, spoilt as a file or in its values."""
    size = rng.randint(4, 30), rng.randint(4, 30)
    write, form, kinds = rng.choice(TOOLS)
    Image.fromarray(np.zeros(size, np.uint8)).save(material.work / "a.png")
    path = material.work / write(material.work, size, things(size, rng, kinds))
    content = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.7:
        spoilt_values = json.dumps(spoil_value(json.loads(content), rng), default=str)
        path.write_bytes(spoilt_values.encode("utf-8", "surrogatepass"))
    else:
        path.write_bytes(spoil(content, [content], rng))
    return lambda: read(material.work, form, {"line_width": 2.0, "empty": "background", "overlap": "later"})


def scans(material: Any, rng: random.Random) -> Callable[[], object]:
    """A spoilt volume or its spoilt labels, or a spoilt DICOM file."""

    def make() -> dict[str, bytes]:
        voxels = np.random.default_rng(0).integers(0, 99, (9, 8, 7)).astype(np.int16)
        found = {
            name: nibabel.Nifti1Image(one, np.eye(4)).to_bytes()
            for name, one in (("a.nii", voxels), ("a_seg.nii", (voxels > 50).astype(np.uint8)))
        }
        head = Dataset()
        head.file_meta = FileMetaDataset()
        head.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        head.file_meta.MediaStorageSOPClassUID = head.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        head.file_meta.MediaStorageSOPInstanceUID = head.SOPInstanceUID = generate_uid()
        head.Rows, head.Columns, head.SamplesPerPixel, head.PixelRepresentation = 9, 8, 1, 1
        head.BitsAllocated, head.BitsStored, head.HighBit = 16, 16, 15
        head.PhotometricInterpretation, head.PatientID = "MONOCHROME2", "1"
        head.WindowCenter, head.WindowWidth, head.RescaleSlope, head.RescaleIntercept = 40, 400, 1, -10
        head.PixelData = voxels[..., 0].tobytes()
        pydicom.dcmwrite(file := io.BytesIO(), head, enforce_file_format=True)
        return found | {"a.dcm": file.getvalue()}

    files = material.once("scans", make)
    form = rng.choice(("nifti", "dicom"))
    chosen = [name for name in files if name.endswith("dcm") == (form == "dicom")]
    bad = rng.choice(chosen)
    for name in chosen:
        content = files[name]
        (material.work / name).write_bytes(spoil(content, [*files.values()], rng) if name == bad else content)
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(material.work / "a.png")
    options = {"axis": "axial", "window": (0, 99), "classes": ["background", "cell"]} if form == "nifti" else {}
    return lambda: read(material.work, form, options)
