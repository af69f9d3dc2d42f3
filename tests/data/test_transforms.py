from functools import partial

import pytest
import torch
from torchvision import tv_tensors

from unet_lightning.data.labels import IGNORE, VESSEL, Sample
from unet_lightning.data.transforms import (
    RandomRightAngle,
    rotate_zoom_crop,
    scale_flip_crop,
    to_input,
    turn_flip_crop,
)

INSIDE = 128  # green of every pixel of the photograph
still = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}


def photograph(height=120, width=108, block=12):
    """Random square vessels; red shows them, green shows what belongs to the photograph."""
    cells = torch.rand(height // block, width // block, generator=torch.Generator().manual_seed(0)) < 0.5
    target = cells.repeat_interleave(block, 0).repeat_interleave(block, 1).to(torch.uint8)
    image = torch.stack([target * 255, torch.full_like(target, INSIDE), torch.zeros_like(target)])
    return Sample(tv_tensors.Image(image), tv_tensors.Mask(target), "21")


def draws(transform, sample, count=30):
    for seed in range(count):
        torch.manual_seed(seed)
        yield transform(sample)


EXACT = {
    "right-angle": RandomRightAngle(),
    "turn-flip-crop": turn_flip_crop(64, **still),
    "turn-flip-crop-padded": turn_flip_crop(128, **still),
}
INTERPOLATED = {
    "scale-flip-crop": scale_flip_crop(96, 60, 150),
    "rotate-zoom-crop": rotate_zoom_crop(64, 180, (0.8, 1.25), **still),
    "rotate-zoom-crop-padded": rotate_zoom_crop(110, 45, (0.8, 1.25), **still),
}


@pytest.mark.parametrize("transform", EXACT.values(), ids=EXACT)
def test_without_interpolation_image_and_target_stay_aligned_to_the_pixel(transform):
    for image, target, _ in draws(transform, photograph()):
        assert torch.equal(image[0] > 127, target == VESSEL)
        assert torch.equal(image[1], torch.where(target == IGNORE, 0, INSIDE).to(torch.uint8))


@pytest.mark.parametrize("transform", INTERPOLATED.values(), ids=INTERPOLATED)
def test_with_interpolation_image_and_target_stay_aligned_but_for_the_edges(transform):
    for image, target, _ in draws(transform, photograph()):
        inside = target != IGNORE
        assert set(target.unique().tolist()) <= {0, 1, IGNORE}
        assert ((image[0] > 127) != (target == VESSEL))[inside].float().mean() < 0.08
        assert ((image[1] > INSIDE / 2) != inside).float().mean() < 0.03


@pytest.mark.parametrize(
    ("transform", "crop"),
    [
        (turn_flip_crop(64, **still), 64),
        (scale_flip_crop(64, 20, 40), 64),
        (rotate_zoom_crop(64, 10, (1, 1), **still), 64),
    ],
    ids=["turn", "scale", "rotate"],
)
def test_small_photograph_is_padded_to_the_crop(transform, crop):
    for image, target, name in draws(transform, photograph(48, 36)):
        assert image.shape == (3, crop, crop) and target.shape == (crop, crop) and name == "21"
        assert image.dtype == target.dtype == torch.uint8
        assert isinstance(image, tv_tensors.Image) and isinstance(target, tv_tensors.Mask)
        assert (target == IGNORE).any() and (target != IGNORE).any()
        # Two pixels away from the photograph nothing is blended in.
        beyond = torch.nn.functional.max_pool2d((target != IGNORE)[None].float(), 5, 1, 2)[0] == 0
        assert image[:, beyond].max() == 0


@pytest.mark.parametrize("zoom", [1.25, 1.0, 0.8])
def test_a_turned_crop_within_the_photograph_brings_nothing_in(zoom):
    sample = Sample(
        tv_tensors.Image(torch.full((3, 100, 100), INSIDE, dtype=torch.uint8)),
        tv_tensors.Mask(torch.zeros(100, 100, dtype=torch.uint8)),
        "21",
    )
    for image, target, _ in draws(rotate_zoom_crop(32, 180, (zoom, zoom), **still), sample):
        assert not (target == IGNORE).any()
        assert (image == INSIDE).float().mean() > 0.99  # a corner may touch the rim


def test_zoom_magnifies():
    stripes = (torch.arange(200) // 4 % 2).to(torch.uint8).expand(200, 200).clone()
    sample = Sample(tv_tensors.Image(stripes.expand(3, -1, -1) * 255), tv_tensors.Mask(stripes), "21")
    for _, target, _ in draws(rotate_zoom_crop(32, 0, (2, 2), **still), sample, 5):
        assert target[0].diff().count_nonzero() in (3, 4)  # stripes of 8 pixels in 32, at twice the scale


def variants(transform):
    grid = tv_tensors.Image(torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4))
    sample = Sample(grid, tv_tensors.Mask(grid[0]), "21")
    return {tuple(image[0].flatten().tolist()) for image, _, _ in draws(transform, sample, 100)}, grid[0]


def test_right_angles_are_all_four():
    seen, grid = variants(RandomRightAngle())
    assert seen == {tuple(grid.rot90(turns).flatten().tolist()) for turns in range(4)}


def test_turns_and_flips_are_all_eight_symmetries_of_the_square():
    seen, grid = variants(turn_flip_crop(4, **still))
    both = (grid, grid.flip(1))
    assert seen == {tuple(side.rot90(turns).flatten().tolist()) for side in both for turns in range(4)}


def test_scaling_to_the_same_size_leaves_the_four_flips():
    seen, grid = variants(scale_flip_crop(4, 4, 4))
    assert seen == {tuple(grid.flip(axes).flatten().tolist()) for axes in ((), (0,), (1,), (0, 1))}


def test_scale_reaches_both_ends():
    sample = Sample(tv_tensors.Image(torch.ones(3, 8, 8, dtype=torch.uint8)), tv_tensors.Mask(torch.zeros(8, 8)), "21")
    sides = [int((target != IGNORE).sum() ** 0.5) for _, target, _ in draws(scale_flip_crop(12, 6, 8), sample, 60)]
    assert set(sides) == {6, 7, 8}


def test_in_the_tutorials_augmentation_a_small_photograph_is_padded_right_and_below():
    for image, target, _ in draws(scale_flip_crop(64, 40, 40), photograph(48, 36)):  # becomes 53 x 40
        there = torch.zeros(64, 64, dtype=torch.bool)
        there[:53, :40] = True
        assert torch.equal(target != IGNORE, there)
        assert torch.equal(image[1], there * INSIDE)


def test_in_the_tutorials_augmentation_a_wide_photograph_is_padded_below_alone():
    for _, target, _ in draws(scale_flip_crop(64, 40, 40), photograph(36, 72)):  # becomes 40 x 80
        assert torch.equal((target != IGNORE).sum(1), torch.tensor([64] * 40 + [0] * 24))


@pytest.mark.parametrize("transform", [turn_flip_crop, partial(rotate_zoom_crop, degrees=0, zoom=(1, 1))])
@pytest.mark.parametrize("change", ["brightness", "contrast", "saturation"])
def test_colour_changes_the_image_alone(transform, change):
    sample = photograph()
    for plain, coloured in zip(
        draws(transform(64, **still), sample, 5), draws(transform(64, **still | {change: 0.5}), sample, 5), strict=True
    ):
        assert torch.equal(plain.target, coloured.target)
        assert not torch.equal(plain.image, coloured.image)


def test_normalisation_takes_the_mean_off_and_divides_by_the_standard_deviation():
    image = tv_tensors.Image(torch.tensor([255, 0, 51], dtype=torch.uint8).view(3, 1, 1))
    target = tv_tensors.Mask(torch.tensor([[IGNORE]], dtype=torch.uint8))
    sample = to_input([0.5, 0.2, 0.1], [0.25, 0.1, 0.2])(Sample(image, target, "21"))
    # (1 - 0.5) / 0.25, (0 - 0.2) / 0.1, (0.2 - 0.1) / 0.2
    assert sample.image.flatten().tolist() == pytest.approx([2.0, -2.0, 0.5])
    assert sample.image.dtype == torch.float32


def test_normalisation_leaves_the_target_alone():
    sample = to_input([0.5] * 3, [0.1] * 3)(photograph())
    assert torch.equal(sample.target, photograph().target)
    assert sample.target.dtype == torch.uint8 and isinstance(sample.target, tv_tensors.Mask)
    assert sample.image_id == "21"
