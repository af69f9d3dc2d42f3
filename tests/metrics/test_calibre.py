import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.calibre import CalibreCounts, count_by_calibre, thin_vessels, vessel_widths

SIZE = 90  # pixels
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2


def line(width, degrees, shift=0.013):
    """A straight vessel through the middle of the image, from border to border: the pixels with their centres in it."""
    angle = math.radians(degrees)
    across = ROWS * math.cos(angle) - COLUMNS * math.sin(angle) - shift
    return torch.from_numpy((np.abs(across) <= width / 2).astype(np.uint8))


def disc(target, radius=38):
    """The target seen through a round field of view."""
    return target.masked_fill(torch.from_numpy(ROWS**2 + COLUMNS**2 > radius**2), IGNORE)


def share_of_thin(target):
    thin = thin_vessels(target)
    assert not (thin & (target != 1)).any()
    return float(thin.sum() / (target == 1).sum())


@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("place", [0.0, 0.5])  # even widths are centred between pixels, odd ones on them, or not
@pytest.mark.parametrize("turn", [torch.t, torch.clone], ids=["vertical", "horizontal"])
def test_the_width_of_a_line_along_the_grid_is_exact(width, place, turn):
    target = torch.zeros(40, 31, dtype=torch.uint8)
    start = int(12 + place * 2)
    target[start : start + width] = 1
    target = turn(target)
    widths = vessel_widths(target)
    assert set(widths[(target == 1).numpy()]) == {width}
    assert np.isnan(widths[(target == 0).numpy()]).all()
    assert torch.equal(thin_vessels(target), (target == 1) & (width <= 3))


@pytest.mark.parametrize("degrees", [0, 10, 20, 30, 45, 60, 70, 80, 90, -20, -30, -45, -60, -70])
@pytest.mark.parametrize("width", range(1, 9))
def test_the_mean_width_of_a_sloping_line_is_its_width(width, degrees):
    # Where a line lies between the pixels changes how many it covers: the mean is over ten places.
    inner = np.s_[15:-15, 15:-15]
    means = [np.nanmean(vessel_widths(line(width, degrees, 0.013 + tenth / 10))[inner]) for tenth in range(10)]
    assert np.mean(means) == pytest.approx(width, abs=0.25)


@pytest.mark.parametrize("degrees", [0, 10, 20, 30, 60, 70, 80, 90, -10, -30, -60, -70])
def test_a_line_of_three_pixels_is_thin_and_one_of_four_is_thick_at_any_slope(degrees):
    for shift in (0.013, 0.21, 0.48, 0.77):
        # A step of the drawn border may add a pixel to a vessel of three, but none is taken from one of four.
        assert all(share_of_thin(line(width, degrees, shift)) > 0.95 for width in (1, 2, 3))
        assert all(share_of_thin(line(width, degrees, shift)) == 0 for width in (4, 5))


@pytest.mark.parametrize("degrees", [45, -45])
def test_on_the_diagonal_the_pixels_covered_decide(degrees):
    # Four pixels in a row are 4 / sqrt 2 = 2.8 wide, five are 3.5, six are 4.2: five are called thick.
    for in_a_row, thin in ((1, 1), (2, 1), (3, 1), (4, 1), (5, 0), (6, 0), (7, 0)):
        # An even number lies half a pixel beside the diagonal of the image.
        target = line((in_a_row - 0.5) / math.sqrt(2), degrees, (in_a_row % 2 == 0) / 2 / math.sqrt(2))
        assert int(target[SIZE // 2].sum()) == in_a_row
        assert share_of_thin(target) == pytest.approx(thin, abs=0.03)  # the corners of the image are wider


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 75, 90, -20, -45, -60])
@pytest.mark.parametrize("width", [4, 5, 6, 8, 10])
def test_a_vessel_cut_off_by_the_image_or_the_field_of_view_is_not_thought_thinner(width, degrees):
    whole = line(width, degrees)
    for target in (disc(whole), whole[12:-9, 8:-13]):
        assert share_of_thin(target) == 0
        assert np.nanmin(vessel_widths(target)) >= width - 1.5


@pytest.mark.parametrize("degrees", [0, 15, 30, 75, 90, -20, -60])
def test_a_thin_vessel_cut_off_stays_thin(degrees):
    assert share_of_thin(disc(line(2, degrees))) == 1


def test_a_vessel_of_two_calibres_is_parted_at_the_step():
    target = torch.zeros(30, 80, dtype=torch.uint8)
    target[14:16, :40] = 1  # 2 wide
    target[11:19, 40:] = 1  # 8 wide
    thin = thin_vessels(target)
    assert thin[14:16, :34].all()  # further from the step than the wide part reaches
    assert not thin[:, 44:].any()


def test_widths_agree_with_a_search_over_all_pixels(tiny_drive):
    target = DriveDataset(tiny_drive, "test")[0].target
    widths = vessel_widths(target)
    vessel, rest = np.argwhere((target == 1).numpy()), np.argwhere((target == 0).numpy())
    radius = cdist(vessel, rest).min(axis=1)  # (N,), from centre to centre
    near = cdist(vessel, vessel) <= 2.5
    ridge = np.where(near, radius[None], 0).max(axis=1)
    found = widths[(target == 1).numpy()]
    assert not np.isnan(found).any()
    inside = cdist(vessel, np.argwhere((target == IGNORE).numpy())).min(axis=1) > 6  # the rim is another matter
    apart = np.abs(found - (2 * ridge - 1))[inside]  # which knows no even widths
    assert len(apart) > 50
    assert apart.max() < 2
    assert apart.mean() < 0.6


def test_turning_the_image_turns_the_widths_but_for_ties(tiny_drive):
    target = DriveDataset(tiny_drive, "test")[1].target
    for turn in (torch.t, torch.fliplr, torch.flipud):
        turned = turn(thin_vessels(target)) == thin_vessels(turn(target))
        assert turned[turn(target) == 1].float().mean() > 0.97


COUNTS = CalibreCounts(thin_found=1, thin=4, thick_found=6, thick=8)


def test_rates_by_hand():
    assert (COUNTS.sensitivity_thin, COUNTS.sensitivity_thick) == (1 / 4, 6 / 8)
    pooled = COUNTS + CalibreCounts(thin_found=2, thin=2, thick_found=0, thick=4)
    assert pooled == CalibreCounts(3, 6, 6, 12)
    assert (pooled.sensitivity_thin, pooled.sensitivity_thick) == (1 / 2, 1 / 2)


def test_a_calibre_that_is_not_there_has_no_sensitivity():
    counts = count_by_calibre(torch.ones(SIZE, SIZE, dtype=torch.bool), line(2, 0))
    assert counts.sensitivity_thin == 1
    assert math.isnan(counts.sensitivity_thick)
    assert math.isnan(count_by_calibre(line(8, 0) == 1, line(8, 0)).sensitivity_thin)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_counts_by_hand(dtype):
    target = torch.zeros(40, 50, dtype=dtype)
    target[8:10] = 1  # thin: 2 rows of 50
    target[25:31] = 1  # thick: 6 rows of 50
    vessels = torch.zeros(40, 50, dtype=torch.bool)
    vessels[9] = True  # half of the thin
    vessels[25:28] = True  # half of the thick
    vessels[27, :25] = False
    vessels[15] = True  # background
    expected = CalibreCounts(thin_found=50, thin=100, thick_found=125, thick=300)
    assert count_by_calibre(vessels, target) == expected


def test_thin_and_thick_are_all_vessel_pixels_and_ignored_ones_do_not_count(tiny_drive):
    target, other = (DriveDataset(tiny_drive, "test")[index].target for index in range(2))
    vessels = other == 1
    counts = count_by_calibre(vessels, target)
    assert counts.thin + counts.thick == int((target == 1).sum())
    assert counts.thin_found + counts.thick_found == int((vessels & (target == 1)).sum())
    assert count_by_calibre(vessels ^ (target == IGNORE), target) == counts
    perfect = count_by_calibre(target == 1, target)
    assert perfect.thin_found == perfect.thin
    assert perfect.thick_found == perfect.thick


@pytest.mark.parametrize("value", [0, IGNORE])
def test_without_vessels_there_are_no_widths(value):
    target = torch.full((6, 7), value, dtype=torch.uint8)
    assert np.isnan(vessel_widths(target)).all()
    assert count_by_calibre(torch.ones(6, 7, dtype=torch.bool), target) == CalibreCounts(0, 0, 0, 0)


def test_a_vessel_without_background_is_thick():
    target = torch.ones(4, 5, dtype=torch.uint8)
    target[0] = IGNORE
    assert (vessel_widths(target)[1:] == math.inf).all()
    assert count_by_calibre(target == 1, target) == CalibreCounts(0, 0, 15, 15)
