from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torchvision import tv_tensors

from unet_lightning.data.labels import VESSEL
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.transforms import to_input
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.predictor import Ensemble, Prediction, PredictionOptions, Predictor, make_predictor
from unet_lightning.inference.tiling import AUTO_WHOLE
from unet_lightning.models.context import same_size
from unet_lightning.models.probability import class_probabilities
from unet_lightning.models.unet import UNet
from unet_lightning.models.unet_paper import UNetPaper

MEAN, STD = [0.5, 0.25, 0.125], [0.1, 0.2, 0.4]


def predictor_of(network, diameter=None, **options):
    return Predictor(network, MEAN, STD, PredictionOptions(device="cpu", **options), diameter)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = UNet(base_c=2)
    network.train()(torch.rand(4, 3, 32, 32))  # so that training and evaluation differ
    return network


def photograph(size=(37, 29)):
    return torch.randint(256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(37, 29), (16, 48), (5, 9)])
@pytest.mark.parametrize("classes", [2, 4])
def test_each_pixel_gets_a_probability_of_each_class_but_the_background(classes, size):
    torch.manual_seed(0)
    probability = predictor_of(UNet(base_c=2, num_classes=classes))(photograph(size))
    assert probability.shape == (classes - 1, *size)
    assert probability.dtype == torch.float32
    assert not probability.is_inference()  # others may change it
    assert 0 <= probability.min() < probability.max() <= 1


def test_prediction_is_the_softmax_of_the_normalised_photograph(network):
    photo = photograph()
    probability = predictor_of(network)(photo)
    image = (photo.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        logits = network.eval()(image.unsqueeze(0))["out"]
    assert torch.allclose(probability[0], torch.softmax(logits, dim=1)[0, VESSEL], atol=1e-5)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("tta", ["none", "d4"])
def test_an_answer_that_is_no_number_is_no_map(network, number, tta):
    network.out_conv.register_forward_hook(lambda module, given, out: out.index_fill(3, torch.tensor([5]), number))
    with pytest.raises(DataError, match="answers this photograph with NaN or infinite numbers"):
        predictor_of(network, tta=tta)(photograph())


def test_the_network_sees_what_training_shows_it(network):
    photo = photograph()
    shown = to_input(MEAN, STD)(tv_tensors.Image(photo)).as_subclass(torch.Tensor)
    assert torch.allclose(predictor_of(network).prepare(photo)[0], shown, atol=1e-6)


def test_a_network_that_cuts_its_borders_off_gives_a_map_of_the_whole_photograph():
    torch.manual_seed(0)
    network = UNetPaper(base_c=2)
    photo = photograph((37, 29))
    predictor = predictor_of(network)
    with torch.inference_mode():
        expected = class_probabilities(same_size(network, predictor.prepare(photo))["out"])[0]
    assert torch.equal(predictor(photo), expected)


def test_timing_does_not_change_the_prediction(network):
    predictor = predictor_of(network)
    expected = predictor(photograph())
    for _ in range(2):
        found = predictor.predict(photograph(), warm_up=True)
        assert torch.equal(found.probabilities, expected)
        assert 0 < found.milliseconds < 60_000


def test_only_the_first_photograph_of_a_size_is_passed_twice(network):
    passes = []
    network.register_forward_hook(lambda _, inputs, __: passes.append(tuple(inputs[0].shape[-2:])))
    predictor = predictor_of(network)
    for size in ((16, 16), (16, 16), (20, 16)):
        predictor.predict(photograph(size), warm_up=True)
    assert passes == [(16, 16)] * 3 + [(20, 16)] * 2


def test_prediction_leaves_the_network_in_evaluation_and_as_it_was(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predictor = predictor_of(network)
    first, second = predictor(photograph()), predictor(photograph())
    assert torch.equal(first, second)
    assert not any(module.training for module in predictor.network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# Tiles


def shaken(kind):
    """A network with BatchNorm statistics that do something, and probabilities from 0 to 1."""
    torch.manual_seed(1)
    network = UNetPaper(base_c=2) if kind == "paper" else UNet(base_c=2, bilinear=kind == "bilinear")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.1, 0.5)
            nn.init.uniform_(module.weight, 0.7, 1.6)
            nn.init.normal_(module.bias, 0, 0.3)
    scaled = network.out_conv if kind == "paper" else network.out_conv[0]
    scaled.weight.data *= 5
    return network


def smooth(size):
    """A photograph with large and small structures."""
    photo = photograph(size).float()
    coarse = interpolate(photo[None, :, ::16, ::16], size, mode="bilinear")[0]
    return (0.3 * photo + 0.7 * coarse).to(torch.uint8)


TILES = [
    ("bilinear", (205, 333), 272),
    ("bilinear", (205, 333), 304),
    ("bilinear", (410, 447), 336),
    ("bilinear", (9, 700), 400),
    ("transposed", (205, 333), 240),
    ("transposed", (301, 402), 272),
    ("paper", (205, 333), 300),
    ("paper", (205, 333), 332),
    ("paper", (64, 150), 236),
]


@pytest.mark.parametrize(("kind", "size", "tile"), TILES)
def test_tiles_give_the_map_of_the_whole_photograph(kind, size, tile):
    network, photo = shaken(kind), smooth(size)
    expected = predictor_of(network, tile="none")(photo)
    found = predictor_of(network, tile=tile).predict(photo)
    assert expected.std() > 0.02
    assert found.tiles.startswith(f"tiles of {tile - (tile - 12) % 16 if kind == 'paper' else tile} with a")
    assert (found.probabilities - expected).abs().max() < 1e-4


@pytest.mark.parametrize(("kind", "size", "tile"), [("bilinear", (410, 447), 304), ("paper", (205, 333), 300)])
def test_overlapping_tiles_give_nearly_the_map_of_the_whole_photograph(kind, size, tile):
    network, photo = shaken(kind), smooth(size)
    expected = predictor_of(network, tile="none")(photo)
    found = predictor_of(network, tile=tile, blend="gaussian").predict(photo)
    assert "Gaussian weights" in found.tiles
    error = (found.probabilities - expected).abs()
    assert error.mean() < 1e-3
    assert kind != "paper" or error.max() < 1e-4  # without padding all tiles agree


def test_the_context_of_a_tile_is_needed():
    network, photo = shaken("bilinear"), smooth((410, 447))
    expected = predictor_of(network, tile="none")(photo)
    network.halo = 16
    assert (predictor_of(network, tile=304)(photo) - expected).abs().max() > 1e-2


def test_no_pass_is_larger_than_a_tile(network):
    sizes = []
    network.register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[-2:])))
    predictor_of(network, tile=320)(photograph((400, 700)))
    assert len(sizes) > 4
    assert max(max(size) for size in sizes) == 320


def test_freed_memory_is_kept_for_whole_photographs_and_returned_between_tiles(network, monkeypatch):
    asked = []
    for name in ("keep", "return"):
        monkeypatch.setattr(
            f"unet_lightning.inference.predictor.{name}_freed_blocks", lambda name=name: asked.append(name)
        )
    predictor_of(network)(photograph())
    predictor_of(network, tile=320)(photograph((400, 700)))
    assert asked == ["keep", "return"]


def test_automatic_tiles_begin_above_a_megapixel():
    predictor = predictor_of(shaken("bilinear"))
    for size in ((584, 565), (960, 999), (605, 700), (1024, 1024)):  # DRIVE, CHASE_DB1, STARE
        assert [len(spans) for spans in predictor.tiling.spans(*size)] == [1, 1]
    assert [len(spans) for spans in predictor.tiling.spans(2336, 3504)] == [5, 7]  # HRF
    assert predictor.describe() == (
        f"whole image up to {AUTO_WHOLE:,} pixels, above tiles of 768 with a halo of 128, overlap-tile"
    )


def test_what_was_done_is_said(network):
    assert predictor_of(network).predict(photograph()).tiles == "whole image"
    assert predictor_of(network, tile="none").describe() == "whole image"
    predictor = predictor_of(network, tile=310)
    assert predictor.describe() == "tiles of 304 with a halo of 128, overlap-tile"
    assert predictor.predict(photograph()).tiles == "whole image"  # a single tile


def test_how_a_photograph_passed_is_said_in_words():
    assert str(Prediction(torch.zeros(1), "whole image", 1.0, 12.6)) == "13 ms forward"
    found = Prediction(torch.zeros(1), "tiles of 768", 0.5, 1200)
    assert str(found) == "1200 ms forward, scaled by 0.500, tiles of 768"


class Pixelwise(nn.Module):
    """A network of one's own that says nothing of itself."""

    def forward(self, image):
        return {"out": image[:, :2]}


def test_a_network_that_says_nothing_passes_large_photographs_in_tiles_that_overlap(caplog):
    predictor = predictor_of(Pixelwise())
    assert predictor(photograph()).shape == (1, 37, 29)
    assert predictor.describe().startswith("whole image up to")
    photo = torch.zeros(3, 1025, 1024, dtype=torch.uint8)
    found = predictor.predict(photo)
    assert found.tiles == "tiles of 768, Gaussian weights, as the network does not say its halo"
    assert "not surely that of the whole" in caplog.text
    # Each pixel is decided by itself: the mean of several tiles is that of the whole.
    assert torch.allclose(found.probabilities, predictor_of(Pixelwise(), tile="none")(photo), atol=1e-6)


class Strided(nn.Module):
    """A network of one's own with a skip connection, which fails on sides that are no multiples of 32."""

    stride = 32

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(*[nn.MaxPool2d(2)] * 5)
        self.up = nn.Upsample(scale_factor=32, mode="nearest")
        self.out = nn.Conv2d(6, 2, 1)

    def forward(self, image):
        return self.out(torch.cat([image, self.up(self.down(image))], dim=1))


@pytest.mark.parametrize("options", [{}, {"tile": 64}, {"tile": 64, "blend": "gaussian"}, {"tta": "d4"}])
def test_a_network_with_a_stride_predicts_photographs_of_any_size(options):
    torch.manual_seed(0)
    network, photo = Strided(), photograph((45, 101))
    network.halo = 0
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        network(torch.rand(1, 3, 45, 101))
    found = predictor_of(network, **options)(photo)
    assert found.shape == (1, 45, 101)
    if "tta" not in options:
        plain = predictor_of(network)
        with torch.inference_mode():
            expected = class_probabilities(same_size(network, plain.prepare(photo))["out"])[0]
        assert torch.allclose(found, expected, atol=1e-5)


def test_a_network_of_ones_own_passes_in_tiles_once_it_says_its_halo():
    network = Pixelwise()
    network.halo = 0
    photo = photograph((40, 90))
    expected = predictor_of(Pixelwise())(photo)
    assert torch.equal(predictor_of(network, tile=16)(photo), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": "big"}, "tile must be auto, none or a number of pixels, found big"),
        ({"tile": 0}, "tile must be auto, none or a number of pixels, found 0"),
        ({"tile": True}, "tile must be auto, none or a number of pixels, found True"),
        ({"tile": 256}, "tile=256 is smaller than the receptive field .* at least 272"),
        ({"blend": "mean"}, "blend must be one of crop, gaussian, found mean"),
        ({"tta": "all"}, "tta must be one of none, flips, d4, found all"),
        ({"scale": 0}, "scale must be auto, none or a factor"),
    ],
)
def test_an_option_out_of_range_is_refused_at_once(network, options, message):
    with pytest.raises(ConfigError, match=message):
        predictor_of(network, **options)


# Test-time augmentation and scale


def test_flips_are_the_mean_of_four_maps(network):
    photo = photograph()
    plain = predictor_of(network)
    expected = torch.stack(
        [
            plain(photo),
            plain(photo.flip(2)).flip(2),
            plain(photo.flip(1)).flip(1),
            plain(photo.rot90(2, (1, 2))).rot90(2, (1, 2)),
        ]
    ).mean(0)
    found = predictor_of(network, tta="flips")(photo)
    assert torch.allclose(found, expected, atol=1e-6)
    assert (found - plain(photo)).abs().max() > 1e-3


def test_d4_is_the_mean_of_the_maps_turned_and_mirrored(network):
    photo = photograph()
    plain = predictor_of(network)
    turned = [plain(photo.rot90(k, (1, 2))).rot90(-k, (1, 2)) for k in range(4)]
    mirrored = [plain(photo.flip(1).rot90(k, (1, 2))).rot90(-k, (1, 2)).flip(1) for k in range(4)]
    found = predictor_of(network, tta="d4")(photo)
    assert torch.allclose(found, torch.stack(turned + mirrored).mean(0), atol=1e-6)


@pytest.mark.parametrize("tile", ["none", 272])
def test_under_d4_turning_the_photograph_turns_the_map(network, tile):
    photo = smooth((60, 290))
    predictor = predictor_of(network, tta="d4", tile=tile)
    expected = predictor(photo)
    for move in (lambda x: x.rot90(1, (1, 2)), lambda x: x.flip(2), lambda x: x.transpose(1, 2)):
        assert torch.allclose(predictor(move(photo)), move(expected), atol=1e-6)


def test_a_photograph_enlarged_twice_gives_about_the_map_enlarged(real_drive):
    # The green channel as logits: what is left is what resampling does.
    photo = read_photo(real_drive / "training/images/21_training.tif")
    network = Pixelwise()
    expected = predictor_of(network)(photo)
    large = interpolate(photo[None], scale_factor=2, mode="bilinear", antialias=True)[0]
    found = predictor_of(network, tile="none", scale="auto", diameter=537).predict(large)
    assert found.scale == pytest.approx(0.5, abs=0.005)
    assert found.probabilities.shape == (1, *large.shape[1:])
    enlarged = interpolate(expected[None], scale_factor=2, mode="bilinear")[0]
    assert (found.probabilities - enlarged).abs().mean() < 0.02


def test_a_given_factor_scales_what_the_network_sees(network):
    sizes = []
    network.register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[-2:])))
    found = predictor_of(network, scale=1.5).predict(photograph((40, 30)))
    assert (found.scale, sizes) == (1.5, [(60, 45)])
    assert found.probabilities.shape == (1, 40, 30)
    assert 0 <= found.probabilities.min() and found.probabilities.max() <= 1


def test_the_given_field_of_view_sets_the_scale(network):
    rows, cols = torch.meshgrid(torch.arange(40), torch.arange(30), indexing="ij")
    fov = (rows - 20) ** 2 + (cols - 15) ** 2 <= 10**2  # 21 pixels across
    predictor = predictor_of(network, scale="auto", diameter=42)
    assert predictor.predict(photograph((40, 30)), fov).scale == pytest.approx(2, rel=0.15)
    found = predictor.predict(photograph((40, 30)))  # noise from edge to edge: no dark ground
    assert found.scale == 1 and str(found).endswith(
        "at its own scale: no field of view was found, by which to scale it"
    )
    assert predictor_of(network, diameter=30, scale="none").predict(photograph((40, 30)), fov).scale == 1


def test_an_ensemble_is_the_mean_of_networks_each_normalised_as_in_its_training(network):
    torch.manual_seed(5)
    other = UNet(base_c=3)
    first = predictor_of(network)
    second = Predictor(other, [0.1, 0.2, 0.3], [0.3, 0.2, 0.1], PredictionOptions("cpu"))
    expected = (first(photograph()) + second(photograph())) / 2
    ensemble = Ensemble([first, second])
    assert torch.allclose(ensemble(photograph()), expected, atol=1e-7)
    found = ensemble.predict(photograph(), warm_up=True)
    assert torch.allclose(found.probabilities, expected, atol=1e-7)
    assert (found.tiles, found.scale) == ("whole image", 1)
    assert ensemble.describe() == first.describe()


def test_networks_of_a_run_or_of_folds_make_a_predictor(network):
    first = SimpleNamespace(network=network, mean=MEAN, std=STD, diameter=30)
    second = SimpleNamespace(network=UNet(base_c=3), mean=STD, std=MEAN, diameter=None)
    options = PredictionOptions("cpu", tta="flips")
    alone = make_predictor([first], options)
    assert (alone.network, alone.diameter, alone.options) == (network, 30, options)
    both = make_predictor([first, second], options)
    assert [one.diameter for one in both.predictors] == [30, None]
    expected = (alone(photograph()) + both.predictors[1](photograph())) / 2
    assert torch.allclose(both(photograph()), expected, atol=1e-7)
