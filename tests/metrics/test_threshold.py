import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.overlap import count
from unet_lightning.metrics.threshold import best_threshold, dice_by_threshold


def images(number=3):
    generator = torch.Generator().manual_seed(0)
    targets = [torch.randint(2, (20, 30), generator=generator, dtype=torch.uint8) for _ in range(number)]
    maps = [(0.3 * target + 0.7 * torch.rand(20, 30, generator=generator)) for target in targets]
    for target in targets:
        target[:5] = IGNORE
    return maps, targets


def test_dice_at_each_threshold_is_the_one_counted_pixel_by_pixel():
    maps, targets = images()
    thresholds = torch.tensor([0.0, 0.2, 0.35, 0.5, 0.9, 1.0])
    for probability, target in zip(maps, targets, strict=True):
        expected = [count(probability >= threshold, target).dice for threshold in thresholds]
        assert dice_by_threshold(probability, target, thresholds).tolist() == pytest.approx(expected)


def test_a_probability_equal_to_the_threshold_is_a_vessel():
    dice = dice_by_threshold(torch.tensor([[0.5, 0.25]]), torch.tensor([[1, 0]]), torch.tensor([0.25, 0.5, 0.75]))
    assert dice.tolist() == pytest.approx([2 / 3, 1, 0])


def test_the_best_threshold_is_the_lowest_with_the_highest_mean_dice():
    # Perfect from just above 0.3 up to 0.6.
    assert best_threshold([torch.tensor([[0.6, 0.3]])], [torch.tensor([[1, 0]])]) == (0.31, 1.0)
    maps, targets = images()
    threshold, dice = best_threshold(maps, targets)
    for other in range(1, 100):
        pairs = zip(maps, targets, strict=True)
        mean = sum(count(probability >= torch.tensor(other / 100), target).dice for probability, target in pairs) / 3
        assert mean <= dice + 1e-9
        assert mean < dice - 1e-9 or other / 100 >= threshold


def test_an_image_without_vessels_in_which_none_is_found_is_perfect():
    assert best_threshold([torch.zeros(2, 2)], [torch.zeros(2, 2, dtype=torch.uint8)]) == (0.01, 1.0)


def test_ignored_pixels_change_nothing():
    maps, targets = images()
    expected = best_threshold(maps, targets)
    for probability in maps:
        probability[:5] = 1 - probability[:5]
    assert best_threshold(maps, targets) == expected
