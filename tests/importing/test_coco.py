import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as second_reader

from unet_lightning.errors import DataError
from unet_lightning.importing.coco import READER, _counts

SQUARE = [0, 0, 2, 0, 2, 2, 0, 2]
DRAWN = {
    "images": [{"id": 7, "file_name": "a.png", "height": 4, "width": 6}],
    "categories": [{"id": 3, "name": "nucleus"}, {"id": 1, "name": "cell", "supercategory": "x"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "segmentation": [SQUARE, [4, 0, 6, 0, 6, 1, 4, 1]], "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 3, "segmentation": {"size": [4, 6], "counts": [22, 2]}, "iscrowd": 1},
    ],
}
EXPECTED = [[1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 2]]


def write(folder, drawn=DRAWN, name="notes.json"):
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "a.png")
    (folder / name).write_text(json.dumps(drawn), encoding="utf-8")
    return folder


def changed(key, place, **values):
    drawn = copy.deepcopy(DRAWN)
    drawn[key][place] |= values
    return drawn


def test_polygons_and_runs_are_merged_into_classes_in_the_order_of_their_numbers(tmp_path):
    found = READER.read(write(tmp_path), {})
    assert READER.recognises(tmp_path) and READER.recognises(tmp_path / "notes.json")
    assert found.classes == ["background", "cell", "nucleus"]
    assert found.images[0].label().tolist() == EXPECTED


def test_runs_in_letters_are_those_in_numbers(tmp_path):
    letters = second_reader.encode(np.asfortranarray(np.array(EXPECTED, np.uint8) == 2))["counts"].decode()
    write(tmp_path, changed("annotations", 1, segmentation={"size": [4, 6], "counts": letters}))
    assert READER.read(tmp_path, {}).images[0].label().tolist() == EXPECTED


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 10**5), min_size=1, max_size=20), st.integers(0, 10**6))
def test_runs_in_letters_are_what_a_second_reader_writes(counts, seed):
    chance = np.random.default_rng(seed)
    mask = np.asfortranarray(chance.random((37, 400)) < chance.random() ** 3).astype(np.uint8)
    runs = _counts(second_reader.encode(mask)["counts"].decode(), "x")
    assert sum(runs) == mask.size
    assert (np.repeat(np.arange(len(runs)) % 2, runs).reshape(mask.shape, order="F") == mask).all()
    text = second_reader.frPyObjects({"size": [sum(counts) or 1, 1], "counts": counts}, sum(counts) or 1, 1)["counts"]
    assert _counts(text.decode(), "x") == counts


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (changed("annotations", 1, category_id=9), "annotation 2 is of category 9, which the file does not list"),
        (changed("annotations", 1, image_id=9), "annotation 2 is of image 9, which the file does not list"),
        (changed("annotations", 1, id=1), "has two annotations of the id 1"),
        (changed("annotations", 1, segmentation=[]), r"annotation 2 \(nucleus\) has no segmentation: .* A box alone"),
        (changed("annotations", 1, segmentation=[[1, 2, 3, 4]]), "3 points or more were expected"),
        (changed("annotations", 1, segmentation=[[1, 2, 3, 4, 5, float("inf")]]), "finite numbers were expected"),
        (changed("annotations", 1, segmentation={"size": [4], "counts": [24]}), "2 finite numbers were expected"),
        (changed("annotations", 1, segmentation={"size": [4, 6], "counts": [1.5]}), "whole numbers were expected"),
        (changed("annotations", 1, segmentation={"size": [4, 6], "counts": "~\x01"}), "no run lengths of COCO"),
        (changed("annotations", 1, segmentation={"size": [4, 6], "counts": "oooooooooooooooooooo"}), "no run lengths"),
        (changed("annotations", 1, segmentation={"size": [4, 6], "counts": "o"}), "counts end within a number"),
        (changed("categories", 0, name="cell"), "two categories of the name cell"),
        (changed("images", 0, height=True), "height must be of the kind int, found True"),
        (changed("images", 0, width=0), "the size of the photograph must be positive"),
        (DRAWN | {"images": {}}, "images must be of the kind list"),
        ([DRAWN], "must be of the kind list, found None"),
    ],
)
def test_what_is_not_as_expected_is_named(tmp_path, drawn, message):
    with pytest.raises(DataError, match=message) as error:
        READER.read(write(tmp_path, drawn), {})
    assert "notes.json" in str(error.value)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [4, 6], "counts": [20, 3]}, r"annotation 2 \(nucleus\): its runs fill 23 pixels, expected 4 x 6"),
        ({"size": [4, 6], "counts": "1"}, "its runs fill 1 pixels, expected 4 x 6"),
        ({"size": [4, 6], "counts": [20, -3, 7]}, "its runs fill 24 pixels"),
        ({"size": [6, 4], "counts": [22, 2]}, r"its size is 6 x 4, and the image has 4 x 6 \(height x width\)"),
        ({"size": [10**9, 10**9], "counts": [10**18]}, "its size is 1000000000 x 1000000000"),
        ([[0, 0, 8, 0, 8, 3]], r"the point \(8, 0\) lies outside the image of 4 x 6"),
    ],
)
def test_what_does_not_fit_the_photograph_is_named(tmp_path, segmentation, message):
    write(tmp_path, changed("annotations", 1, segmentation=segmentation))
    with pytest.raises(DataError, match=message):
        READER.read(tmp_path, {}).images[0].label()


def test_an_outline_that_stands_alone_is_one(tmp_path):
    write(tmp_path, changed("annotations", 1, segmentation=[4, 2, 6, 2, 6, 4, 4, 4]))
    (image,) = READER.read(tmp_path, {}).images
    assert image.label()[:, 4:].tolist() == [[1, 1], [0, 0], [2, 2], [2, 2]]


def test_several_files_are_one_data_set(tmp_path):
    other = changed("images", 0, file_name="b.png")
    other["categories"] = [{"id": 3, "name": "cell"}, {"id": 1, "name": "fibre"}]
    write(tmp_path, other, "more.json")
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    found = READER.read(write(tmp_path), {})
    assert found.classes == ["background", "fibre", "cell", "nucleus"]
    assert [image.label()[3, 5] for image in found.images] == [2, 3]
