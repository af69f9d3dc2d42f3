"""Sums of losses, and what holds for every loss."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError
from unet_lightning.losses.combined import WeightedSum, loss_of_outputs
from unet_lightning.losses.cross_entropy import CrossEntropyLoss
from unet_lightning.losses.dice import DiceLoss
from unet_lightning.losses.focal import FocalLoss
from unet_lightning.losses.tversky import TverskyLoss

LOSSES = {
    "dice": DiceLoss,
    "cross_entropy": lambda: CrossEntropyLoss([1, 2]),
    "focal": lambda: FocalLoss(2, [1, 2]),
    "focal below 1": lambda: FocalLoss(0.5),
    "tversky": TverskyLoss,
    "focal tversky": lambda: TverskyLoss(gamma=4 / 3),
    "sum": lambda: WeightedSum({"ce": CrossEntropyLoss(), "dice": DiceLoss()}, {"ce": 1, "dice": 0.3}),
}
LOG3 = math.log(3)


@pytest.fixture(params=LOSSES)
def loss(request):
    return LOSSES[request.param]()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 33, 31, generator=generator) * 3
    target = (torch.rand(2, 33, 31, generator=generator) < 0.13).long()
    target[torch.rand(target.shape, generator=generator) < 0.3] = IGNORE
    return logits, target


def test_a_sum_is_weighted_by_name():
    logits = torch.tensor([[[[0.0, 0.0]], [[LOG3, 0.0]]]])  # vessel probabilities 3/4 and 1/2
    target = torch.tensor([[[1, 0]]])
    cross_entropy = (math.log(4 / 3) + math.log(2)) / 2
    dice = 1 - (2 * 0.5 / 1.75 + 2 * 0.75 / 2.25) / 2
    terms = {"dice": DiceLoss(), "ce": CrossEntropyLoss()}
    total = WeightedSum(terms, {"ce": 2.0, "dice": 0.5})(logits, target)
    assert total.item() == pytest.approx(2 * cross_entropy + 0.5 * dice, abs=1e-6)


@pytest.mark.parametrize("weights", [{"ce": 1.0}, {"ce": 1.0, "dic": 1.0}, {"ce": 1.0, "dice": 1.0, "more": 1.0}])
def test_weights_by_other_names_than_the_terms_are_refused(weights):
    with pytest.raises(ConfigError, match=r"loss\.terms has \['ce', 'dice'\]"):
        WeightedSum({"dice": DiceLoss(), "ce": CrossEntropyLoss()}, weights)


def test_an_auxiliary_output_adds_half_of_its_loss(loss, batch):
    logits, target = batch
    better = torch.stack([target != 1, target == 1], dim=1) * 4.0
    out, auxiliary = loss(logits, target).item(), loss(better, target).item()
    assert out != pytest.approx(auxiliary, abs=0.1)
    assert loss_of_outputs(loss, {"out": logits}, target).item() == out
    both = loss_of_outputs(loss, {"out": logits, "aux": better}, target)
    assert both.item() == pytest.approx(out + 0.5 * auxiliary, rel=1e-6)


@pytest.mark.parametrize("value", [-7.0, 1e30, math.nan, math.inf])
def test_ignored_logits_change_neither_loss_nor_gradient(loss, batch, value):
    logits, target = batch
    ignored = (target == IGNORE).unsqueeze(1).expand_as(logits)
    other = logits.masked_fill(ignored, value).requires_grad_()
    logits.requires_grad_()
    first, second = loss(logits, target), loss(other, target)
    assert second.item() == first.item()
    first.backward()
    second.backward()
    assert torch.equal(other.grad, logits.grad)
    assert (logits.grad[ignored] == 0).all()
    assert (logits.grad[~ignored] != 0).any()


@pytest.mark.parametrize("images", [1, 2])
def test_images_without_a_counted_pixel_are_free_of_loss_and_finite(loss, images):
    logits = torch.randn(images, 2, 4, 5, requires_grad=True)
    value = loss(logits, torch.full((images, 4, 5), IGNORE))
    value.backward()
    assert value.item() == 0
    assert (logits.grad == 0).all()


def test_an_ignored_image_beside_a_counted_one_leaves_its_gradient_finite(loss, batch):
    logits, target = batch
    target[1] = IGNORE
    logits.requires_grad_()
    value = loss(logits, target)
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()
    assert logits.grad[0].abs().sum() > 0


def test_padding_does_not_change_the_loss(loss, batch):
    logits, target = batch
    padded = loss(F.pad(logits, (0, 5, 0, 8), value=2.0), F.pad(target, (0, 5, 0, 8), value=IGNORE))
    assert padded.item() == pytest.approx(loss(logits, target).item(), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_are_computed_in_float32_under_autocast(loss, batch, dtype):
    logits, target = batch
    logits = logits.to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        logits.requires_grad_()
        value = loss(logits, target)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(logits.detach().float(), target).item(), rel=1e-6)
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_network_trains_under_autocast(loss, batch, dtype):
    torch.manual_seed(0)
    network, (_, target) = nn.Conv2d(3, 2, 3, padding=1), batch
    image = torch.rand(2, 3, 33, 31)
    expected = loss(network(image), target).item()
    with torch.autocast("cpu", dtype=dtype):
        logits = network(image)
        value = loss(logits, target)
    value.backward()
    assert logits.dtype == dtype
    assert value.item() == pytest.approx(expected, rel=0.02)
    assert network.weight.grad.isfinite().all()


def test_class_weights_of_a_sum_go_to_the_term_that_takes_them(batch):
    terms = {"ce": CrossEntropyLoss(), "dice": DiceLoss()}
    weighted = WeightedSum(terms, {"ce": 1.0, "dice": 0.0}, class_weights=[1, 5])
    assert weighted(*batch).item() == CrossEntropyLoss([1, 5])(*batch).item()


@pytest.mark.parametrize("terms", [{"dice": DiceLoss()}, {"ce": CrossEntropyLoss([1, 2])}])
def test_class_weights_that_no_term_takes_are_refused(terms):
    with pytest.raises(ConfigError, match="no term of"):
        WeightedSum(terms, dict.fromkeys(terms, 1.0), class_weights=[1, 5])


@pytest.mark.parametrize("weights", ["auto", [1, -1], [0, 0], [1, math.nan], [True, 1], 3])
def test_class_weights_that_are_no_numbers_from_0_are_refused(weights):
    with pytest.raises(ConfigError, match="class_weights must be null or a list of numbers from 0"):
        CrossEntropyLoss(weights)
