from pathlib import Path

import pytest

from unet_lightning.errors import DataError
from unet_lightning.results.foreign import check_scale


def check(*ranges, threshold=0.5):
    check_scale({Path(f"maps/{number:02d}.png"): one for number, one in enumerate(ranges, start=1)}, threshold)


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
