import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.losses.dice import DiceLoss, dice_per_class

LOG3 = math.log(3)  # logits (0, LOG3) are probabilities (1/4, 3/4)


def plain_dice(logits, target, epsilon=1e-6):
    """The tutorial's Dice pixel by pixel: rows are images, columns classes."""
    table = []
    for image, truth in zip(logits.double(), target, strict=True):
        sums = [[0.0, 0.0] for _ in image]  # inter and sum of each class
        for y in range(truth.shape[0]):
            for x in range(truth.shape[1]):
                if truth[y, x] == IGNORE:
                    continue
                powers = [math.exp(value) for value in image[:, y, x].tolist()]
                for c, power in enumerate(powers):
                    probability, hit = power / sum(powers), float(truth[y, x] == c)
                    sums[c][0] += probability * hit
                    sums[c][1] += probability + hit
        table.append([(2 * inter + epsilon) / ((total or 2 * inter) + epsilon) for inter, total in sums])
    return torch.tensor(table)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # Class 0: p = 1/4, 1/2; class 1: p = 3/4, 1/2.
        ([1, 0], [2 * 0.5 / (0.75 + 1), 2 * 0.75 / (1.25 + 1)]),
        ([1, 1], [0 / 0.75, 2 * 1.25 / (1.25 + 2)]),
        ([1, IGNORE], [0 / 0.25, 2 * 0.75 / (0.75 + 1)]),
        ([IGNORE, 0], [2 * 0.5 / (0.5 + 1), 0 / 0.5]),
        ([IGNORE, IGNORE], [1, 1]),
    ],
)
def test_dice_by_hand(target, expected):
    logits = torch.tensor([[[[0.0, 0.0]], [[LOG3, 0.0]]]])  # (1, 2, 1, 2)
    target = torch.tensor([[target]])
    assert dice_per_class(logits, target)[0].tolist() == pytest.approx(expected, abs=1e-5)
    assert DiceLoss()(logits, target).item() == pytest.approx(1 - sum(expected) / 2, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_dice_equals_the_tutorials_definition_pixel_by_pixel(classes):
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(3, classes, 7, 9, generator=generator) * 3
    target = torch.randint(classes, (3, 7, 9), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.3] = IGNORE
    expected = plain_dice(logits, target)
    assert torch.allclose(dice_per_class(logits, target), expected, atol=1e-6, rtol=0)
    assert DiceLoss()(logits, target).item() == pytest.approx(1 - expected.mean().item(), abs=1e-6)


@pytest.mark.parametrize("vessels", [[[0, 1], [1, IGNORE]], [[0, 0], [0, 0]], [[1, 1], [1, 1]]])
def test_a_perfect_prediction_has_loss_0_even_where_a_class_is_absent(vessels):
    target = torch.tensor([vessels])
    logits = torch.stack([target != 1, target == 1], dim=1) * 400.0 - 200
    assert dice_per_class(logits, target).tolist() == [[1, 1]]
    assert DiceLoss()(logits, target).item() == 0


def test_the_opposite_of_the_target_has_loss_1():
    target = torch.tensor([[[0, 1], [1, 0]]])
    logits = torch.stack([target == 1, target == 0], dim=1) * 400.0 - 200
    assert DiceLoss()(logits, target).item() == pytest.approx(1, abs=1e-6)


def test_epsilon_softens_the_dice_of_an_empty_class():
    logits = torch.tensor([[[[0.0]], [[0.0]]]])
    target = torch.tensor([[[0]]])
    # Class 0: (2 / 2 + 1) / (3 / 2 + 1); class 1: (0 + 1) / (1 / 2 + 1).
    assert DiceLoss(epsilon=1)(logits, target).item() == pytest.approx(1 - (0.8 + 2 / 3) / 2, abs=1e-6)
