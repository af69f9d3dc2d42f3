import math

import pytest
import torch
from torchmetrics.functional.classification import binary_precision_recall_curve, binary_roc

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.ranking import area_under_roc, average_precision, precision_recall_curve, roc_curve

FIGURES = [area_under_roc, average_precision]
CURVES = [roc_curve, precision_recall_curve]


def draw(seed, levels=20):
    """Probabilities with ties, and a target."""
    generator = torch.Generator().manual_seed(seed)
    probability = torch.randint(levels, (12, 15), generator=generator) / levels
    target = (torch.rand(12, 15, generator=generator) < 0.2 + 0.5 * probability).to(torch.uint8)
    target[torch.rand(12, 15, generator=generator) < 0.3] = IGNORE
    return probability, target


def classes(probability, target):
    return probability[target == 1].tolist(), probability[target == 0].tolist()


def test_figures_of_four_pixels_by_hand():
    probability, target = torch.tensor([[0.1, 0.4], [0.4, 0.8]]), torch.tensor([[0, 0], [1, 1]])
    # Of the four pairs three are in order and one is a tie.
    assert area_under_roc(probability, target) == pytest.approx(3.5 / 4)
    # At 0.8 precision 1 and recall 1/2, at 0.4 precision 2/3 and recall 1.
    assert average_precision(probability, target) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)


@pytest.mark.parametrize("seed", range(3))
def test_auroc_is_the_share_of_ordered_pairs(seed):
    probability, target = draw(seed)
    vessels, background = classes(probability, target)
    wins = sum((v > b) + 0.5 * (v == b) for v in vessels for b in background)
    assert area_under_roc(probability, target) == pytest.approx(wins / (len(vessels) * len(background)), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_the_mean_precision_at_each_vessel_pixel(seed):
    probability, target = draw(seed)
    vessels, background = classes(probability, target)
    precisions = []
    for threshold in vessels:
        right, wrong = sum(v >= threshold for v in vessels), sum(b >= threshold for b in background)
        precisions.append(right / (right + wrong))
    expected = sum(precisions) / len(precisions)
    assert average_precision(probability, target) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("target", [[0, 0, 0], [1, 1, 1], [0, IGNORE, 0], [1, IGNORE, IGNORE], [IGNORE] * 3])
def test_figures_are_nan_where_a_class_is_absent(figure, target):
    assert math.isnan(figure(torch.tensor([0.1, 0.5, 0.9]), torch.tensor(target)))


@pytest.mark.parametrize("figure", FIGURES)
def test_ignored_pixels_do_not_count(figure, seed=5):
    probability, target = draw(seed)
    counted = target != IGNORE
    expected = figure(probability[counted], target[counted])
    assert figure(probability, target) == expected
    assert figure(torch.where(counted, probability, 1 - probability), target) == expected
    assert 0 < expected < 1


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("base", [0.0, 0.5, 1 - 1e-4])
def test_figures_are_exact_where_probabilities_are_a_millionth_apart(figure, base):
    probability = base + torch.arange(100) * 1e-6
    target = (torch.arange(100) >= 70).long()
    assert figure(probability, target) == pytest.approx(1, abs=1e-6)
    assert figure(probability.flip(0), target) < 0.5


@pytest.mark.parametrize("figure", FIGURES)
def test_only_the_order_of_the_probabilities_matters(figure):
    probability, target = draw(6)
    assert figure(probability**3, target) == pytest.approx(figure(probability, target), abs=1e-6)


def draw_many(seed, number=50_000, sure=4.0):
    """Probabilities almost without ties; the surer, the better."""
    generator = torch.Generator().manual_seed(seed)
    target = (torch.rand(number, generator=generator) < 0.13).to(torch.uint8)
    logits = sure * (target - 0.5) + torch.randn(number, generator=generator)
    target[torch.rand(number, generator=generator) < 0.3] = IGNORE
    return torch.sigmoid(logits), target


def pairs(curve):
    return list(zip(*(axis.tolist() for axis in curve), strict=True))


def test_curves_of_four_pixels_by_hand():
    probability, target = torch.tensor([[0.1, 0.4], [0.4, 0.8]]), torch.tensor([[0, 0], [1, 1]])
    # Thresholds 0.8, 0.4 and 0.1, after one that nothing reaches.
    assert pairs(roc_curve(probability, target)) == [(0, 0), (0, 0.5), (0.5, 1), (1, 1)]
    assert pairs(precision_recall_curve(probability, target)) == [
        (0, 1),
        (0.5, 1),
        (1, pytest.approx(2 / 3)),
        (1, 0.5),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_short_curves_are_those_of_torchmetrics(seed):
    probability, target = draw(seed)
    false_positive_rate, sensitivity, _ = binary_roc(probability, target.long(), ignore_index=IGNORE)
    expected = torch.stack([false_positive_rate, sensitivity]).double()
    torch.testing.assert_close(torch.stack(roc_curve(probability, target)), expected, atol=1e-6, rtol=0)
    precision, recall, _ = binary_precision_recall_curve(probability, target.long(), ignore_index=IGNORE)
    expected = torch.stack([recall, precision]).flip(1).double()
    torch.testing.assert_close(torch.stack(precision_recall_curve(probability, target)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("sure", [0, 1, 4, 8])
@pytest.mark.parametrize("points", [100, 400])
def test_a_thinned_curve_keeps_ends_and_area(sure, points):
    probability, target = draw_many(0, sure=sure)
    false_positive_rate, sensitivity = roc_curve(probability, target, points)
    assert points // 2 < len(sensitivity) <= points
    assert pairs((false_positive_rate[[0, -1]], sensitivity[[0, -1]])) == [(0, 0), (1, 1)]
    area = float(torch.trapezoid(sensitivity, false_positive_rate))
    assert area == pytest.approx(area_under_roc(probability, target), abs=1e-3)
    recall, precision = precision_recall_curve(probability, target, points)
    assert (recall[0], precision[0], recall[-1]) == (0, 1, 1)
    assert float(precision[-1]) == pytest.approx(float((target == 1).sum() / (target != IGNORE).sum()))
    area = float(torch.trapezoid(precision, recall))
    assert area == pytest.approx(average_precision(probability, target), abs=5e-3)


def test_points_of_a_thinned_curve_lie_evenly_on_the_exact_one():
    probability, target = draw_many(1)
    exact = set(pairs(roc_curve(probability, target, points=10**9)))
    thinned = roc_curve(probability, target)
    assert set(pairs(thinned)) <= exact
    steps = torch.stack(thinned).diff(dim=1)
    assert (steps >= 0).all()
    assert steps.sum(dim=0).max() < 2 * 2 / 399  # twice the mean step: 2 is the way from (0, 0) to (1, 1)
    assert set(pairs(precision_recall_curve(probability, target))) <= set(
        pairs(precision_recall_curve(probability, target, points=10**9))
    )


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("target", [[0, 0, 0], [1, 1, 1], [0, IGNORE, 0], [1, IGNORE, IGNORE], [IGNORE] * 3])
def test_curves_are_empty_where_a_class_is_absent(curve, target):
    assert pairs(curve(torch.tensor([0.1, 0.5, 0.9]), torch.tensor(target))) == []


@pytest.mark.parametrize("curve", CURVES)
def test_ignored_pixels_do_not_bend_a_curve(curve):
    probability, target = draw(7)
    flipped = torch.where(target == IGNORE, 1 - probability, probability)
    assert pairs(curve(flipped, target)) == pairs(curve(probability, target))


def test_a_perfect_ranking_bends_through_the_corner():
    _, target = draw(8)
    truth = (target == 1).float()
    assert pairs(roc_curve(truth, target)) == [(0, 0), (0, 1), (1, 1)]
    assert pairs(precision_recall_curve(truth, target))[:2] == [(0, 1), (1, 1)]
