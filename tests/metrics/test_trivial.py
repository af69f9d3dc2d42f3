import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.trivial import constant_map

# Of the pixels that count 1 of 4 and 1 of 2 are of the class.
TARGETS = [torch.tensor([[0, 0, 0, 1, IGNORE]]), torch.tensor([[0, 1, IGNORE, IGNORE, IGNORE]])]


def test_all_background_has_the_accuracy_of_its_share_and_finds_nothing():
    found = constant_map(TARGETS, 2, 0)
    assert [row["accuracy"] for row in found.per_image] == [3 / 4, 1 / 2]
    assert found.pooled["accuracy"] == pytest.approx(4 / 6)
    assert (found.mean["dice"], found.pooled["dice"], found.pooled["iou"]) == (0, 0, 0)
    assert (found.pooled["sensitivity"], found.pooled["specificity"]) == (0, 1)
    assert all(math.isnan(values["precision"]) for values in (found.pooled, found.mean))
    assert math.isnan(found.pooled["mcc"])


def test_all_foreground_has_the_dice_of_its_share():
    found = constant_map(TARGETS, 2, 1)
    assert [row["dice"] for row in found.per_image] == [2 / 5, 2 / 3]  # 2 p / (1 + p)
    assert found.mean["dice"] == pytest.approx((2 / 5 + 2 / 3) / 2)
    assert found.pooled["precision"] == found.pooled["accuracy"] == pytest.approx(2 / 6)
    assert (found.pooled["sensitivity"], found.pooled["specificity"]) == (1, 0)


def test_with_several_classes_figures_are_means_over_those_but_the_background():
    targets = [torch.tensor([[0, 0, 1, 2]]), torch.tensor([[0, 0, 0, 0]])]
    found = constant_map(targets, 3, 0)
    assert found.pooled["accuracy"] == pytest.approx(6 / 8)
    assert found.per_image[0]["dice"] == 0
    assert math.isnan(found.per_image[1]["dice"])  # an image of background alone is left out
    assert found.mean["dice"] == 0
    ones = constant_map(targets[:1], 3, 1)
    assert ones.per_image[0]["dice"] == pytest.approx((2 / 5 + 0) / 2)
    assert ones.per_image[0]["accuracy"] == 1 / 4
