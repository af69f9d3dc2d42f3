import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError
from unet_lightning.losses.tversky import TverskyLoss

LOG3 = math.log(3)
LOGITS = torch.tensor([[[[0.0, 0.0, 0.0]], [[LOG3, 0.0, -LOG3]]]])  # (1, 2, 1, 3), vessel with 3/4, 1/2, 1/4


@pytest.mark.parametrize(
    ("values", "target", "expected"),
    [
        # TP 3/4, FP 1/2 + 1/4, FN 1/4
        ({"alpha": 0.3, "beta": 0.7, "smooth": 0}, [1, 0, 0], 1 - 0.75 / (0.75 + 0.3 * 0.75 + 0.7 * 0.25)),
        ({"alpha": 0.3, "beta": 0.7, "smooth": 1}, [1, 0, 0], 1 - 1.75 / (1.75 + 0.3 * 0.75 + 0.7 * 0.25)),
        # TP 3/4, FP 1/2, FN 1/4, and Dice 2 TP / (2 TP + FP + FN)
        ({"alpha": 0.5, "beta": 0.5, "smooth": 0}, [1, 0, IGNORE], 1 - 1.5 / (1.5 + 0.75)),
        ({"gamma": 4 / 3, "smooth": 0}, [1, 0, 0], (0.4 / 1.15) ** 0.75),
        ({}, [0, 0, 0], 0.45 / 1.45),
        ({}, [IGNORE] * 3, 0),
    ],
)
def test_tversky_loss_by_hand(values, target, expected):
    assert TverskyLoss(**values)(LOGITS, torch.tensor([[target]])).item() == pytest.approx(expected, abs=1e-6)


def test_of_several_classes_it_is_the_mean_over_those_but_the_background():
    logits = torch.log(torch.tensor([[[[0.5, 0.2]], [[0.3, 0.2]], [[0.2, 0.6]]]]))  # (1, 3, 1, 2)
    target = torch.tensor([[[1, 2]]])
    first = 1 - 0.3 / (0.3 + 0.3 * 0.2 + 0.7 * 0.7)
    second = 1 - 0.6 / (0.6 + 0.3 * 0.2 + 0.7 * 0.4)
    assert TverskyLoss(smooth=0)(logits, target).item() == pytest.approx((first + second) / 2, abs=1e-6)


def test_missing_weighs_more_than_calling_falsely():
    missed, called = torch.tensor([[[1, 1, 1, 1]]]), torch.tensor([[[0, 0, 0, 1]]])
    logits = torch.tensor([[[[0.0] * 4], [[-9.0, -9.0, 9.0, 9.0]]]])
    assert TverskyLoss()(logits, missed) > 1.5 * TverskyLoss()(logits, called)


@pytest.mark.parametrize("gamma", [1, 4 / 3, 3])
def test_a_perfect_map_has_no_loss_and_a_finite_gradient(gamma):
    logits = torch.tensor([[[[200.0, -200.0]], [[-200.0, 200.0]]]], requires_grad=True)
    loss = TverskyLoss(gamma=gamma)(logits, torch.tensor([[[0, 1]]]))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("values", [{"alpha": -1}, {"alpha": 0, "beta": 0}, {"gamma": 0}, {"smooth": math.nan}])
def test_values_that_make_no_loss_are_refused(values):
    with pytest.raises(ConfigError, match="Tversky loss needs"):
        TverskyLoss(**values)
