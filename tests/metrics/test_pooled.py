import math

import numpy as np
import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.calibration import brier_score, expected_calibration_error, reliability
from unet_lightning.metrics.overlap import Counts
from unet_lightning.metrics.pooled import of_counts, of_probabilities
from unet_lightning.metrics.ranking import area_under_roc, average_precision
from unet_lightning.metrics.statistics import mean_interval
from unet_lightning.metrics.summary import summarise


def draw(images=8, side=40, confidence=1.0):
    """Probabilities and targets; `confidence` sends most of the probabilities to 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    targets = [(torch.rand(side, side, generator=generator) < 0.1 + 0.02 * n).to(torch.uint8) for n in range(images)]
    noise = [torch.randn(side, side, generator=generator) for _ in targets]
    found = [
        torch.sigmoid(confidence * (1.5 * one.float() - 0.7 + off)) for one, off in zip(targets, noise, strict=True)
    ]
    for target in targets:
        target[:5] = IGNORE
    return found, targets


def exact(found, targets):
    soft, there = (torch.cat([one.flatten() for one in images]) for images in (found, targets))
    bins = reliability(soft, there)
    return {
        "auroc": area_under_roc(soft, there),
        "average_precision": average_precision(soft, there),
        "ece": expected_calibration_error(bins),
        "brier": brier_score(soft, there),
    }


def from_sums(found, targets):
    sources = of_probabilities(found, targets, [reliability(*pair) for pair in zip(found, targets, strict=True)])
    return {name: figure(parts.sum(axis=0)) for name, (parts, figure) in sources.items()}


@pytest.mark.parametrize("confidence", [1.0, 30.0])
def test_figures_from_sums_over_images_agree_with_the_exact_ones(confidence):
    pair = draw(confidence=confidence)
    assert from_sums(*pair) == pytest.approx(exact(*pair), abs=1e-4)


def test_few_levels_are_exact():
    found, targets = draw()
    rounded = [(one * 255).round() / 255 for one in found]
    assert from_sums(rounded, targets) == pytest.approx(exact(rounded, targets), abs=1e-6)


def test_what_is_left_when_an_image_is_left_out_is_what_the_others_give():
    found, targets = draw()
    sources = of_probabilities(found, targets, [reliability(*pair) for pair in zip(found, targets, strict=True)])
    without = {name: figure(parts[1:].sum(axis=0)) for name, (parts, figure) in sources.items()}
    assert without == pytest.approx(exact(found[1:], targets[1:]), abs=1e-4)


def test_figures_of_one_class_are_not_known():
    found, targets = draw(images=2)
    empty = [one.masked_fill(one == 1, 0) for one in targets]
    figures = from_sums(found, empty)
    assert math.isnan(figures["auroc"]) and math.isnan(figures["average_precision"])
    assert figures["brier"] == pytest.approx(exact(found, empty)["brier"])


def test_counts_are_pooled_as_numbers_of_pixels():
    counts = [Counts(30, 10, 50, 10), Counts(10, 0, 80, 10)]
    parts, figure = of_counts(counts, lambda found: found.dice)
    assert figure(parts.sum(axis=0)) == 2 * 40 / (2 * 40 + 10 + 20)


def test_every_pooled_figure_has_an_interval_around_it():
    found, targets = draw()
    summary = summarise([one >= 0.5 for one in found], targets, found)
    known = {name for name, value in summary.pooled.items() if not math.isnan(value)}
    assert {"dice", "auroc", "average_precision", "ece", "brier", "mcc"} <= known
    for name in known - {"sensitivity_thin", "sensitivity_thick"}:
        low, high = summary.pooled_interval[name]
        assert low < summary.pooled[name] < high


def test_images_of_one_size_have_a_pooled_accuracy_with_an_interval_a_little_wider_than_that_of_its_mean():
    found, targets = draw()
    summary = summarise([one >= 0.5 for one in found], targets, found)
    for name in ("accuracy", "brier"):
        (low, high), (least, most) = summary.interval[name], summary.pooled_interval[name]
        # Student's t of 8 images with 6 degrees of freedom is 2.447, with 7 it is 2.365.
        assert least < low < high < most and most - least == pytest.approx((high - low) * 2.447 / 2.365, rel=0.02)


def test_pooled_figures_are_by_group_and_of_few_images_have_no_interval():
    found, targets = draw()
    vessels = [one >= 0.5 for one in found]
    by_group = summarise(vessels, targets, found, groups=list("aabbcdef"))
    rows = [row["accuracy"] for row in by_group.per_image]
    (low, high), (least, most) = mean_interval(rows, list("aabbcdef")), by_group.pooled_interval["accuracy"]
    assert least < low < high < most  # 6 groups, of which two are twice as large, count as 8^2 / 12
    few = summarise(vessels[:5], targets[:5], found[:5])
    assert np.isnan([*few.pooled_interval.values()]).all()
