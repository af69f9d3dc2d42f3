import csv
from types import SimpleNamespace

import pytest
import torch

from unet_lightning.training.callbacks.history import History


def trainer(folder, epoch, **metrics):
    return SimpleNamespace(
        default_root_dir=folder,
        current_epoch=epoch,
        global_step=10 * (epoch + 1),
        is_global_zero=True,
        callback_metrics={name: torch.tensor(value) for name, value in metrics.items()},
    )


def figures(epoch):
    return {"train/loss": 1.0 - epoch / 4, "val/loss": 0.5, "lr": 0.25, "loss": 9.0}


def run_epoch(history, trainer, validated=True):
    history.on_train_epoch_start(trainer, None)
    if validated:
        history.on_validation_end(trainer, None)
    history.on_train_epoch_end(trainer, None)


def read(folder):
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_epoch_is_a_row_of_plain_numbers(tmp_path):
    history = History()
    for epoch in range(2):
        run_epoch(history, trainer(tmp_path, epoch, **figures(epoch)))
        assert len(read(tmp_path)) == epoch + 1
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history.rows]
    common = {"val/loss": 0.5, "lr": 0.25}
    assert rows == [
        {"epoch": 0, "step": 10, "train/loss": 1.0, **common},
        {"epoch": 1, "step": 20, "train/loss": 0.75, **common},
    ]
    assert all(type(value) in (int, float) for row in history.rows for value in row.values())
    assert all(0 <= row["seconds"] < 60 for row in history.rows)
    assert [list(map(float, row.values())) for row in read(tmp_path)] == [list(row.values()) for row in history.rows]


def test_a_resumed_run_has_each_row_once(tmp_path):
    first, second = History(), History()
    run_epoch(first, trainer(tmp_path / "a", 0, **figures(0)))
    torch.save(first.state_dict(), tmp_path / "state.pt")
    run_epoch(first, trainer(tmp_path / "a", 1, **figures(1)))  # lost with the process
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert second.rows == first.rows[:1]
    run_epoch(second, trainer(tmp_path / "b", 1, **figures(1)))
    assert [row["epoch"] for row in read(tmp_path / "b")] == ["0", "1"]
    assert len(first.rows) == 2


def test_rows_loaded_from_a_state_are_not_shared_with_it(tmp_path):
    state = {"rows": [{"epoch": 0}]}
    history = History()
    history.load_state_dict(state)
    run_epoch(history, trainer(tmp_path, 1))
    assert state == {"rows": [{"epoch": 0}]}


def test_an_epoch_without_validation_has_no_stale_figures(tmp_path):
    history = History()
    for epoch in range(2):
        run_epoch(history, trainer(tmp_path, epoch, **figures(epoch)), validated=epoch == 1)
    assert ["val/loss" in row for row in history.rows] == [False, True]
    assert [row["val/loss"] for row in read(tmp_path)] == ["", "0.5"]


def test_only_the_first_process_writes(tmp_path):
    other = trainer(tmp_path, 0, **figures(0))
    other.is_global_zero = False
    history = History()
    run_epoch(history, other)
    history.on_fit_end(other, None)
    assert len(history.rows) == 1
    assert list(tmp_path.iterdir()) == []


def test_curves_are_drawn_at_the_end_where_there_are_rows(tmp_path):
    pytest.importorskip("matplotlib")
    history = History()
    history.on_fit_end(trainer(tmp_path, 0), None)
    assert list(tmp_path.iterdir()) == []
    run_epoch(history, trainer(tmp_path, 0, **figures(0)))
    history.on_fit_end(trainer(tmp_path, 0), None)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
