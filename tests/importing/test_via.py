import csv
import json

import numpy as np
import pytest
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.importing.via import READER

SQUARE = {"name": "polygon", "all_points_x": [0, 3, 3, 0], "all_points_y": [0, 0, 2, 2]}
CELL = {"type": "cell"}


def photograph(folder, name="a.png"):
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(folder / name)


def project(folder, *regions, name="a.png", whole=True, **more):
    photograph(folder, name)
    drawn = [{"shape_attributes": shape, "region_attributes": attributes} for shape, attributes in regions]
    images = {f"{name}123": {"filename": name, "size": 123, "regions": drawn, "file_attributes": {}}, **more}
    (folder / "via.json").write_text(
        json.dumps({"_via_img_metadata": images, "_via_settings": {}} if whole else images)
    )
    return folder


def label(folder, **options):
    (image,) = READER.read(folder, options).images
    return image.label()


def filled(rows, columns, number=1):
    drawn = np.zeros((5, 6), int)
    drawn[rows, columns] = number
    return drawn


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (SQUARE, (slice(0, 2), slice(0, 3))),
        ({"name": "rect", "x": 2, "y": 1, "width": 3, "height": 3}, (slice(1, 4), slice(2, 5))),
        ({"name": "circle", "cx": 2.5, "cy": 2.5, "r": 0.9}, (slice(2, 3), slice(2, 3))),
        ({"name": "ellipse", "cx": 2.5, "cy": 2.5, "rx": 0.4, "ry": 2.1}, (slice(0, 5), slice(2, 3))),
        ({"name": "ellipse", "cx": 2.5, "cy": 2.5, "rx": 0.4, "ry": 2.1, "theta": 1.5708}, (slice(2, 3), slice(0, 5))),
        ({"name": "polyline", "all_points_x": [1.5, 1.5], "all_points_y": [0.5, 4.5]}, (slice(0, 5), slice(1, 2))),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_every_kind_of_shape_of_version_2_is_read(tmp_path, shape, expected, whole):
    found = READER.read(project(tmp_path, (shape, CELL), whole=whole), {"line_width": 1.0})
    assert READER.recognises(tmp_path) and found.classes == ["background", "cell"]
    assert (found.images[0].label() == filled(*expected)).all()


def test_the_class_is_the_attribute_that_is_named_or_the_only_one(tmp_path):
    project(tmp_path, (SQUARE, {"type": "cell", "note": ""}))
    with pytest.raises(
        DataError, match=r"has the region attributes note, type: say which is the class, as --attribute"
    ):
        READER.read(tmp_path, {})
    assert READER.read(tmp_path, {"attribute": "type"}).classes == ["background", "cell"]
    with pytest.raises(DataError, match=r"region 1 has no class: its attribute note is "):
        READER.read(tmp_path, {"attribute": "note"})


def test_regions_without_attributes_are_of_one_class(tmp_path):
    found = READER.read(project(tmp_path, (SQUARE, {})), {})
    assert found.classes == ["background", "foreground"]
    assert found.said == ["No region has an attribute: all are of the class foreground."]


def test_of_boxes_to_tick_one_is_the_class(tmp_path):
    assert label(project(tmp_path, (SQUARE, {"type": {"cell": True, "nucleus": False}}))).max() == 1
    with pytest.raises(DataError, match=r"its attribute type is \['cell', 'nucleus'\]"):
        READER.read(project(tmp_path, (SQUARE, {"type": {"cell": True, "nucleus": True}})), {})


def test_version_1_numbers_its_regions(tmp_path):
    project(tmp_path, whole=False)
    one = {"filename": "a.png", "regions": {"0": {"shape_attributes": SQUARE, "region_attributes": CELL}}}
    (tmp_path / "via.json").write_text(json.dumps({"a.png123": one}))
    assert (label(tmp_path) == filled(slice(0, 2), slice(0, 3))).all()


def table(folder, *rows, name="filename"):
    photograph(folder)
    head = [name, "file_size", "file_attributes", "region_count", "region_id"]
    with (folder / "via.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*head, "region_shape_attributes", "region_attributes"])
        writer.writerows(["a.png", 123, "{}", len(rows), n, *map(json.dumps, row)] for n, row in enumerate(rows))
    return folder


@pytest.mark.parametrize("name", ["filename", "#filename"])
def test_a_table_is_read_row_by_row(tmp_path, name):
    nucleus = {"name": "rect", "x": 4, "y": 4, "width": 2, "height": 1}
    table(tmp_path, (SQUARE, CELL), (nucleus, {"type": "nucleus"}), name=name)
    assert (label(tmp_path) == filled(slice(0, 2), slice(0, 3)) + filled(4, slice(4, 6), 2)).all()


def test_a_row_without_a_region_is_a_photograph_on_which_nothing_is_drawn(tmp_path):
    with pytest.raises(DataError, match=r"Nothing is drawn on a.png"):
        READER.read(table(tmp_path, ({}, {})), {"classes": ["background", "cell"]})


def three(folder, *drawn, views=None, **metadata):
    photograph(folder)
    values = {
        "project": {"pid": "x", "data_format_version": "3.1.1", "vid_list": ["1"]},
        "attribute": {"1": {"aname": "type", "type": 4, "options": {"0": "cell", "1": "nucleus"}}},
        "file": {"1": {"fid": 1, "fname": "a.png", "type": 2, "loc": 1, "src": "a.png"}},
        "view": views or {"1": {"fid_list": [1]}},
        "metadata": {
            f"1_{n}": {"vid": "1", "flg": 0, "z": [], "xy": xy, "av": av} | metadata for n, (xy, av) in enumerate(drawn)
        },
    }
    (folder / "via.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    ("xy", "expected"),
    [
        ([7, 0, 0, 3, 0, 3, 2, 0, 2], (slice(0, 2), slice(0, 3))),
        ([2, 2, 1, 3, 3], (slice(1, 4), slice(2, 5))),
        ([3, 2.5, 2.5, 0.9], (slice(2, 3), slice(2, 3))),
        ([4, 2.5, 2.5, 0.4, 2.1], (slice(0, 5), slice(2, 3))),
        ([6, 1.5, 0.5, 1.5, 4.5], (slice(0, 5), slice(1, 2))),
    ],
)
def test_version_3_is_read(tmp_path, xy, expected):
    three(tmp_path, (xy, {"1": "1"}), ([], {"1": "0"}))  # the second one is of the whole photograph
    found = READER.read(tmp_path, {"line_width": 1.0})
    assert found.classes == ["background", "nucleus"]
    assert (found.images[0].label() == filled(*expected)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda to: project(to, ({"name": "point", "cx": 1, "cy": 1}, CELL)),
            r"region 1 \(cell\) is a point: expected polygon",
        ),
        (
            lambda to: project(to, (SQUARE | {"all_points_x": [1]}, CELL)),
            "1 numbers are all_points_x, and 4 all_points_y",
        ),
        (lambda to: project(to, ({"name": "rect", "x": 1}, CELL)), "finite numbers were expected"),
        (lambda to: project(to, ({"name": "circle", "cx": 1, "cy": 1, "r": float("nan")}, CELL)), "finite numbers"),
        (lambda to: project(to, ({}, CELL)), "name must be of the kind str, found None"),
        (lambda to: project(to, (SQUARE, [])), r"region_attributes must be of the kind dict, found \[\]"),
        (lambda to: project(to, (SQUARE, CELL), more=[]), "more must be of the kind dict"),
        (lambda to: three(to, ([8, 1, 1, 2, 2], {"1": "0"})), r"is a shape 8: expected polygon"),
        (lambda to: three(to, ([2, 1, 1], {"1": "0"})), r"a rect has x, y, width, height, found \[1.0, 1.0\]"),
        (lambda to: three(to, ([2, 1, 1, 2, 2], {"9": "0"})), "9 must be of the kind dict, found None"),
        (lambda to: three(to, ([2, 1, 1, 2, 2], {"1": "0"}), z=[1.5]), "is of a moment of a film"),
        (lambda to: three(to, ([2, 1, 1, 2, 2], {"1": "0"}), vid="7"), "or of a view that is not there"),
        (lambda to: three(to, views={"1": {"fid_list": [1, 1]}}), "shows 2 photographs side by side"),
    ],
)
def test_what_is_not_as_expected_is_named(tmp_path, make, message):
    with pytest.raises(DataError, match=message) as error:
        READER.read(make(tmp_path), {})
    assert "via.json" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# Exported using VIA\n# CSV_HEADER = metadata_id,file_list\n",
            "a table of VIA 3, which leaves out what classes",
        ),
        ('filename,region_shape_attributes\na.png,"{""name""', "table of annotations .* cannot be read"),
        ("filename,region_shape_attributes\na.png,{x}\n", "row 2, shape_attributes, cannot be read as JSON"),
        ("filename,region_shape_attributes\na.png,[1]\n", r"shape_attributes must be of the kind dict, found \[1\]"),
        ("name,region_shape_attributes\na.png,{}\n", "filename must be of the kind str, found None"),
    ],
)
def test_a_table_that_is_broken_is_named(tmp_path, text, message):
    photograph(tmp_path)
    (tmp_path / "via.csv").write_text(text)
    assert READER.recognises(tmp_path)
    with pytest.raises(DataError, match=message):
        READER.read(tmp_path, {})
