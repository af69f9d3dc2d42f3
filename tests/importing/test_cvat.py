import numpy as np
import pytest
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.importing.cvat import READER

LABELS = "".join(f"<label><name>{name}</name><color>#fff</color></label>" for name in ("nucleus", "cell"))
HEAD = f"<version>1.1</version><meta><task><id>3</id><labels>{LABELS}</labels></task></meta>"


def write(folder, shapes, head=HEAD, image='id="0" name="images/a.png" width="6" height="5"', text=None):
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(folder / "a.png")
    text = (
        text
        or f'<?xml version="1.0" encoding="utf-8"?><annotations>{head}<image {image}>{shapes}</image></annotations>'
    )
    (folder / "annotations.xml").write_text(text, encoding="utf-8")
    return folder


def label(folder, **options):
    (image,) = READER.read(folder, options).images
    return image.label()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ('<polygon label="cell" points="0.00,0.00;3.00,0.00;3.00,2.00;0.00,2.00"/>', (slice(0, 2), slice(0, 3))),
        ('<box label="cell" xtl="2.00" ytl="1.00" xbr="5.00" ybr="4.00"/>', (slice(1, 4), slice(2, 5))),
        ('<box label="cell" xtl="1" ytl="2" xbr="4" ybr="3" rotation="90"/>', (slice(1, 4), slice(2, 3))),
        ('<ellipse label="cell" cx="2.5" cy="2.5" rx="0.4" ry="2.1"/>', (slice(0, 5), slice(2, 3))),
        ('<ellipse label="cell" cx="2.5" cy="2.5" rx="0.4" ry="2.1" rotation="90"/>', (slice(2, 3), slice(0, 5))),
        ('<mask label="cell" rle="0, 4" left="4" top="3" width="2" height="2"/>', (slice(3, 5), slice(4, 6))),
        ('<mask label="cell" rle="1, 1, 1, 1" left="4" top="3" width="2" height="2"/>', (slice(3, 5), slice(5, 6))),
        ('<polyline label="cell" points="1.5,0.5;1.5,4.5"/>', (slice(0, 5), slice(1, 2))),
    ],
)
def test_every_kind_of_shape_is_read(tmp_path, shape, expected):
    drawn = np.zeros((5, 6), int)
    drawn[expected] = 2
    assert (label(write(tmp_path, shape), line_width=1.0) == drawn).all()


def test_classes_are_in_the_order_of_the_file_and_tags_are_left_out(tmp_path):
    found = READER.read(
        write(tmp_path, '<box label="cell" xtl="2" ytl="1" xbr="5" ybr="4"/><tag label="blurred"/>'), {}
    )
    assert found.classes == ["background", "nucleus", "cell"]
    assert found.said[0] == "Tags of whole photographs, left out: 1."


def test_a_higher_z_order_covers_a_lower_one(tmp_path):
    boxes = [
        f'<box label="{name}" xtl="0" ytl="0" xbr="{x}" ybr="1" z_order="{z}"/>'
        for name, x, z in (("cell", 2, 1), ("nucleus", 4, 0))
    ]
    assert label(write(tmp_path, "".join(boxes)))[0].tolist() == [2, 2, 1, 1, 0, 0]
    with pytest.raises(DataError, match=r"box 2 \(nucleus\) shares 2 pixels with cell"):
        label(write(tmp_path, "".join(boxes).replace('"1"/>', '"0"/>').replace('z_order="1"', 'z_order="0"')))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ('<points label="cell" points="1,1"/>', r"points 1 \(cell\) covers no pixels: expected polygon, box"),
        ('<skeleton label="cell"/>', "covers no pixels"),
        ('<cuboid label="cell"/>', "covers no pixels"),
        ('<polyline label="cell" points="1,1;2,2"/>', "is a line, .* --line-width 3"),
        ('<polygon label="cell" points="1,1;2,2"/>', "3 points or more were expected"),
        ('<polygon label="cell" points="1,1;2,2;3"/>', "points were expected as x,y;x,y, found 1,1;2,2;3"),
        ('<polygon label="cell" points="1,1;2,2;3,nan"/>', "a finite number was expected as points, found 'nan'"),
        ('<polygon label="cell"/>', "points were expected as x,y;x,y"),
        ('<box label="cell" xtl="2" ytl="1" xbr="5"/>', "a finite number was expected as ybr, found ''"),
        ('<box label="cell" xtl="2" ytl="1" xbr="5" ybr="4" z_order="1.5"/>', "a whole number from .* as z_order"),
        ('<mask label="cell" rle="0, x" left="4" top="3" width="2" height="2"/>', "whole numbers were expected as rle"),
        (
            '<mask label="cell" rle="0, 4" left="-1" top="3" width="2" height="2"/>',
            "a whole number from 0 was expected as left",
        ),
        ('<box label="tree" xtl="2" ytl="1" xbr="5" ybr="4"/>', r"has the class tree \(box 1 on images/a.png\)"),
        ('<box xtl="2" ytl="1" xbr="5" ybr="4"/>', r"has the class  \(box 1"),
    ],
)
def test_a_shape_that_is_not_as_expected_is_named(tmp_path, shape, message):
    with pytest.raises(DataError, match=message) as error:
        READER.read(write(tmp_path, shape), {})
    assert "annotations.xml" in str(error.value) and "images/a.png" in str(error.value)


@pytest.mark.parametrize(
    ("rle", "message"), [("0, 5", "its runs fill 5 pixels, expected 2 x 2"), ("0, " + "9" * 30, "its runs fill")]
)
def test_runs_of_another_length_are_refused(tmp_path, rle, message):
    write(tmp_path, f'<mask label="cell" rle="{rle}" left="4" top="3" width="2" height="2"/>')
    with pytest.raises(DataError, match=message):
        label(tmp_path)


def test_a_mask_that_leaves_the_photograph_is_refused(tmp_path):
    write(tmp_path, '<mask label="cell" rle="0, 2000000000" left="4" top="3" width="2000000000" height="1"/>')
    with pytest.raises(DataError, match=r"1 x 2000000000 pixels from .* do not fit into 5 x 6"):
        label(tmp_path)


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><annotations><version>&b;</version></annotations>'
)
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations><version>&a;</version></annotations>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"have a document type \(<!DOCTYPE\), as CVAT writes none"),
        (FILE, "have a document type"),
        ("<annotations><image>", "cannot be read as XML"),
        ("<annotations>\0</annotations>", "cannot be read as XML"),
        ('<?xml version="1.0" encoding="x"?><annotations/>', "cannot be read as XML"),
        (
            "<annotations><track id='0'/></annotations>",
            "is of CVAT for video. Export the task as `CVAT for images 1.1`",
        ),
        ("<annotations><image name='a.png' width='6' height='5.5'/></annotations>", "a whole number from 1 .* height"),
        ("<annotations></annotations>", "nothing is drawn"),
    ],
)
def test_a_file_that_is_broken_or_a_trap_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        READER.read(write(tmp_path, "", text=text), {})


def test_only_files_of_cvat_are_recognised(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation><folder>x</folder></annotation>")  # of PASCAL VOC
    assert not READER.recognises(tmp_path)
    assert READER.recognises(write(tmp_path, ""))
