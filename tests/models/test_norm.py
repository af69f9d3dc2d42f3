import pytest
import torch
from torch import nn

from unet_lightning.errors import ConfigError
from unet_lightning.inference.predictor import PredictionOptions, Predictor
from unet_lightning.models.context import Geometry
from unet_lightning.models.unet import UNet, group_norm


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (6, 1), (8, 4), (12, 2), (16, 8), (24, 4), (32, 8), (512, 8)],
)
def test_up_to_eight_groups_of_at_least_two_channels_divide_the_channels(channels, groups):
    assert group_norm(channels).num_groups == groups


@pytest.fixture(params=[True, False], ids=["bilinear", "transposed"])
def network(request):
    torch.manual_seed(0)
    return UNet(base_c=4, bilinear=request.param, norm="group")


def test_batchnorm_is_the_default_and_groupnorm_replaces_all_of_it(network):
    kinds = [type(module) for module in UNet(base_c=2).modules() if not list(module.children())]
    assert kinds.count(nn.BatchNorm2d) == 18 and nn.GroupNorm not in kinds
    kinds = [type(module) for module in network.modules() if not list(module.children())]
    assert kinds.count(nn.GroupNorm) == 18 and nn.BatchNorm2d not in kinds


def test_weights_have_the_names_of_the_tutorial_with_either_norm(network):
    bilinear = isinstance(network.up1.up, nn.Upsample)
    expected = {name for name, _ in UNet(base_c=4, bilinear=bilinear).named_parameters()}
    assert set(network.state_dict()) == expected  # no statistics are kept


@pytest.mark.parametrize("training", [True, False])
def test_with_groupnorm_an_image_does_not_depend_on_the_others_of_its_batch(network, training):
    images = torch.rand(4, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    network.train(training)
    with torch.inference_mode():
        together, alone = network(images)["out"], torch.cat([network(image[None])["out"] for image in images])
        assert torch.allclose(together, alone, atol=1e-5)
        other = UNet(base_c=4).train()
        together, alone = other(images)["out"], torch.cat([other(image[None])["out"] for image in images])
    assert (together - alone).abs().max() > 0.01  # BatchNorm's do


@pytest.mark.parametrize("base_c", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 40)])
def test_groupnorm_takes_images_that_come_down_to_a_pixel(base_c, size):
    out = UNet(base_c=base_c, norm="group")(torch.rand(1, 3, *size))["out"]
    assert out.shape == (1, 2, *size) and out.isfinite().all()


@pytest.mark.parametrize("norm", ["layer", None, ["group"], 8])
def test_another_norm_is_refused_by_name(norm):
    with pytest.raises(ConfigError, match=r"model\.norm must be one of batch, group, found"):
        UNet(base_c=2, norm=norm)


def test_with_groupnorm_a_large_photograph_is_the_mean_of_tiles_which_is_said(network, caplog):
    # A tile is normalised with statistics of its own.
    assert Geometry.of(network).halo is None
    photo = torch.randint(256, (3, 60, 90), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def predictor(tile):
        return Predictor(network, [0.5] * 3, [0.2] * 3, PredictionOptions("cpu", tile))

    whole = predictor("none")(photo)
    assert torch.equal(predictor("auto")(photo), whole)
    assert not caplog.text
    found = predictor(64).predict(photo)
    assert "as the network does not say its halo" in found.tiles
    assert "with model.norm=group" in caplog.text
    assert 0 < (found.probabilities - whole).abs().max() < 0.5
