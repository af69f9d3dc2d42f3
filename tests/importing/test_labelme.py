import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.importing.labelme import READER


def encoded(pixels, form="PNG"):
    Image.fromarray(pixels).save(buffer := io.BytesIO(), form)
    return base64.b64encode(buffer.getvalue()).decode()


def shape(label, kind, *points, **more):
    return {"label": label, "shape_type": kind, "points": [list(point) for point in points], "group_id": None, **more}


def write(folder, *shapes, name="a", **values):
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(folder / "a.png")
    values = {"imagePath": "a.png", "imageData": None, "imageHeight": 5, "imageWidth": 6, **values}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"version": "5.5.0", "flags": {}, "shapes": list(shapes), **values}), encoding="utf-8")
    return path


def label(folder, **options):
    (image,) = READER.read(folder, options).images
    return image.label()


@pytest.mark.parametrize(
    ("kind", "points", "expected"),
    [
        ("polygon", [(0, 0), (3, 0), (3, 2), (0, 2)], (slice(0, 2), slice(0, 3))),
        (None, [(0, 0), (3, 0), (3, 2), (0, 2)], (slice(0, 2), slice(0, 3))),  # of the first versions
        ("rectangle", [(5, 4), (2, 1)], (slice(1, 4), slice(2, 5))),
        ("circle", [(2.5, 2.5), (2.5, 3.4)], (slice(2, 3), slice(2, 3))),
        ("linestrip", [(1.5, 0.5), (1.5, 2.5), (1.5, 4.5)], (slice(0, 5), slice(1, 2))),
        ("line", [(1.5, 0.5), (1.5, 4.5)], (slice(0, 5), slice(1, 2))),
    ],
)
def test_every_kind_of_shape_is_read(tmp_path, kind, points, expected):
    write(tmp_path, shape("cell", kind, *points))
    drawn = np.zeros((5, 6), int)
    drawn[expected] = 1
    assert (label(tmp_path, line_width=1.0) == drawn).all()


def test_a_mask_fills_the_box_from_its_first_to_its_last_pixel(tmp_path):
    mask = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)
    write(tmp_path, shape("cell", "mask", (2.0, 1.0), (4.0, 2.0), mask=encoded(mask)))
    assert (label(tmp_path)[1:3, 2:5] == mask).all() and label(tmp_path).sum() == 3


@pytest.mark.parametrize(
    ("corners", "mask", "message"),
    [
        (
            [(2, 1), (5, 2)],
            np.ones((2, 3), np.uint8),
            r"a mask of \(2, 3\) pixels does not fit from \(2, 1\) to \(5, 2\)",
        ),
        ([(4, 1), (6, 2)], np.ones((2, 3), np.uint8), "does not fit from"),
        ([(-1, 1), (1, 2)], np.ones((2, 3), np.uint8), "does not fit from"),
    ],
)
def test_a_mask_of_another_size_than_its_box_is_refused(tmp_path, corners, mask, message):
    write(tmp_path, shape("cell", "mask", *corners, mask=encoded(mask)))
    with pytest.raises(DataError, match=message):
        label(tmp_path)


@pytest.mark.parametrize("text", ["%%%", "AAAA", encoded(np.ones((2, 3), np.uint8))[:40]])
def test_a_mask_that_is_no_image_is_refused(tmp_path, text):
    write(tmp_path, shape("cell", "mask", (2, 1), (4, 2), mask=text))
    with pytest.raises(DataError, match=r"a.json on a.png: shape 1 \(cell\): its mask is no"):
        label(tmp_path)


def test_a_photograph_that_is_not_there_is_taken_out_of_the_file(tmp_path):
    pixels = np.arange(90, dtype=np.uint8).reshape(5, 6, 3)
    path = write(tmp_path, shape("cell", "rectangle", (0, 0), (2, 2)), imageData=encoded(pixels))
    assert READER.read(tmp_path, {}).images[0].photo == tmp_path / "a.png"
    (tmp_path / "a.png").unlink()
    (image,) = READER.read(path, {}).images
    assert (image.photo() == pixels).all() and image.label().sum() == 4 and image.image_id == "a"
    write(tmp_path, shape("cell", "rectangle", (0, 0), (2, 2)), imageData=encoded(pixels), imageHeight=4)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match="within"):
        READER.read(path, {}).images[0].photo()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (shape("a", "point", (1, 1)), r"shape 1 \(a\) is of the type point: expected polygon, rectangle"),
        (shape("a", {"b": 1}), r"of the type {'b': 1}: expected polygon"),
        (shape("a", "linestrip", (1, 1), (2, 2)), r"shape 1 \(a\) is a line, .* --line-width 3"),
        (shape("a", "polygon", (1, 1), (2, 2)), "3 points or more were expected, found 4 numbers"),
        (shape("a", "circle", (1, 1), (2, 2), (3, 3)), "a circle has 2 points, found 3"),
        (shape("a", "polygon", (1, 1), (2, float("nan")), (3, 3)), "2 finite numbers were expected, found"),
        (shape("a", "polygon", (1, 1), (2, 10**400), (3, 3)), "2 finite numbers were expected, found"),
        (shape("a", "polygon", (1, 1), (2, "3"), (3, 3)), "2 finite numbers were expected, found"),
        (shape(None, "polygon", (1, 1), (2, 3), (3, 3)), "label must be of the kind str, found None"),
        ([], "label must be of the kind str"),
    ],
)
def test_a_shape_that_is_not_as_expected_is_named(tmp_path, bad, message):
    path = write(tmp_path, bad)
    with pytest.raises(DataError, match=message) as error:
        READER.read(tmp_path, {})
    assert f"{path}, shape 1" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"shapes": [], "imagePath"',
        '{"shapes": 1, "imagePath": "a.png"}',
        '{"shapes": [], "shapes": [], "imagePath": 1}',
    ],
)
def test_a_file_that_is_broken_is_named(tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(DataError, match=r"b\.json"):
        READER.read(tmp_path, {})


def test_only_files_of_labelme_are_read(tmp_path):
    assert not READER.recognises(tmp_path)
    (tmp_path / "package.json").write_text('{"name": "x"}')
    assert not READER.recognises(tmp_path)
    write(tmp_path, shape("cell", "rectangle", (0, 0), (2, 2)))
    assert READER.recognises(tmp_path) and READER.recognises(tmp_path / "a.json")
    assert len(READER.read(tmp_path, {}).images) == 1
