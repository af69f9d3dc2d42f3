import pytest
import torch
from torch import nn

from unet_lightning.models.doubling import Doubling

TORCH = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


def test_the_gradient_of_a_row_is_what_its_copies_take_of_it():
    # Of 0, 1, 2 become 0, 0.4, 0.8, 1.2, 1.6, 2: row 1 has shares of 0.4, 0.8, 0.8 and 0.4.
    x = torch.tensor([0.0, 1.0, 2.0]).reshape(1, 1, 3, 1).requires_grad_()
    doubled = Doubling()(x)
    assert torch.allclose(doubled[0, 0, :, 0], torch.tensor([0, 0.4, 0.8, 1.2, 1.6, 2]), atol=1e-6)
    doubled[0, 0, :, 0].backward(torch.tensor([1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0]))
    expected = [1 + 6 + 20, 4 + 80 + 800 + 4000, 200 + 6000 + 100_000]
    assert torch.allclose(x.grad[0, 0, :, 0], torch.tensor(expected).float())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (16, 37)])
def test_values_and_gradient_are_those_of_torch(size, layout):
    chance = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, *size, generator=chance).contiguous(memory_format=layout).requires_grad_()
    wanted = torch.rand(2, 3, 2 * size[0], 2 * size[1], generator=chance)
    ours, theirs = Doubling()(x), TORCH(x)
    assert torch.equal(ours, theirs)
    (found,), (expected,) = (torch.autograd.grad(y, x, wanted) for y in (ours, theirs))
    assert torch.allclose(found, expected, atol=1e-6)


def test_under_half_precision_the_gradient_is_summed_in_float32():
    x = torch.rand(1, 8, 33, 33, dtype=torch.bfloat16, requires_grad=True)
    wanted = torch.rand(1, 8, 66, 66).bfloat16()
    (found,) = torch.autograd.grad(Doubling()(x), x, wanted)
    whole = x.detach().float().requires_grad_()
    (exact,) = torch.autograd.grad(TORCH(whole), whole, wanted.float())
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, exact.bfloat16()) or (found.float() - exact).abs().max() <= exact.abs().max() / 128
