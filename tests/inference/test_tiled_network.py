import pytest
import torch
from torch import nn

from unet_lightning.errors import ConfigError
from unet_lightning.inference.tiled_network import double, forward_tile, halved, span_at, widened
from unet_lightning.inference.tiling import Span, Tile
from unet_lightning.models.unet import UNet

DOUBLE = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3), (16, 37)])
def test_the_whole_is_doubled_as_by_torch(size, dtype):
    image = torch.rand(2, 3, *size, dtype=dtype)
    assert torch.allclose(double(image, (0, 0), size), DOUBLE(image), atol=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_part_is_doubled_as_within_the_whole_but_for_the_pixel_at_its_border(layout):
    image = torch.rand(1, 3, 41, 64, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    found = double(image[..., 8:24, 48:64], corner=(8, 48), size=(41, 64))
    expected = DOUBLE(image)[..., 16:48, 96:128]
    same = (found - expected).abs().amax((0, 1)) < 1e-6
    assert same[1:-1, 1:].all()  # the right border is that of the whole
    assert not same[0].all() and not same[:, 0].all()
    assert (DOUBLE(image[..., 8:24, 48:64]) - expected).abs().max() > 0.1  # on its own it is sampled elsewhere


def test_far_from_the_origin_positions_are_those_of_torch():
    # Float32 positions of 20,000 are off by 0.001 of a pixel; both must be off alike.
    image = torch.rand(1, 1, 1, 10_000, generator=torch.Generator().manual_seed(0))
    found = double(image[..., 9000:9500], corner=(0, 9000), size=(1, 10_000))
    assert torch.allclose(found[..., 1:-1], DOUBLE(image)[..., 18_001:18_999], atol=1e-6)


def test_halving_keeps_what_the_way_back_up_needs():
    # Kept 100 to 199; convolutions see 98 to 201; bilinear rows 98 and 201 lie between 48 or 49, and 100 or 101.
    assert halved(Span(64, 256, 100, 200, 400)) == Span(32, 128, 48, 102, 200)
    assert halved(Span(64, 256, 64, 256, 400)) == Span(32, 128, 32, 128, 200)
    assert halved(Span(192, 405, 300, 405, 405)) == Span(96, 202, 148, 202, 202)


def test_what_doubling_brings_back_has_the_odd_end_of_the_image():
    assert widened(Span(64, 256, 100, 200, 400)) == Span(64, 256, 96, 204, 400)
    assert widened(Span(192, 405, 300, 405, 405)) == Span(192, 405, 296, 405, 405)


def test_each_level_keeps_enough_for_the_one_above():
    for keep in [(160, 161), (133, 250), (128, 384)]:
        for span in (Span(0, 512, *keep, 600), Span(128, 399, *keep, 399)):
            half, wide = halved(span), widened(span)
            assert half.start <= half.keep_start < half.keep_stop <= half.stop
            assert max(span.start, span.keep_start - 2) >= wide.keep_start
            assert min(span.stop, span.keep_stop + 2) <= wide.keep_stop


def test_the_size_of_a_feature_map_says_how_often_the_tile_was_halved():
    span = Span(192, 405, 300, 405, 405)
    assert span_at(span, 213) == span
    assert span_at(span, 106) == halved(span)
    assert span_at(span, 53) == halved(halved(span))
    with pytest.raises(ConfigError, match="takes no tiles: 213 pixels have become 54, which halving does not give"):
        span_at(span, 54)


def test_a_whole_side_may_have_been_padded_by_the_network():
    assert span_at(Span(0, 5, 0, 5, 5), 16) == Span(0, 16, 0, 16, 16)
    assert span_at(Span(0, 5, 0, 5, 5), 1) == Span(0, 1, 0, 1, 1)


class OtherUNet(UNet):
    """The same network under another name, so that nothing but its upsampling is known of it."""


class OneLevel(nn.Module):
    """Upsampling without a skip connection, in a module of another kind."""

    halo, stride = 4, 2

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 2, 3, padding=1), DOUBLE)

    def forward(self, image):
        return {"out": self.layers(image)}


def network(kind):
    torch.manual_seed(0)
    if kind == "one level":
        return OneLevel().eval()
    network = (OtherUNet if kind == "other" else UNet)(base_c=4, bilinear=kind != "transposed")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics that do something, and logits of some size
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.1, 0.5)
            nn.init.uniform_(module.weight, 0.7, 1.6)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


@pytest.mark.parametrize("kind", ["bilinear", "transposed", "other", "one level"])
@pytest.mark.parametrize("size", [(405, 16), (9, 400), (300, 336)])
@torch.inference_mode()
def test_a_tile_that_knows_its_place_gives_what_the_whole_image_gives(kind, size):
    net = network(kind)
    size = [n - n % 2 for n in size] if kind == "one level" else size  # its outputs have no odd end
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    tile = Tile(*(Span(128, n, 128 + net.halo, n, n) if n > 300 else Span(0, n, 0, n, n) for n in size))
    seen = image[..., tile.rows.start :, tile.cols.start :]
    expected, alone = (tile.kept(net(image)["out"], 0, 0), net(seen)["out"])
    found = forward_tile(net, seen, tile)
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=1e-4)
    if kind != "transposed":  # the reason why it needs to know
        assert (alone[..., -expected.shape[-2] :, -expected.shape[-1] :] - expected).abs().max() > 0.01


def test_a_whole_photograph_and_training_see_torchs_own_layers(monkeypatch):
    monkeypatch.setattr("unet_lightning.inference.tiled_network.double", None)
    net, image = network("bilinear"), torch.rand(1, 3, 48, 37)
    whole = Tile(Span(0, 48, 0, 48, 48), Span(0, 37, 0, 37, 37))
    assert torch.equal(forward_tile(net, image, whole), net(image)["out"])


@pytest.mark.parametrize("fails", [False, True])
def test_after_a_tile_the_network_is_as_it_was(fails):
    net, image = network("bilinear"), torch.rand(1, 3, 304, 32)
    with torch.inference_mode():
        expected = net(image)["out"]
        tile = Tile(Span(0, 304, 0, 176, 305 if fails else 600), Span(0, 32, 0, 32, 32))
        if fails:
            handle = net.up2.conv.register_forward_hook(lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                forward_tile(net, image, tile)
            handle.remove()
        else:
            assert forward_tile(net, image, tile).shape[-2:] == (176, 32)
        assert torch.equal(net(image)["out"], expected)
    assert not any("forward" in vars(module) for module in net.modules())


def test_only_what_is_kept_of_a_tile_is_computed_at_full_resolution():
    net, sizes = network("bilinear"), []
    net.up4.conv.register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[-2:])))
    span = Span(128, 512, 256, 384, 640)
    with torch.inference_mode():
        forward_tile(net, torch.rand(1, 3, 384, 384), Tile(span, span))
    assert sizes == [(136, 136)]  # 128 kept, 4 more on each side


@pytest.mark.parametrize(
    "upsampling",
    [
        nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True),
        nn.Upsample(64, mode="bicubic", align_corners=True),
    ],
)
def test_other_upsamplings_with_aligned_corners_take_no_tiles(upsampling):
    net = OneLevel()
    net.layers[2] = upsampling
    span = Span(0, 32, 0, 28, 64)
    with pytest.raises(ConfigError, match=r"takes no tiles: .* found Upsample\(.*\)\. Set tile=none"):
        forward_tile(net, torch.rand(1, 3, 32, 32), Tile(span, span))
    net(torch.rand(1, 3, 32, 32))  # whole
