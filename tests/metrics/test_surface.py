import math

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.surface import surface_distances


def picture(*rows):
    """`#` vessel, `.` background, `x` ignored."""
    return torch.tensor([[{"#": 1, ".": 0, "x": IGNORE}[sign] for sign in row] for row in rows], dtype=torch.uint8)


def figures(vessels, target, tolerance=2.0):
    found = surface_distances(vessels == 1, target, tolerance)
    return found.hd95, found.nsd


def test_a_line_moved_by_three_pixels_is_three_pixels_off():
    target = picture("....", "####", "....", "....", "....")
    moved = picture("....", "....", "....", "....", "####")
    assert figures(moved, target) == (3, 0)
    assert figures(moved, target, tolerance=3) == (3, 1)
    assert figures(moved, target, tolerance=2.99) == (3, 0)


def test_both_directions_count_and_the_greater_percentile_is_taken():
    # The map has 1 of the target's 5 pixels: 0 off there, and 0, 1, 2, 3, 4 the other way, of which the 95th percentile
    # is 3 + 0.8 (at 0.95 x 4 = 3.8 of the way).
    target, vessels = picture("#####"), picture("#....")
    hd95, nsd = figures(vessels, target, tolerance=1)
    assert hd95 == pytest.approx(3.8)
    assert nsd == (1 + 2) / 6
    assert figures(target == 1, vessels, tolerance=1) == pytest.approx((hd95, nsd))


def test_the_inside_of_a_vessel_is_no_outline():
    # A square of 5 x 5 has 16 pixels of outline; the smaller one inside it has 8, each one pixel from it.
    target = torch.zeros(9, 9, dtype=torch.uint8)
    target[2:7, 2:7] = 1
    vessels = torch.zeros(9, 9, dtype=torch.bool)
    vessels[3:6, 3:6] = True
    # Of the outer outline's 16 the four corners are sqrt(2) from the inner one.
    assert figures(vessels, target, tolerance=1)[1] == (8 + 12) / 24
    assert figures(vessels, target)[0] == pytest.approx(math.sqrt(2))


def test_equal_maps_are_no_distance_apart():
    target = picture("..##.", ".##..", "##...")
    assert figures(target, target) == (0, 1)


@pytest.mark.parametrize(
    ("vessels", "target", "expected"),
    [
        (picture("...."), picture("...."), (0, 1)),
        (picture("#..."), picture("...."), (math.hypot(1, 4), 0)),
        (picture("....", "....", "...."), picture("....", ".#..", "...."), (5, 0)),
        (picture("#..."), picture("x..."), (0, 1)),  # what is found outside the field of view is no vessel
    ],
    ids=["both empty", "target empty", "map empty", "found outside alone"],
)
def test_what_has_no_outline_is_the_best_together_and_the_worst_alone(vessels, target, expected):
    assert figures(vessels, target) == expected


def test_ignored_pixels_change_nothing():
    target = picture("..##xx", ".##.xx", "##..xx")
    vessels = picture("..##..", ".#....", "##....")
    assert figures(picture("..####", ".#..##", "##..##"), target) == figures(vessels, target)


def test_figures_agree_with_distances_to_each_point_of_the_other_outline(tiny_drive):
    target, other = (DriveDataset(tiny_drive, "test")[index].target for index in range(2))
    vessels = (other == 1).roll(5, dims=0)

    def points(mask):
        padded = np.pad(mask.numpy(), 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        return np.argwhere(mask.numpy() & ~inner)

    a, b = points(vessels & (target != IGNORE)), points(target == 1)
    there, back = KDTree(b).query(a)[0], KDTree(a).query(b)[0]
    expected = max(np.percentile(there, 95), np.percentile(back, 95)), np.mean([*(there <= 2), *(back <= 2)])
    assert figures(vessels, target) == pytest.approx(expected)
