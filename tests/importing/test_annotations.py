from functools import partial

import numpy as np
import pytest
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.importing import shapes
from unet_lightning.importing.annotations import Photographs, Shape, Sheet, gather, paint


def photo(path, size=(4, 6), **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path, **how)
    return path


def box(name, left, top, right, bottom, level=0):
    corners = np.array([(left, top), (right, bottom)], float)
    return Shape(name, partial(shapes.rectangle, corners, 0.0), f"box of {name}", level)


CELLS = [box("cell", 0, 0, 2, 2), box("nucleus", 4, 2, 6, 4)]


@pytest.fixture
def sheet(tmp_path):
    photo(tmp_path / "images/a.png")
    return Sheet(tmp_path / "notes.json", "a.png", CELLS, (4, 6))


def test_shapes_of_a_class_are_one_region_and_what_is_not_drawn_is_background(tmp_path, sheet):
    found = gather([sheet], tmp_path, {})
    assert found.classes == ["background", "cell", "nucleus"]
    (image,) = found.images
    assert (image.image_id, image.photo) == ("a", tmp_path / "images/a.png")
    drawn = np.zeros((4, 6), int)
    drawn[:2, :2], drawn[2:, 4:] = 1, 2
    assert (image.label() == drawn).all() and image.label().dtype == np.uint8


def test_classes_are_those_that_are_given_in_their_order(tmp_path, sheet):
    found = gather([sheet], tmp_path, {"classes": ["background", "nucleus", "cell"]}, known=["cell", "nucleus"])
    assert found.images[0].label()[0, 0] == 2
    assert gather([sheet], tmp_path, {}, known=["nucleus", "cell", "never"]).classes[1:] == ["nucleus", "cell", "never"]
    with pytest.raises(DataError, match=r"has the class nucleus \(box of nucleus on a.png\), which is none of"):
        gather([sheet], tmp_path, {"classes": ["background", "cell"]})


def test_background_and_what_is_to_be_ignored_can_be_drawn():
    drawn = [box("cell", 0, 0, 3, 1), box("_background_", 0, 1, 3, 2), box("__ignore__", 0, 2, 3, 3)]
    assert paint(drawn, ["background", "cell"], (3, 3), False)[:, 0].tolist() == [1, 0, 255]


def test_classes_that_share_pixels_are_refused_unless_an_order_is_given():
    drawn = [box("b", 0, 0, 3, 1), box("a", 1, 0, 2, 1), box("a", 1, 0, 3, 1)]
    with pytest.raises(DataError, match=r"box of a \(a\) shares 1 pixels with b, and .* --overlap later"):
        paint(drawn, ["background", "a", "b"], (1, 3), False)
    assert paint(drawn, ["background", "a", "b"], (1, 3), True).tolist() == [[2, 2, 2]]
    assert paint(drawn, ["background", "b", "a"], (1, 3), True).tolist() == [[1, 2, 2]]


def test_a_higher_level_covers_a_lower_one():
    drawn = [box("a", 1, 0, 2, 1, level=3), box("b", 0, 0, 3, 1, level=-1)]
    assert paint(drawn, ["background", "a", "b"], (1, 3), False).tolist() == [[2, 1, 2]]


def test_photographs_are_found_by_the_part_of_their_path_that_is_known(tmp_path):
    for name in ("images/a.png", "images/b.png", "masks/b.png", "é.png"):
        photo(tmp_path / name)
    found, notes = Photographs(tmp_path), tmp_path / "json/a.json"
    for name in ("a.png", "../images/a.png", r"..\images\a.png", "./images/a.png", "/data/images/a.png"):
        assert found.find(name, notes) == tmp_path / "images/a.png", name
    assert found.find("e\u0301.png", notes) is not None  # as macOS writes it
    for name in ("c.png", "masks/a.png", "/etc/passwd", "../../../a.png/"):
        assert found.find(name, notes) in (None, tmp_path / "images/a.png"), name
    with pytest.raises(DataError, match=r"names b.png, which may be images/b.png, masks/b.png"):
        found.find("b.png", notes)
    assert found.find("b.png", tmp_path / "images/b.json") == tmp_path / "images/b.png"
    with pytest.raises(DataError, match="no name of a file"):
        found.find("../..", notes)


def test_a_photograph_outside_the_folder_is_never_taken(tmp_path, sheet):
    photo(tmp_path / "secret.png")
    inside = tmp_path / "images"
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        with pytest.raises(DataError, match=r"No photograph \S*secret.png, which \S*notes.json names: looked in"):
            gather([Sheet(inside / "notes.json", name, CELLS)], inside, {})


def test_photographs_that_are_missing_or_given_twice_are_named(tmp_path, sheet):
    others = [Sheet(sheet.source, name, CELLS) for name in ("x.png", "y.png")]
    with pytest.raises(DataError, match=r"No photograph x.png, y.png, which \S+notes.json names"):
        gather([sheet, *others], tmp_path, {})
    with pytest.raises(DataError, match=r"a.png is annotated twice: in \S+notes.json and \S+more.json"):
        gather([sheet, Sheet(tmp_path / "more.json", "images/a.png", CELLS)], tmp_path, {})


def test_what_an_empty_photograph_means_is_asked(tmp_path, sheet):
    photo(tmp_path / "images/b.png")
    sheets = [sheet, Sheet(sheet.source, "b.png", [])]
    with pytest.raises(DataError, match=r"Nothing is drawn on b.png .* --empty background .* --empty leave-out"):
        gather(sheets, tmp_path, {})
    found = gather(sheets, tmp_path, {"empty": "background"})
    assert len(found.images) == 2 and not found.images[1].label().any()
    found = gather(sheets, tmp_path, {"empty": "leave-out"})
    assert [image.image_id for image in found.images] == ["a"]
    assert found.said[0] == "Photographs on which nothing is drawn: 1 (leave-out)."


def test_another_file_that_is_broken_is_named_as_it_may_hold_annotations(tmp_path, sheet):
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "b.json").write_text('{"shapes": [')
    with pytest.raises(DataError, match=r"The annotations \S+b\.json cannot be read as JSON"):
        gather([sheet], tmp_path, {})


@pytest.mark.parametrize(("folder", "split"), [("valid", "val"), ("Test", "test"), ("train/test", None), ("new", None)])
def test_folders_of_splits_say_the_split(tmp_path, sheet, folder, split):
    photo(tmp_path / folder / "b.png")
    (image,) = gather([Sheet(tmp_path / folder / "notes.json", "b.png", CELLS)], tmp_path, {}).images
    assert image.split == split


def test_a_photograph_of_that_name_in_another_folder_is_said(tmp_path, sheet):
    with pytest.raises(DataError, match=r"as is there, and images/a\.png is in another folder\. Put it there"):
        gather([Sheet(sheet.source, "media/1/a.png", CELLS)], tmp_path, {})


def test_photographs_that_no_annotation_names_are_said(tmp_path, sheet):
    photo(tmp_path / "images/more.png")
    assert gather([sheet], tmp_path, {}).said == [
        "Photographs that no annotation names, left out: 1 (images/more.png)."
    ]


def test_a_photograph_of_another_size_or_turned_is_refused(tmp_path, sheet):
    photo(tmp_path / "images/a.png", (5, 6))
    with pytest.raises(DataError, match=r"drawn on a photograph of 4 x 6, and \S+a.png has 5 x 6 \(height x width\)"):
        gather([sheet], tmp_path, {}).images[0].label()
    exif = Image.Exif()
    exif[274] = 3
    photo(tmp_path / "images/a.png", exif=exif)
    with pytest.raises(DataError, match=r"a.png has orientation tag 3 \(1: upright\), and \S+notes.json does not tell"):
        gather([sheet], tmp_path, {}).images[0].label()


def test_an_error_of_a_shape_names_file_photograph_and_shape(tmp_path, sheet):
    outside = Sheet(sheet.source, "a.png", [box("cell", 0, 0, 9, 2)])
    message = r"notes.json on a.png: box of cell \(cell\): the point \(9, 2\) lies outside the image of 4 x 6"
    with pytest.raises(DataError, match=message):
        gather([outside], tmp_path, {}).images[0].label()


def test_annotations_without_any_class_are_refused(tmp_path, sheet):
    with pytest.raises(DataError, match="nothing is drawn"):
        gather([Sheet(sheet.source, "a.png", [])], tmp_path, {"empty": "background"})
