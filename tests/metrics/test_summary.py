import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.summary import RANKINGS, RATES, summarise

# The first image is perfect; the second has 1 true positive, 2 false positives and 1 false negative.
VESSELS = [torch.tensor([[True, False]]), torch.tensor([[True, True, True, False, True]])]
TARGETS = [torch.tensor([[1, 0]]), torch.tensor([[1, 0, 0, 1, IGNORE]])]
PROBABILITIES = [torch.tensor([[0.9, 0.2]]), torch.tensor([[0.8, 0.7, 0.6, 0.1, 0.9]])]


def test_mean_and_pooled_figures_by_hand():
    summary = summarise(VESSELS, TARGETS, PROBABILITIES)
    assert [row["dice"] for row in summary.per_image] == pytest.approx([1, 2 / 5])
    assert [row["auroc"] for row in summary.per_image] == pytest.approx([1, 2 / 4])
    assert summary.mean["dice"] == pytest.approx(0.7)
    assert summary.sd["dice"] == pytest.approx(0.6 / math.sqrt(2))
    assert summary.pooled["dice"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert (summary.mean["specificity"], summary.pooled["specificity"]) == pytest.approx((1 / 2, 1 / 3))
    # Vessels at 0.9, 0.8, 0.1 against background at 0.2, 0.7, 0.6: 6 of 9 pairs are in order.
    assert (summary.mean["auroc"], summary.pooled["auroc"]) == pytest.approx((3 / 4, 6 / 9))
    # The second image: precision 1 at the first vessel, 2/4 at the last; pooled: 1, 1 and 3/6.
    assert summary.mean["average_precision"] == pytest.approx((1 + 3 / 4) / 2)
    assert summary.pooled["average_precision"] == pytest.approx(2.5 / 3)


def test_every_part_has_every_figure():
    summary = summarise(VESSELS, TARGETS, PROBABILITIES)
    for row in (*summary.per_image, summary.mean, summary.sd, summary.pooled):
        assert tuple(row) == RATES + RANKINGS


def test_a_human_observer_is_not_ranked():
    summary = summarise(VESSELS, TARGETS)
    for row in (*summary.per_image, summary.mean, summary.sd, summary.pooled):
        assert tuple(row) == RATES
    assert summary.mean["dice"] == pytest.approx(0.7)


def test_a_single_image_has_no_standard_deviation():
    summary = summarise(VESSELS[1:], TARGETS[1:])
    assert math.isnan(summary.sd["dice"])
    assert summary.mean == pytest.approx(summary.pooled)


def test_an_image_without_vessels_leaves_the_other_figures_as_they_are():
    targets = [TARGETS[0], torch.tensor([[0, 0, 0, 0, IGNORE]])]
    summary = summarise(VESSELS, targets, PROBABILITIES)
    assert math.isnan(summary.per_image[1]["auroc"])
    assert summary.mean["dice"] == 0.5
    # Pooled, the vessel at 0.9 is above all five background pixels.
    assert summary.pooled["auroc"] == 1


def test_one_target_an_image_is_needed():
    with pytest.raises(ValueError, match="zip"):
        summarise(VESSELS, TARGETS[:1])
