import math

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss
from torchmetrics.functional.classification import binary_calibration_error

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.calibration import brier_score, expected_calibration_error, reliability


def draw(seed, size=(40, 50)):
    generator = torch.Generator().manual_seed(seed)
    probability = torch.rand(size, generator=generator) ** 2
    target = (torch.rand(size, generator=generator) < probability**1.5).to(torch.uint8)
    target[torch.rand(size, generator=generator) < 0.3] = IGNORE
    return probability, target


def error(probability, target):
    return expected_calibration_error(reliability(probability, target))


# Two bins. Below a half: 0.1 and 0.3, no vessel. From a half on: 0.5 (no vessel), 0.8 and 1 (vessels).
PROBABILITY = torch.tensor([[0.1, 0.3, 0.5], [0.8, 1.0, 0.9]])
TARGET = torch.tensor([[0, 0, 0], [1, 1, IGNORE]])


def test_bins_by_hand():
    lower, upper = reliability(PROBABILITY, TARGET, bins=2)
    assert (lower.low, lower.high, upper.low, upper.high) == (0, 0.5, 0.5, 1)
    assert (lower.pixels, lower.probability, lower.share) == (2, pytest.approx(0.2), 0)
    assert (upper.pixels, upper.probability, upper.share) == (3, pytest.approx(2.3 / 3), pytest.approx(2 / 3))


def test_figures_by_hand():
    bins = reliability(PROBABILITY, TARGET, bins=2)
    assert expected_calibration_error(bins) == pytest.approx((2 * 0.2 + 3 * 0.3 / 3) / 5)
    assert brier_score(PROBABILITY, TARGET) == pytest.approx((0.01 + 0.09 + 0.25 + 0.04 + 0) / 5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_agrees_with_torchmetrics(seed, bins):
    probability, target = draw(seed)
    expected = binary_calibration_error(probability, target.long(), n_bins=bins, norm="l1", ignore_index=IGNORE)
    found = expected_calibration_error(reliability(probability, target, bins))
    assert found == pytest.approx(float(expected), abs=1e-6)
    assert found > 0.01 or bins == 1


@pytest.mark.parametrize("seed", range(3))
def test_brier_score_agrees_with_scikit_learn(seed):
    probability, target = draw(seed)
    counted = target != IGNORE
    expected = brier_score_loss(target[counted].numpy(), probability[counted].double().numpy())
    assert brier_score(probability, target) == pytest.approx(expected)


def test_bins_agree_with_a_loop():
    probability, target = draw(4)
    bins = reliability(probability, target)
    assert len(bins) == 15
    for place, item in enumerate(bins):
        pixels = [
            (p, t)
            for p, t in zip(probability.flatten().tolist(), target.flatten().tolist(), strict=True)
            if t != IGNORE and place <= p * 15 < place + 1
        ]
        assert item.pixels == len(pixels) > 0
        assert (item.probability, item.share) == pytest.approx(tuple(np.mean(pixels, axis=0)))


def test_an_edge_belongs_to_the_upper_bin_and_one_to_the_last():
    bins = reliability(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]), torch.tensor([0, 0, 1, 1, 1]), bins=4)
    assert [item.pixels for item in bins] == [1, 1, 1, 2]
    assert expected_calibration_error(bins) == pytest.approx((0 + 0.25 + 0.5 + 2 * 0.125) / 5)


def test_a_bin_without_pixels_has_no_rates_and_no_weight():
    bins = reliability(torch.tensor([0.05, 0.95]), torch.tensor([0, 1]), bins=10)
    assert [item.pixels for item in bins] == [1, *[0] * 8, 1]
    assert all(math.isnan(item.probability) and math.isnan(item.share) for item in bins[1:-1])
    assert expected_calibration_error(bins) == pytest.approx(0.05)


def test_the_truth_as_probability_is_perfect_and_its_contrary_the_worst():
    _, target = draw(5)
    truth = (target == 1).float()
    assert (error(truth, target), brier_score(truth, target)) == (0, 0)
    assert (error(1 - truth, target), brier_score(1 - truth, target)) == (1, 1)


def test_the_share_of_vessels_everywhere_is_calibrated_but_not_perfect():
    _, target = draw(6)
    share = float((target == 1).sum() / (target != IGNORE).sum())
    flat = torch.full(target.shape, share)
    assert error(flat, target) == pytest.approx(0, abs=1e-6)
    assert brier_score(flat, target) == pytest.approx(share * (1 - share))


@pytest.mark.parametrize("figure", [error, brier_score])
def test_ignored_pixels_and_the_order_of_pixels_do_not_count(figure):
    probability, target = draw(7)
    expected = figure(probability, target)
    assert figure(torch.where(target == IGNORE, 1 - probability, probability), target) == expected
    assert figure(probability.T, target.T) == pytest.approx(expected)
    assert figure(probability.flip(1), target.flip(1)) == pytest.approx(expected)


def test_pixels_are_counted_beyond_the_whole_numbers_of_float32():
    # A float32 that has counted to 2**24 stays there.
    number = 2**24 + 2
    probability, target = torch.full((number,), 0.5), torch.ones(number, dtype=torch.uint8)
    (item,) = reliability(probability, target, bins=1)
    assert (item.pixels, item.probability, item.share) == (number, 0.5, 1)


def test_nothing_counted_has_no_figures():
    probability, target = torch.rand(3, 4), torch.full((3, 4), IGNORE)
    assert math.isnan(error(probability, target))
    assert math.isnan(brier_score(probability, target))
    assert [item.pixels for item in reliability(probability, target)] == [0] * 15


@pytest.mark.parametrize("greatest", [255, 65535])
def test_a_stored_probability_at_an_edge_is_in_the_bin_that_begins_there(greatest):
    # 255 and 65535 are multiples of 15: each edge is a level of maps of 8 and of 16 bits, as 51, 102 and 119 are.
    levels = torch.arange(16) * (greatest // 15)
    probability = (levels.float() / greatest)[None]
    counts = [one.pixels for one in reliability(probability, torch.zeros_like(levels)[None])]
    assert counts == [1] * 14 + [2]  # the last bin includes 1
    below = ((levels[1:] - 1).float() / greatest)[None]
    assert [one.pixels for one in reliability(below, torch.zeros_like(levels[1:])[None])] == [1] * 15
