import math

import pytest
import torch
from torch import nn

from unet_lightning.errors import ConfigError
from unet_lightning.models.context import Geometry, same_size
from unet_lightning.models.unet_paper import UNetPaper


def test_parameters_are_as_many_as_the_papers():
    with torch.device("meta"):
        network = UNetPaper(in_channels=1, num_classes=2, base_c=64)
    assert sum(parameter.numel() for parameter in network.parameters()) == 31_030_658


def test_572_pixels_give_388():
    with torch.device("meta"):
        assert UNetPaper(in_channels=1)(torch.zeros(1, 1, 572, 572))["out"].shape == (1, 2, 388, 388)


def sides_without_a_remainder():
    """Sides at which the arithmetic of the paper's figure 1 meets no odd number before a pooling, up to 300."""
    for side in range(1, 300):
        level, fits = side, True
        for _ in range(4):
            level -= 4
            fits &= level > 0 and level % 2 == 0
            level //= 2
        level -= 4
        for _ in range(4):
            fits &= level > 0
            level = 2 * level - 4
        if fits and level > 0:
            yield side, level


def test_the_sides_that_fit_are_taken_and_no_others():
    network = UNetPaper(base_c=1).eval()
    taken = {}
    for side in range(1, 300):
        try:
            with torch.inference_mode():
                taken[side] = network(torch.zeros(1, 3, side, 188))["out"].shape[-2]
        except ConfigError:
            continue
    assert taken == dict(sides_without_a_remainder())
    assert list(taken) == list(range(188, 300, 16))
    assert all(out == side - 184 for side, out in taken.items())


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((571, 572), "a height of 571, the nearest is 556 or 572"),
        ((572, 584), "a width of 584, the nearest is 572 or 588"),
        ((100, 188), "a height of 100, the nearest is 188"),
    ],
)
def test_another_side_is_refused_with_the_nearest(size, message):
    with pytest.raises(ConfigError, match=message):
        UNetPaper(base_c=1)(torch.zeros(1, 3, *size))


@pytest.mark.parametrize(("name", "least"), [("base_c", 1), ("in_channels", 1), ("num_classes", 2)])
def test_numbers_that_make_no_network_are_refused_by_name(name, least):
    with pytest.raises(ConfigError, match=rf"model\.{name} must be at least {least}, found {least - 1}"):
        UNetPaper(**{name: least - 1})


def test_a_shifted_image_gives_the_shifted_output():
    # Without padding no pixel knows how far away the border is.
    network = UNetPaper(base_c=2).eval()
    image = torch.rand(1, 3, 236, 220)
    with torch.inference_mode():
        whole = network(image)["out"]  # (1, 2, 52, 36)
        part = network(image[..., 32:220, 16:204])["out"]  # (1, 2, 4, 4)
    assert torch.allclose(whole[..., 32:36, 16:20], part, atol=1e-5)


def test_the_middle_of_a_skip_is_joined_in_front():
    network = UNetPaper(base_c=2)
    network.up4.up = nn.Upsample(scale_factor=2)
    network.up4.conv = nn.Identity()
    skip = torch.arange(64.0).reshape(1, 1, 8, 8)
    out = network.up4(torch.zeros(1, 1, 2, 2), skip)
    assert torch.equal(out[0, 0], skip[0, 0, 2:6, 2:6])
    assert (out[0, 1] == 0).all()


def test_weights_are_drawn_with_the_deviation_of_the_paper():
    torch.manual_seed(0)
    network = UNetPaper(base_c=32)
    for module, seen in (
        (network.in_conv[2], 9 * 32),
        (network.down4[0], 9 * 256),
        (network.up1.up, 512),  # with a stride of 2 one pixel of each of the 512 channels
    ):
        weight = module.weight.detach()  # 9,216 at least: their deviation is off by 1 % at most
        assert float(weight.std()) == pytest.approx(math.sqrt(2 / seen), rel=0.03)
        assert abs(float(weight.mean())) < 0.05 * math.sqrt(2 / seen)
        assert (module.bias == 0).all()


def test_the_signal_keeps_its_size_through_the_whole_depth():
    torch.manual_seed(0)
    network = UNetPaper(base_c=16).eval()
    with torch.inference_mode():
        out = network(torch.randn(1, 3, 252, 252))["out"]
    assert 0.1 < out.std() < 30


def test_without_batchnorm_gradients_reach_every_parameter():
    torch.manual_seed(0)
    network = UNetPaper(base_c=4)
    same_size(network, torch.randn(1, 3, 20, 30))["out"].square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("size", [(1, 1), (48, 46), (205, 333)])
def test_with_mirrored_borders_the_output_has_the_size_of_the_image(size):
    network = UNetPaper(base_c=1).eval()
    with torch.inference_mode():
        out = same_size(network, torch.rand(1, 3, *size))["out"]
    assert out.shape == (1, 2, *size)
    assert [Geometry.of(network).side_for(side) % 16 for side in size] == [188 % 16] * 2
