from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_folders import folder_section
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.results.foreign import check_scale, greatest, read_maps

VESSELS = np.array([[0, 255, 0, 0], [0, 255, 0, 0]], dtype=np.uint8)
SEEN = np.array([[255, 255, 255, 0], [255, 255, 255, 0]], dtype=np.uint8)


def check(*ranges, threshold=0.5):
    return check_scale({Path(f"maps/{number:02d}.png"): one for number, one in enumerate(ranges, start=1)}, threshold)


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (
            [(65535, 0, 255), (65535, 3, 201)],
            "16 bits in maps hold 0 to 255: of another scale, as 65535 is probability 1",
        ),
        ([(65535, 0, 1)], "hold 0 to 1: of another scale"),
        ([(65535, 0, 4095)], "hold 0 to 4095: of another scale"),  # 12 bits
        ([(65535, 0, 10000)], "hold 0 to 10000: of another scale"),
        ([(65535, 0, 32767), (65535, 9, 30000)], "hold 0 to 32767: of another scale"),  # signed numbers
        ([(255, 0, 1), (255, 0, 0)], "8 bits in maps hold 0 to 1: of another scale, as 255 is probability 1"),
        ([(255, 0, 100), (255, 1, 98)], "hold 0 to 100: of another scale"),  # percent
        ([(255, 0, 0)], "hold 0 to 0: of another scale"),
        ([(65535, 0, 65535), (255, 0, 1)], "8 bits in maps hold 0 to 1"),  # each kind for itself
        ([(1, 0, 1 / 255)], "floats in maps hold 0 to 0.00392157: of another scale"),  # divided twice
    ],
)
def test_maps_of_another_scale_than_their_files_are_refused_with_their_range(ranges, said):
    with pytest.raises(DataError, match=said):
        check(*ranges)


@pytest.mark.parametrize(
    "ranges",
    [
        [(255, 0, 255)],  # decisions
        [(255, 0, 255), (255, 0, 1), (255, 0, 0)],  # photographs without vessels among others
        [(65535, 20, 64000), (65535, 0, 255)],
        [(1, 0.0, 0.97), (1, 0.0, 0.01)],
        [(255, 0, 254), (65535, 0, 65001), (1, 0.1, 0.9)],
    ],
    ids=str,
)
def test_maps_that_may_be_right_are_taken(ranges, capsys):
    check(*ranges)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("ends", [(0, 120), (128, 255)])
def test_where_a_threshold_parts_nothing_it_is_said(ends, capsys):
    check((255, *ends), (255, *ends))
    said = f"Warning: The maps of 8 bits in maps hold {ends[0]} to {ends[1]}, all on one side of the threshold 0.5"
    assert said in capsys.readouterr().out


def test_floats_may_be_as_small_as_the_threshold_that_is_given():
    check((1, 0.0, 0.004), threshold=0.002)
    with pytest.raises(DataError, match="of another scale"):
        check((65535, 0, 255), threshold=0.002)


@pytest.mark.parametrize("ends", [(255, 0, 98), (65535, 0, 32000), (1, 0.5, 0.73)], ids=str)
@pytest.mark.parametrize("threshold", [0.2, 0.7])
def test_where_a_half_parts_nothing_it_is_said_at_any_threshold(ends, threshold, capsys):
    check(ends, threshold=threshold)
    assert "Is their scale right?" in capsys.readouterr().out


@pytest.mark.parametrize(
    "ends", [(255, 0, 1), (255, 0, 98), (255, 0, 128), (65535, 0, 32768), (1, 0.0, 0.01), (1, 0.5, 0.73)], ids=str
)
def test_a_single_map_that_may_have_another_scale_than_the_rest_is_given_back(ends, capsys):
    right = (ends[0], 0, 0.97 * ends[0])
    assert check(right, ends, right) == {Path("maps/02.png")}
    assert check(right, right) == set()
    assert not capsys.readouterr().out


@pytest.fixture
def data(tmp_path):
    """Two photographs, whose last column is outside the field of view."""
    for folder, values in (("images", np.stack([VESSELS] * 3, axis=2)), ("labels", VESSELS), ("masks", SEEN)):
        (tmp_path / folder).mkdir()
        for name in "ab":
            Image.fromarray(values).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "maps").mkdir()
    return folder_section(tmp_path)


@pytest.mark.parametrize(
    ("numbers", "white", "expected"),
    [
        ([0, 1, 255], 255, 1),
        ([0, 40, 100, 255], 255, 100),
        ([0, 17, 255], 255, 17),  # 0 and 1 of 4 bits
        ([3, 300, 32768, 65535], 65535, 32768),
        ([0, 40, 200, 255], 255, 255),
        ([0, 128, 255], 255, 255),  # it may mean unsure
        ([0, 255], 255, 255),
        ([0.0, 0.01, 1.0], 1, 1),
        ([255], 255, 255),
    ],
    ids=str,
)
def test_white_that_stands_alone_above_a_scale_is_no_number_of_it(numbers, white, expected):
    assert greatest(torch.tensor(numbers, dtype=torch.float32), white) == expected


@pytest.mark.parametrize("white", [1, 100])
def test_a_scale_shows_in_what_is_measured_whatever_is_stored_outside_the_field_of_view(white, data, tmp_path):
    for name in "ab":
        Image.fromarray(np.where(SEEN > 0, VESSELS // 255 * white, 255).astype(np.uint8)).save(
            tmp_path / f"maps/{name}.png"
        )
    with pytest.raises(DataError, match=f"hold 0 to {white}: of another scale"):
        read_maps(tmp_path / "maps", data, "all")


def test_a_single_map_of_floats_in_another_scale_is_named(data, tmp_path, capsys):
    np.save(tmp_path / "maps/a.npy", VESSELS / 255)
    np.save(tmp_path / "maps/b.npy", VESSELS / 255 / 255)
    read_maps(tmp_path / "maps", data, "all")
    said = "Warning: b.npy holds 0 to 0.00392157 of 1, and its label has foreground. Is its scale right?"
    assert capsys.readouterr().out.strip() == said
