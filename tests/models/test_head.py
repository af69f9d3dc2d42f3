"""Weights of other classes or channels."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.models.head import ends_of, misfits
from unet_lightning.models.unet import UNet
from unet_lightning.models.unet_paper import UNetPaper
from unet_lightning.models.weights import load_weights


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """A file of the weights of a network of three channels and two classes, and these weights."""
    network = UNet(base_c=4)
    torch.save({"model": network.state_dict()}, tmp_path / "weights.pth")
    return tmp_path / "weights.pth", network.state_dict()


@pytest.mark.parametrize("network", [UNet(base_c=2), UNetPaper(base_c=2)], ids=["unet", "unet_paper"])
def test_the_ends_of_a_network_take_channels_and_give_classes(network: Any) -> None:
    first, last = (dict(network.named_modules())[name] for name in ends_of(network))
    assert (first.in_channels, last.out_channels) == (3, 2)


def test_other_classes_begin_the_head_anew_and_keep_all_the_rest(saved: Any) -> None:
    path, before = saved
    network = UNet(base_c=4, num_classes=5)
    chance = {name: value.clone() for name, value in network.state_dict().items()}
    loaded = load_weights(network, path, skip="head")
    assert loaded.not_taken == [
        "out_conv.0.weight (2, 4, 1, 1) -> (5, 4, 1, 1): anew",
        "out_conv.0.bias (2,) -> (5,): anew",
    ]
    for name, value in network.state_dict().items():
        assert torch.equal(value, (chance if name.startswith("out_conv") else before)[name]), name


def test_other_channels_begin_with_the_mean_of_those_before(saved: Any) -> None:
    """A photograph that is alike in all channels gives what it gave: 3 channels into 1, and into 5."""
    path, before = saved
    old = UNet(base_c=4)
    old.load_state_dict(before)
    for channels in (1, 5):
        network = UNet(in_channels=channels, base_c=4)
        loaded = load_weights(network, path, skip="head")
        said = f"in_conv.0.weight (4, 3, 3, 3) -> (4, {channels}, 3, 3): the mean over its channels"
        assert loaded.not_taken == [said]
        grey = torch.rand(1, 1, 32, 32)
        outputs = (one.eval()(grey.expand(-1, n, -1, -1))["out"] for one, n in ((old, 3), (network, channels)))
        torch.testing.assert_close(*outputs)


def test_what_fits_is_taken_whole(saved: Any) -> None:
    path, before = saved
    network = UNet(base_c=4)
    assert load_weights(network, path, skip="head").not_taken == []
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_without_it_a_misfit_names_the_remedy_and_changes_nothing(saved: Any) -> None:
    path, _ = saved
    network = UNet(in_channels=1, base_c=4, num_classes=3)
    chance = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(
        RunError, match=r"other classes or channels: .* by model\.weights_skip=head, which takes all the rest"
    ):
        load_weights(network, path)
    assert all(torch.equal(value, chance[name]) for name, value in network.state_dict().items())


def test_another_width_is_another_network_all_the_same(saved: Any) -> None:
    path, before = saved
    assert misfits(UNet(base_c=8, num_classes=3), before) == []
    with pytest.raises(RunError, match=r"another model.*Set model\.base_c"):
        load_weights(UNet(base_c=8, num_classes=3), path, skip="head")


def test_only_the_head_can_be_left(saved: Any) -> None:
    with pytest.raises(ConfigError, match=r"model\.weights_skip must be head or null, found body"):
        load_weights(UNet(base_c=4), saved[0], skip="body")


def test_a_network_of_one_convolution_has_one_end() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1))
    assert ends_of(network) == ("0", "0")
    assert misfits(network, {"0.weight": torch.zeros(4, 3, 1, 1), "0.bias": torch.zeros(4)}) == ["0.weight", "0.bias"]
