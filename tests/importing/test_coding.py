import numpy as np
import pytest
from PIL import Image

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.coding import coding_of, seen
from unet_lightning.importing.levels import Source, read_levels

VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * 756 + [224, 224, 192]


@pytest.fixture
def decode(tmp_path):
    """What labels are taken for: `(H, W)` arrays are saved, and read with the coding of all of them."""

    def decode(*labels, suffix="png", palette=None, **options):
        sources = []
        for number, label in enumerate(labels):
            sources.append(Source(tmp_path / f"{number}.{suffix}"))
            if suffix == "npy":
                np.save(sources[-1].path, label)
                continue
            image = Image.fromarray(np.array(label, np.uint8))
            if palette:
                image.putpalette(palette)
            image.save(sources[-1].path)
        levels = [read_levels(source) for source in sources]
        coding = coding_of([seen(one) for one in levels], options)
        return coding.classes, [coding.decode(one).tolist() for one in levels], coding.said

    return decode


@pytest.mark.parametrize("white", [1, 255])
def test_black_and_white_are_two_classes(decode, white):
    classes, (label,), _ = decode([[0, white], [0, 0]])
    assert (classes, label) == (("background", "foreground"), [[0, 1], [0, 0]])


def test_black_is_meant_where_it_is_said(decode):
    assert decode([[0, 255]], invert=True)[1] == [[[1, 0]]]
    assert decode([[0, 1, IGNORE]], [[0, 1, 1]], invert=True)[1] == [[[1, 0, IGNORE]], [[1, 0, 0]]]
    with pytest.raises(ConfigError, match="--invert is for black and white labels; these have 3 classes"):
        decode([[0, 1, 2]], invert=True)


def test_white_of_two_kinds_is_refused(decode):
    with pytest.raises(DataError, match=r"two codings: white is 1 in \S+0\.png and 255 in \S+1\.png"):
        decode([[0, 1]], [[0, 255]])


def test_numbers_are_classes_and_255_is_ignored(decode):
    classes, labels, said = decode([[0, 1, 2]], [[0, 255, 1]])
    assert classes == ("background", "class_1", "class_2")
    assert labels == [[[0, 1, 2]], [[0, IGNORE, 1]]]
    assert said == ["Pixels of 255 are ignored."]


def test_numbers_may_be_left_out_where_all_classes_are_named(decode):
    assert decode([[0, 3]], classes=["a", "b", "c", "d"])[1] == [[[0, 3]]]
    with pytest.raises(DataError, match=r"not sure: together they hold the values 0, 3, such as \S+0\.png"):
        decode([[0, 3]])


def test_even_grey_levels_are_classes(decode):
    classes, labels, said = decode([[0, 128, 255]], [[0, 0, 255]])
    assert (classes, labels) == (("background", "level_128", "level_255"), [[[0, 1, 2]], [[0, 0, 2]]])
    assert "Grey level 128 is level_128." in said
    assert decode([[0, 128, 255]], classes=["background", "cell", "nucleus"])[0] == ["background", "cell", "nucleus"]


def test_uneven_grey_levels_are_refused(decode):
    with pytest.raises(DataError, match="together they hold the values 0, 100, 255"):
        decode([[0, 100, 255]])


def test_indices_of_a_palette_count_and_its_border_is_ignored(decode):
    assert decode([[0, 1, 2, 255]], [[0, 1, 0, 0]], palette=VOC)[1] == [[[0, 1, 2, IGNORE]], [[0, 1, 0, 0]]]


def test_palettes_that_differ_are_refused(decode, tmp_path):
    for number, palette in enumerate((VOC, [0, 0, 0, 0, 128, 0, 128, 0, 0])):
        image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
        image.putpalette(palette)
        image.save(tmp_path / f"p{number}.png")
    labels = [seen(read_levels(Source(tmp_path / f"p{number}.png"))) for number in (0, 1)]
    with pytest.raises(DataError, match=r"Palettes differ: 1 is #800000 in \S+p0\.png and #008000 in \S+p1\.png"):
        coding_of(labels, {})


def test_colours_are_found_and_shown(decode):
    classes, labels, said = decode([[(0, 0, 0), (255, 0, 0)]], [[(0, 0, 255), (0, 0, 0)]])
    assert classes == ("background", "colour_0000FF", "colour_FF0000")
    assert labels == [[[0, 2]], [[1, 0]]]
    assert said[2] == "Colour #FF0000 is colour_FF0000 (25.00% of the pixels)."


def test_names_do_not_tell_which_colour_is_which(decode):
    label = [[(0, 0, 0), (255, 0, 0), (0, 0, 255)]]
    with pytest.raises(
        DataError, match=r"3 colours, such as #000000, .*--classes does not tell which is which: give a"
    ):
        decode(label, classes=["background", "artery", "vein"])
    assert decode([[(0, 0, 0), (255, 0, 0)]], classes=["background", "artery"])[1] == [[[0, 1]]]
    one_hot = np.eye(3, dtype=np.uint8)[[[0, 1, 2]]]
    with pytest.raises(DataError, match="--classes does not tell which is which"):
        decode(one_hot, suffix="npy", classes=["background", "artery", "vein"])


def test_a_table_of_colours_names_them(decode, tmp_path):
    table = tmp_path / "colours.txt"
    table.write_text("255 0 0 cell\n0,0,0,background\n#0000ff nucleus\n64 void\n255 255 0\tcell\n")
    label = [[(0, 0, 0), (255, 0, 0), (255, 255, 0), (0, 0, 255), (64, 64, 64)]]
    classes, labels, said = decode(label, colours=table)
    assert (classes, labels, said) == (["background", "cell", "nucleus"], [[[0, 1, 1, 2, IGNORE]]], [])


def test_a_colour_in_no_table_is_named(decode, tmp_path):
    table = tmp_path / "colours.txt"
    table.write_text("0 0 0 background\n255 0 0 cell\n")
    with pytest.raises(DataError, match=r"0\.png holds #FE0000 \(1 pixels\), which have no class; known are #000000"):
        decode([[(0, 0, 0), (254, 0, 0)]], colours=table)


def test_a_table_without_background_says_what_is_left_out(decode, tmp_path):
    table = tmp_path / "colours.csv"
    table.write_text("name,r,g,b\nSky,0,0,0\nRoad,9,9,9\n")
    classes, _, (said,) = decode([[0, 9]], colours=table)
    assert classes == ["Sky", "Road"] and said.startswith("Sky counts as background")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0 a\nnothing\n", "Line 2 of .* has no colour and name"),
        ("0 0 0 a\n0 0 0 b\n", "has the colour #000000 twice: a and b"),
        ("0 0 0 a\n", "The classes in .* must be a list of 2"),
        ('{"red": [255, 0, 0]}', "has no line of a colour and a name, such as 128 0 0 disc"),
    ],
)
def test_a_table_that_is_wrong_is_refused(decode, tmp_path, text, message):
    (tmp_path / "colours.txt").write_text(text)
    with pytest.raises(ConfigError, match=message):
        decode([[0, 1]], colours=tmp_path / "colours.txt")


def test_jpeg_needs_a_threshold(decode):
    label = np.zeros((16, 16), np.uint8)
    label[:, 8:] = 255
    label[4:9, 3:6] = 130
    with pytest.raises(DataError, match=r"0\.jpg does not surely hold .* --threshold 128"):
        decode(label, suffix="jpg")
    _, (found,), _ = decode(label, suffix="jpg", threshold=200)
    assert found == (label >= 200).astype(int).tolist()


def test_smoothed_edges_need_a_threshold(decode):
    label = np.arange(256, dtype=np.uint8)[None]
    with pytest.raises(DataError, match=r"more than 64 values: it is no mask\..*--several instances.*--threshold 128"):
        decode(label)


def test_things_with_numbers_of_their_own_are_one_class(decode):
    label = np.arange(0, 400)[None]
    assert decode(label, suffix="npy", several="instances")[1] == [[[0] + [1] * 399]]


def test_arrays_hold_whole_numbers(decode):
    assert decode(np.array([[False, True]]), suffix="npy")[1] == [[[0, 1]]]
    assert decode(np.array([[0.0, 2.0, 1.0]]), suffix="npy")[1] == [[[0, 2, 1]]]
    with pytest.raises(DataError, match=r"0\.npy is an array of float64 and shape \(1, 2\): whole numbers"):
        decode(np.array([[0.5, 1.0]]), suffix="npy")


def test_names_must_be_as_many_as_classes(decode):
    with pytest.raises(DataError, match="hold the values 0, 128, 255"):
        decode([[0, 128, 255]], classes=["a", "b", "c", "d"])
    with pytest.raises(ConfigError, match="--classes names 3, and these labels have two"):
        decode([[0, 200]], classes=["a", "b", "c"], threshold=100)
