import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from unet_lightning.data.labels import Batch
from unet_lightning.task import SegmentationTask
from unet_lightning.training import precision
from unet_lightning.training.precision import quickest_precision, seconds_of_step


@pytest.fixture
def task():
    class Pixelwise(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)
            self.norm = nn.BatchNorm2d(2)
            self.seen = []

        def forward(self, x):
            out = nn.functional.dropout(self.norm(self.conv(x)), 0.5, self.training)  # draws
            self.seen.append(self.conv(x).dtype)
            return {"out": out}

    return SegmentationTask(Pixelwise(), nn.CrossEntropyLoss(), torch.optim.SGD)


@pytest.fixture
def data():
    batch = Batch(torch.rand(2, 3, 8, 8), torch.zeros(2, 8, 8, dtype=torch.int64), ["1", "2"])
    return SimpleNamespace(train_dataloader=lambda: [batch])


@pytest.mark.parametrize(
    ("times", "choice"),
    [
        ({"32-true": 1.0, "bf16-mixed": 0.5}, "bf16-mixed"),
        ({"32-true": 1.0, "bf16-mixed": 0.95}, "32-true"),  # too little for what half precision rounds
        ({"32-true": 0.1, "bf16-mixed": 1.0}, "32-true"),
        ({"32-true": float("inf"), "16-mixed": 1.0}, "16-mixed"),
    ],
)
def test_half_precision_is_taken_where_its_step_is_clearly_quicker(monkeypatch, caplog, times, choice):
    monkeypatch.setattr(precision, "timed", lambda *_: times)
    with caplog.at_level(logging.INFO):
        assert quickest_precision({"accelerator": "cpu", "devices": 1}, None, None) == choice
    assert caplog.messages[0].startswith(f"trainer.precision={choice}  # seconds of a step: ")


@pytest.mark.parametrize(
    ("trainer", "reason"),
    [
        ({"deterministic": True}, "deterministic=true keeps it"),
        ({"devices": 2}, "several processes must have the same"),
        ({"devices": "auto"}, "several processes must have the same"),
        ({"num_nodes": 2}, "several processes must have the same"),
    ],
)
def test_float32_stays_where_nothing_may_be_timed(caplog, trainer, reason):
    with caplog.at_level(logging.INFO):
        assert quickest_precision({"accelerator": "cpu", **trainer}, None, None) == "32-true"
    assert reason in caplog.text


def test_a_timed_step_leaves_network_and_chance_as_they_were(task, data):
    weights = {name: value.clone() for name, value in task.state_dict().items()}
    chance = torch.get_rng_state()
    times = precision.timed(task, data, torch.device("cpu"))
    assert list(times) == ["32-true", "bf16-mixed"] and all(taken > 0 for taken in times.values())
    assert all(torch.equal(value, weights[name]) for name, value in task.state_dict().items())
    assert all(one.grad is None for one in task.parameters())
    assert torch.equal(torch.get_rng_state(), chance)


@pytest.mark.parametrize(("name", "dtype"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)])
def test_a_step_is_timed_in_its_precision(task, data, monkeypatch, name, dtype):
    monkeypatch.setattr(precision.copy, "deepcopy", lambda one: one)  # so that what it saw can be looked at
    seconds_of_step(task, data.train_dataloader()[0], name)
    assert set(task.network.seen) == {dtype}


def test_where_memory_does_not_suffice_a_step_takes_for_ever(task, data, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SegmentationTask, "shared_step", full)
    assert seconds_of_step(task, data.train_dataloader()[0], "32-true") == float("inf")
