"""How long training will take."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Timer

from unet_lightning.data.labels import Batch
from unet_lightning.training.callbacks import duration
from unet_lightning.training.callbacks.duration import Duration, expected_seconds, in_words

BATCH = Batch(torch.zeros(2, 3, 16, 16), torch.zeros(2, 16, 16, dtype=torch.int64), ["1", "2"])


def trainer(**other: Any) -> Any:
    """What the callback asks of a trainer: 6 epochs of 5 steps, 2 validation images of 32 x 32 every third epoch."""
    known = {
        "is_global_zero": True, "fast_dev_run": 0, "strategy": SimpleNamespace(root_device=torch.device("cpu")),
        "num_training_batches": 5, "max_epochs": 6, "max_steps": -1, "accumulate_grad_batches": 1, "callbacks": [],
        "check_val_every_n_epoch": 3, "num_val_batches": [2], "current_epoch": 0,
        "datamodule": SimpleNamespace(val=_Val()),
    }  # fmt: skip
    return SimpleNamespace(**known | other)


class _Val:
    def __len__(self) -> int:
        return 2

    def photo(self, index: int) -> torch.Tensor:
        return torch.zeros(3, 32, 32, dtype=torch.uint8)


def said(monkeypatch: pytest.MonkeyPatch, caplog: Any, steps: int, **other: Any) -> list[str]:
    """What is said in a training whose first step takes 100 seconds and all others 20."""
    times = iter([0.0, 100.0, *(100.0 + 20 * number for number in range(1, 50))])
    monkeypatch.setattr(duration.time, "monotonic", lambda: next(times))
    one, of = Duration(), trainer(**other)
    with caplog.at_level(logging.INFO):
        one.on_train_start(of, None)  # type: ignore[arg-type]
        one.on_train_epoch_start(of, None)  # type: ignore[arg-type]
        for number in range(steps):
            one.on_train_batch_end(of, None, None, BATCH, number)  # type: ignore[arg-type]
    return [record.getMessage() for record in caplog.records]


def test_the_time_is_that_of_steps_and_of_validations() -> None:
    """30 steps of 2 s; two validations of 8 steps' pixels, at 0.3 of their time: 60 + 2 x 4.8."""
    assert expected_seconds(2.0, 5, 6, validated=8, every=3) == 60 + 2 * 8 * 2 * 0.3
    assert expected_seconds(2.0, 5, 6, validated=8, every=3, done_epochs=4) == 20 + 8 * 2 * 0.3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(59, "under a minute"), (61, "about 1 minute"), (480, "about 8 minutes"), (12600, "about 3.5 hours")],
)
def test_a_time_is_said_in_minutes(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_it_is_said_once_without_the_slow_first_step(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """30 steps of 20 s are 10 minutes, 2 validations of 4 steps' pixels at 0.3 of the time 48 s."""
    lines = said(monkeypatch, caplog, steps=10)
    assert lines == ["Training takes about 11 minutes on this machine (6 epochs of 5 steps)."]


@pytest.mark.parametrize(
    "other", [{"is_global_zero": False}, {"fast_dev_run": 1}, {"max_epochs": -1}], ids=["rank", "rehearsal", "endless"]
)
def test_nothing_is_said(monkeypatch: pytest.MonkeyPatch, caplog: Any, other: dict[str, Any]) -> None:
    assert said(monkeypatch, caplog, steps=10, **other) == []


def test_steps_and_the_clock_may_end_it_earlier(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(Timer, "time_remaining", lambda self: 130.0)
    lines = said(monkeypatch, caplog, steps=5, max_steps=15, callbacks=[Timer()])
    assert lines == [
        "Training takes about 2 minutes on this machine (3 epochs of 5 steps), as trainer.max_time says; all would "
        "take about 5 minutes."
    ]


def test_chance_stays_as_it_was(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """So that the bits of training do."""
    before = torch.random.get_rng_state()
    said(monkeypatch, caplog, steps=10)
    assert torch.equal(before, torch.random.get_rng_state())
