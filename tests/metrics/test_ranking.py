import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.ranking import area_under_roc, average_precision

FIGURES = [area_under_roc, average_precision]


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
