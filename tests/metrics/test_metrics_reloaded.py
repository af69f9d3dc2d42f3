"""Figures by the definitions of Metrics Reloaded, worked out by hand: its program is not on the package index.

Source: L. Maier-Hein et al., "Metrics reloaded: recommendations for image analysis validation", Nature Methods 21,
2024; the formulas are those of its program, `pairwise_measures.py` in github.com/Project-MONAI/MetricsReloaded.
"""

import math

import pytest
import torch

from unet_lightning.metrics.overlap import count
from unet_lightning.metrics.surface import surface_distances
from unet_lightning.metrics.topology import centreline_dice


def picture(*rows):
    return torch.tensor([[int(sign == "#") for sign in row] for row in rows], dtype=torch.uint8)


TARGET = picture(".......", ".#####.", ".#####.", ".#####.", ".......")
FOUND = picture(".......", "..#####", "..#####", ".......", ".......")  # up to the edge of the image
NOTHING = torch.zeros_like(TARGET)


def test_figures_of_counts():
    # Of 35 pixels 8 are right vessels, 2 false ones, 7 missed.
    counts = count(FOUND == 1, TARGET)
    assert counts.dice == 2 * 8 / (15 + 10)
    assert counts.iou == 8 / 17
    assert counts.sensitivity == 8 / 15
    assert counts.specificity == 18 / 20
    assert counts.precision == 8 / 10  # positive predictive value
    assert counts.accuracy == 26 / 35
    assert counts.mcc == pytest.approx((8 * 18 - 2 * 7) / math.sqrt(10 * 15 * 20 * 25))


def test_figures_of_outlines():
    # The target's outline are its 15 pixels but the 3 inside; the map's are all 10. From the map's to the target's: 5
    # at 0 and 5 at 1; the other way 5 at 0, 6 at 1 and a corner at sqrt(2): the percentile is 0.45 of the way to it.
    found = surface_distances(FOUND == 1, TARGET, tolerance=1)
    assert found.hd95 == pytest.approx(1 + 0.45 * (math.sqrt(2) - 1))
    assert found.nsd == (10 + 11) / 22
    assert surface_distances(FOUND == 1, TARGET, tolerance=0.5).nsd == (5 + 5) / 22


def test_centreline_dice_of_lines_one_pixel_wide():
    # Lines are their own centrelines: 3 of the map's 4 pixels on the target, 3 of the target's 5 on the map.
    target, found = picture("#####.", "......"), picture("..###.", ".....#")
    precision, sensitivity = 3 / 4, 3 / 5
    expected = 2 * precision * sensitivity / (precision + sensitivity)
    assert centreline_dice(found == 1, target) == pytest.approx(expected)


def test_two_empty_images_agree():
    assert count(NOTHING == 1, NOTHING).dice == 1
    found = surface_distances(NOTHING == 1, NOTHING)
    assert (found.hd95, found.nsd) == (0, 1)


@pytest.mark.parametrize(("found", "target"), [(NOTHING, TARGET), (FOUND, NOTHING)], ids=["missed", "called falsely"])
def test_where_one_alone_is_empty_figures_are_the_worst_possible(found, target):
    assert count(found == 1, target).dice == 0
    measured = surface_distances(found == 1, target)
    assert (measured.hd95, measured.nsd) == (math.hypot(5, 7), 0)
