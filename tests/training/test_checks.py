from types import SimpleNamespace

import pytest
from conftest import TINY_RUN
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from unet_lightning.errors import ConfigError
from unet_lightning.training.build import check_numbers, timer
from unet_lightning.training.callbacks.checkpoint import RunCheckpoint
from unet_lightning.training.checks import check_run

BEST, LAST = RunCheckpoint("best", monitor="val/loss"), RunCheckpoint("last")
STOP = EarlyStopping(monitor="val/loss")
TRAIN_STOP = EarlyStopping(monitor="train/loss")


def check(train=8, val=4, processes=1, limits=(1.0, 1.0), callbacks=(BEST, LAST)):
    """A run of batches of two images."""
    data = SimpleNamespace(train=range(train), val=range(val), repeats=1, batch_size=2)
    limits = {"limit_train_batches": limits[0], "limit_val_batches": limits[1]}
    check_run(data, SimpleNamespace(world_size=processes, callbacks=list(callbacks), **limits))


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"limits": (1, 1)},
        {"limits": (0.25, 0.25)},
        {"limits": (1.0, 0), "callbacks": [LAST]},
        {"val": 0},
        {"val": 0, "callbacks": [LAST, TRAIN_STOP]},
        {"callbacks": [BEST]},
    ],
)
def test_what_trains_and_leaves_a_checkpoint_is_taken(run):
    check(**run)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            {"limits": (0, 1.0)},
            r"limit_train_batches=0 leaves none of the 4 batches .* from 1 to 4, or a share from 0.25 ",
        ),
        ({"limits": (0.0, 1.0)}, r"limit_train_batches=0\.0 leaves none"),
        ({"limits": (0.2, 1.0)}, r"limit_train_batches=0\.2 leaves none"),
        ({"limits": (0.25, 1.0), "processes": 2}, r"limit_train_batches=0\.25 leaves none of the 2 batches"),
        ({"limits": (1.0, 0)}, r"limit_val_batches=0 validates nothing, and RunCheckpoint waits for val/loss"),
        ({"limits": (1.0, 0.0), "callbacks": [STOP, LAST]}, r"validates nothing, and EarlyStopping waits"),
        ({"limits": (1.0, 0.2)}, r"limit_val_batches=0\.2 leaves none of the 4 batches"),
        ({"val": 0, "callbacks": [STOP, LAST]}, r"no images to validate on, and EarlyStopping waits for val/loss"),
        ({"val": 0, "callbacks": [BEST]}, r"No callback would write best.ckpt or last.ckpt"),
        ({"callbacks": []}, r"No callback would write best.ckpt or last.ckpt"),
        ({"callbacks": [ModelCheckpoint()]}, r"No callback would write best.ckpt or last.ckpt"),
    ],
)
def test_what_never_trains_or_leaves_nothing_is_refused(run, said):
    with pytest.raises(ConfigError, match=said):
        check(**run)


@pytest.mark.parametrize("scheduler", ["none", "onecycle"])
def test_a_run_without_batches_is_one_line_and_no_run_folder(in_process, tmp_path, scheduler):
    given = ["trainer.limit_train_batches=0", f"scheduler={scheduler}", "hydra.run.dir=run"]
    assert "trainer.limit_train_batches=0 leaves none" in in_process("train", *TINY_RUN, *given)
    assert not (tmp_path / "run").exists()


def test_no_time_is_no_run():
    with pytest.raises(ConfigError, match="max_time must leave time to train, found 00:00:00:00"):
        timer("00:00:00:00")


@pytest.mark.parametrize("interval", [0.5, 3, None])
def test_validations_come_by_batches(interval):
    check_numbers({"val_check_interval": interval})


def test_validations_by_the_clock_are_refused():
    with pytest.raises(ConfigError, match="a share of an epoch, found 00:00:10:00: validations by the clock"):
        check_numbers({"val_check_interval": "00:00:10:00"})
