import numpy as np
import pytest
import torch
from skimage.measure import label
from skimage.morphology import skeletonize

from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.topology import centreline, centreline_dice, component_error


@pytest.fixture(scope="module")
def drawn(tiny_drive):
    """The vessel trees of two photographs, one as map and one as target."""
    target, other = (DriveDataset(tiny_drive, "test")[index].target for index in range(2))
    vessels = (other == 1).roll(5, dims=0)  # into the ignored rim too
    return vessels, target


def picture(*rows):
    """`#` vessel, `.` background, `x` ignored."""
    return torch.tensor([[{"#": 1, ".": 0, "x": IGNORE}[sign] for sign in row] for row in rows], dtype=torch.uint8)


def test_lines_one_pixel_wide_by_hand():
    target = picture("........", ".######.", "........", "........")
    vessels = picture("........", ".###....", "....#...", ".....#..") == 1
    assert torch.equal(torch.from_numpy(centreline(vessels.numpy())), vessels)
    # 3 of the map's 5 pixels lie on the target's line, which has 6, of which the map covers 3.
    assert centreline_dice(vessels, target) == pytest.approx(2 * (3 / 5) * (3 / 6) / (3 / 5 + 3 / 6))


def test_a_map_twice_as_thick_still_has_the_centreline_that_dice_would_punish():
    target = torch.zeros(20, 30, dtype=torch.uint8)
    target[9:12, 5:25] = 1
    vessels = torch.zeros(20, 30, dtype=torch.bool)
    vessels[7:14, 5:25] = True
    assert centreline_dice(vessels, target) == 1
    assert centreline_dice(target == 1, vessels.to(torch.uint8)) == 1


def test_centreline_dice_agrees_with_sets_of_pixels(drawn):
    vessels, target = drawn
    found = {tuple(p) for p in np.argwhere((vessels & (target != IGNORE)).numpy())}
    there = {tuple(p) for p in np.argwhere((target == 1).numpy())}
    line_found = {tuple(p) for p in np.argwhere(skeletonize((vessels & (target != IGNORE)).numpy()))}
    line_there = {tuple(p) for p in np.argwhere(skeletonize((target == 1).numpy()))}
    precision, sensitivity = len(line_found & there) / len(line_found), len(line_there & found) / len(line_there)
    expected = 2 / (1 / precision + 1 / sensitivity)
    assert centreline_dice(vessels, target) == pytest.approx(expected)
    assert 0.05 < expected < 0.95


def test_pieces_by_hand():
    target = picture("##..#", ".#...", "...##", "#....")  # 4 pieces
    vessels = picture("##...", "..#..", "...##", ".....") == 1  # corners touch: 1 piece
    assert component_error(vessels, target) == 3
    assert component_error(torch.zeros_like(vessels), target) == 4
    assert component_error(vessels, torch.zeros_like(target)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_pieces_agree_with_scikit_image(seed):
    generator = torch.Generator().manual_seed(seed)
    vessels, target = (torch.rand(2, 40, 50, generator=generator) < 0.15).to(torch.uint8)
    target[torch.rand(40, 50, generator=generator) < 0.2] = IGNORE
    found, there = (
        label(mask.numpy(), connectivity=2, return_num=True)[1]
        for mask in ((vessels == 1) & (target != IGNORE), target == 1)
    )
    assert component_error(vessels == 1, target) == abs(found - there) > 0


EMPTY = torch.zeros(5, 6, dtype=torch.uint8)
LINE = picture("......", ".####.", "......", "......", "......")


@pytest.mark.parametrize(
    ("vessels", "target", "dice", "pieces"),
    [
        (EMPTY, EMPTY, 1, 0),
        (EMPTY, LINE, 0, 1),
        (LINE, EMPTY, 0, 1),
        (LINE, LINE, 1, 0),
        (LINE, LINE.roll(2, dims=0), 0, 0),  # neither covers the other
        (LINE, torch.full_like(EMPTY, IGNORE), 1, 0),  # nothing counts
    ],
)
def test_empty_maps_by_hand(vessels, target, dice, pieces):
    assert centreline_dice(vessels == 1, target) == dice
    assert component_error(vessels == 1, target) == pieces


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_the_target_itself_is_perfect(drawn, dtype):
    target = drawn[1].to(dtype)
    assert centreline_dice(target == 1, target) == 1
    assert component_error(target == 1, target) == 0


def test_ignored_pixels_do_not_count(drawn):
    vessels, target = drawn
    flipped = vessels ^ (target == IGNORE)
    assert not torch.equal(flipped, vessels)
    for figure in (centreline_dice, component_error):
        assert figure(flipped, target) == figure(vessels, target)


def test_turning_the_image_changes_pieces_never_and_centreline_dice_by_ties_alone(drawn):
    vessels, target = drawn
    for turn in (torch.t, torch.fliplr, torch.flipud):
        turned = turn(vessels), turn(target)
        assert component_error(*turned) == component_error(vessels, target)
        assert centreline_dice(*turned) == pytest.approx(centreline_dice(vessels, target), abs=0.03)


def test_a_gap_costs_a_piece_and_little_length():
    target = torch.zeros(9, 101, dtype=torch.uint8)
    target[3:6] = 1
    vessels = target == 1
    vessels[:, 50] = False
    assert component_error(vessels, target) == 1
    assert 0.98 < centreline_dice(vessels, target) < 1
