import re

import pytest
import torch
from torch import nn

from unet_lightning.errors import ConfigError
from unet_lightning.models.unet import UNet, Up

SIZES = [(16, 16), (17, 31), (37, 53), (5, 9), (1, 1), (8, 40)]


@pytest.fixture(params=[True, False], ids=["bilinear", "transposed"])
def network(request):
    torch.manual_seed(0)
    return UNet(base_c=4, bilinear=request.param)


@pytest.mark.parametrize(
    ("base_c", "bilinear", "expected"),
    [(8, True, 270_906), (16, True, 1_080_946), (32, True, 4_318_434), (32, False, 7_763_074), (64, True, 17_263_042)],
)
def test_parameters_are_as_many_as_the_tutorials(base_c, bilinear, expected):
    with torch.device("meta"):  # counted without memory
        network = UNet(base_c=base_c, bilinear=bilinear)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_state_has_exactly_the_names_of_the_tutorial(network):
    blocks = ["in_conv", *(f"down{n}.1" for n in range(1, 5)), *(f"up{n}.conv" for n in range(1, 5))]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {f"{block}.{place}.weight" for block in blocks for place in (0, 3)}
    expected |= {f"{block}.{place}.{name}" for block in blocks for place in (1, 4) for name in norm}
    expected |= {"out_conv.0.weight", "out_conv.0.bias"}
    if isinstance(network.up1.up, nn.ConvTranspose2d):
        expected |= {f"up{n}.up.{name}" for n in range(1, 5) for name in ("weight", "bias")}
    assert set(network.state_dict()) == expected


def test_only_the_last_and_the_transposed_convolutions_have_a_bias(network):
    convolutions = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)}
    assert len(convolutions) >= 19
    for name, convolution in convolutions.items():
        assert (convolution.bias is not None) == bool(re.fullmatch(r"out_conv\.0|up\d\.up", name)), name


@pytest.mark.parametrize("size", SIZES)
def test_output_has_two_logits_for_each_pixel_of_any_size(network, size):
    with torch.inference_mode():
        out = network.eval()(torch.rand(2, 3, *size))
    assert list(out) == ["out"]
    assert out["out"].shape == (2, 2, *size)
    assert out["out"].isfinite().all()


def test_a_small_image_equals_itself_padded_by_0_right_and_below(network):
    image = torch.rand(1, 3, 5, 9)
    padded = torch.zeros(1, 3, 16, 16)
    padded[..., :5, :9] = image
    with torch.inference_mode():
        network.eval()
        assert torch.equal(network(image)["out"], network(padded)["out"][..., :5, :9])


def test_channels_and_classes_are_configurable():
    with torch.inference_mode():
        out = UNet(in_channels=1, num_classes=5, base_c=2).eval()(torch.rand(1, 1, 16, 20))["out"]
    assert out.shape == (1, 5, 16, 20)


def test_up_puts_the_skip_first_and_pads_the_rest_left_and_top_by_half():
    up = Up(4, 2, bilinear=True)
    up.conv = nn.Identity()
    skip = torch.full((1, 2, 5, 7), 3.0)
    out = up(torch.ones(1, 2, 2, 2), skip)  # 2 x 2 becomes 4 x 4 within 5 x 7: top 0, bottom 1, left 1, right 2
    expected = torch.zeros(1, 2, 5, 7)
    expected[..., 0:4, 1:5] = 1
    assert torch.allclose(out, torch.cat([skip, expected], dim=1))


def test_bilinear_upsampling_aligns_corners():
    up = Up(2, 1, bilinear=True)
    up.conv = nn.Identity()
    out = up(torch.tensor([[[[0.0, 3.0], [0.0, 3.0]]]]), torch.zeros(1, 1, 4, 4))
    assert torch.allclose(out[0, 1], torch.tensor([0.0, 1.0, 2.0, 3.0]).expand(4, 4), atol=1e-6)


@pytest.mark.parametrize(("name", "least"), [("base_c", 1), ("in_channels", 1), ("num_classes", 2)])
def test_numbers_that_make_no_network_are_refused_by_name(name, least):
    with pytest.raises(ConfigError, match=rf"model\.{name} must be at least {least}, found {least - 1}"):
        UNet(**{name: least - 1})


def test_gradient_reaches_every_parameter(network):
    network(torch.rand(2, 3, 33, 35))["out"].square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_memory_format_does_not_change_the_output(network):
    image = torch.rand(2, 3, 37, 53)
    with torch.inference_mode():
        expected = network.eval()(image)["out"]
        network.to(memory_format=torch.channels_last)
        out = network(image.contiguous(memory_format=torch.channels_last))["out"]
    assert torch.allclose(out, expected, atol=1e-5)


def test_the_halo_is_the_measured_receptive_field_in_whole_strides(network):
    # With positive weights and averages for maxima nothing cancels: every pixel that can count has a gradient.
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.MaxPool2d):
            setattr(network.get_submodule(name.rpartition(".")[0]), "0", nn.AvgPool2d(2, stride=2))
    network.double().eval()
    length, reach = 401, 0
    for place in range(length):
        column = torch.ones(1, 3, length, 16, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(column)["out"][0, 1, place, 8], column)
        seen = gradient.abs().sum((0, 1, 3)).nonzero()
        reach = max(reach, place - int(seen[0]), int(seen[-1]) - place)
    assert reach == (122 if network.halo == 128 else 107)
    assert network.halo - network.stride < reach <= network.halo
    assert network.halo % network.stride == 0
