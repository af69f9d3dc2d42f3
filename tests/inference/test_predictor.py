import pytest
import torch

from unet_lightning.data.labels import VESSEL
from unet_lightning.errors import ConfigError
from unet_lightning.inference.predictor import Predictor, choose_device, vessel_probability
from unet_lightning.models.unet import UNet

MEAN, STD = [0.5, 0.25, 0.125], [0.1, 0.2, 0.4]
CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = UNet(base_c=2)
    network.train()(torch.rand(4, 3, 32, 32))  # so that training and evaluation differ
    return network


def photograph(size=(37, 29)):
    return torch.randint(256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_vessel_probability_by_hand():
    logits = torch.tensor([[[[0.0, 0.0]], [[1.0986123, -1000.0]]]], dtype=torch.float16)  # (1, 2, 1, 2), log 3
    probability = vessel_probability(logits)
    assert probability.dtype == torch.float32
    assert probability[0, 0].tolist() == pytest.approx([0.75, 0], abs=1e-4)
    assert vessel_probability(torch.zeros(2, 5, 3, 4)).shape == (2, 3, 4)


@pytest.mark.parametrize("size", [(37, 29), (16, 48), (5, 9)])
def test_each_pixel_gets_a_probability(network, size):
    probability = Predictor(network, MEAN, STD, CPU)(photograph(size))
    assert probability.shape == size
    assert probability.dtype == torch.float32
    assert not probability.isnan().any()
    assert 0 <= probability.min() < probability.max() <= 1


def test_prediction_is_the_softmax_of_the_normalised_photograph(network):
    photo = photograph()
    probability = Predictor(network, MEAN, STD, CPU)(photo)
    image = (photo.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        logits = network.eval()(image.unsqueeze(0))["out"]
    assert torch.allclose(probability, torch.softmax(logits, dim=1)[0, VESSEL], atol=1e-5)


def test_timing_does_not_change_the_prediction(network):
    predictor = Predictor(network, MEAN, STD, CPU)
    expected = predictor(photograph())
    for _ in range(2):
        probability, milliseconds = predictor.timed(photograph())
        assert torch.equal(probability, expected)
        assert 0 < milliseconds < 60_000


def test_only_the_first_photograph_of_a_size_is_passed_twice(network):
    passes = []
    network.register_forward_hook(lambda _, inputs, __: passes.append(tuple(inputs[0].shape[-2:])))
    predictor = Predictor(network, MEAN, STD, CPU)
    for size in ((16, 16), (16, 16), (20, 16)):
        predictor.timed(photograph(size))
    assert passes == [(16, 16)] * 3 + [(20, 16)] * 2


def test_prediction_leaves_the_network_in_evaluation_and_as_it_was(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predictor = Predictor(network, MEAN, STD, CPU)
    first, second = predictor(photograph()), predictor(photograph())
    assert torch.equal(first, second)
    assert not any(module.training for module in predictor.network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_devices_that_are_always_there(name):
    expected = "cuda" if name == "auto" and torch.cuda.is_available() else "cpu"
    assert choose_device(name) == torch.device(expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_refused():
    with pytest.raises(ConfigError, match="device=cuda, but torch sees no GPU: use cpu or auto"):
        choose_device("cuda")
