import pytest
import torch

from unet_lightning.errors import ConfigError
from unet_lightning.inference.device import choose_device, synchronise


@pytest.fixture
def there(monkeypatch):
    """Lets torch say which GPUs there are."""

    def set_them(*names):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)

    return set_them


@pytest.mark.parametrize(
    ("names", "expected"), [((), "cpu"), (("mps",), "mps"), (("cuda",), "cuda"), (("cuda", "mps"), "cuda")]
)
def test_auto_takes_the_gpu_where_there_is_one(there, names, expected):
    there(*names)
    assert choose_device("auto") == torch.device(expected)
    assert choose_device("cpu") == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused(there):
    there()
    with pytest.raises(ConfigError, match="device=cuda, but torch sees no GPU: use cpu or auto"):
        choose_device("cuda")
    with pytest.raises(ConfigError, match="device=mps, but torch sees no GPU of Apple: use cpu or auto"):
        choose_device("mps")


def test_another_device_is_refused():
    with pytest.raises(ConfigError, match="device must be one of auto, cpu, cuda, mps, found tpu"):
        choose_device("tpu")


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_the_clock_waits_for_a_gpu(monkeypatch, kind):
    waits = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waits.append("cuda"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waits.append("mps"))
    synchronise(torch.device("cpu"))
    synchronise(torch.device(kind))
    assert waits == [kind]
