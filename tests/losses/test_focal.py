import itertools
import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError
from unet_lightning.losses.cross_entropy import CrossEntropyLoss
from unet_lightning.losses.focal import FocalLoss

LOG2, LOG3, LOG4 = math.log(2), math.log(3), math.log(4)


@pytest.mark.parametrize(
    ("gamma", "weights", "target", "expected"),
    [
        # Probabilities (1/4, 3/4) and (1/2, 1/2).
        (2, None, [0, 1], (9 / 16 * LOG4 + 1 / 4 * LOG2) / 2),
        (2, (1, 2), [0, 1], (9 / 16 * LOG4 + 2 * 1 / 4 * LOG2) / 3),
        (1, (1, 2), [1, 0], (2 * 1 / 4 * (LOG4 - LOG3) + 1 / 2 * LOG2) / 3),
        (0.5, None, [1, IGNORE], math.sqrt(1 / 4) * (LOG4 - LOG3)),
        (2, None, [IGNORE, IGNORE], 0),
    ],
)
def test_focal_loss_by_hand(gamma, weights, target, expected):
    logits = torch.tensor([[[[0.0, 0.0]], [[LOG3, 0.0]]]])  # (1, 2, 1, 2)
    assert FocalLoss(gamma, weights)(logits, torch.tensor([[target]])).item() == pytest.approx(expected, abs=1e-6)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(3, (2, 7, 9), generator=generator)
    target[0, :3] = IGNORE
    return torch.randn(2, 3, 7, 9, generator=generator) * 3, target


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5)])
def test_without_focus_it_is_cross_entropy(batch, weights):
    assert FocalLoss(0, weights)(*batch).item() == pytest.approx(CrossEntropyLoss(weights)(*batch).item(), rel=1e-6)


def test_it_equals_a_plain_float64_loop_over_three_classes(batch):
    logits, target = batch
    weights, total, weight = [1.0, 2.0, 0.5], 0.0, 0.0
    for b, y, x in itertools.product(range(2), range(7), range(9)):
        label = int(target[b, y, x])
        if label != IGNORE:
            scores = [math.exp(float(score)) for score in logits[b, :, y, x].double()]
            p = scores[label] / sum(scores)
            total -= weights[label] * (1 - p) ** 2 * math.log(p)
            weight += weights[label]
    assert FocalLoss(2, weights)(logits, target).item() == pytest.approx(total / weight, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1, 2])
def test_where_the_network_is_certain_loss_and_gradient_are_finite(gamma):
    logits = torch.tensor([[[[90.0, -90.0]], [[-90.0, 90.0]]]], requires_grad=True)
    right, wrong = torch.tensor([[[0, 1]]]), torch.tensor([[[1, 0]]])
    assert FocalLoss(gamma)(logits, right).item() == pytest.approx(0, abs=1e-6)
    assert FocalLoss(gamma)(logits, wrong).item() == pytest.approx(180)
    (FocalLoss(gamma)(logits, right) + FocalLoss(gamma)(logits, wrong)).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [-1, math.inf, math.nan, "2", True, None])
def test_a_gamma_that_is_no_number_from_0_is_refused(gamma):
    with pytest.raises(ConfigError, match=f"must be a number from 0, found {gamma}"):
        FocalLoss(gamma)
