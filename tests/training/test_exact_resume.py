"""A run that is killed and goes on comes to the bits of one that was never stopped."""

import random

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch.callbacks import Callback
from torch import nn
from torchvision import tv_tensors

from unet_lightning import specs
from unet_lightning.models.unet import UNet
from unet_lightning.program import CONF, plain
from unet_lightning.training.build import build_run
from unet_lightning.training.callbacks import callbacks_of
from unet_lightning.training.run import train

# Two epochs of two steps.
SETTINGS = (
    "trainer=cpu", "model.base_c=2", "data.repeats=1", "data.augment.crop=32", "trainer.max_epochs=2", "seed=3",
    "data.val_ids=['21','22','23','24']", "data.batch_size=8", "trainer.enable_progress_bar=false",
)  # fmt: skip
PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step")


class Killed(Exception):
    """Stands for a signal that no process can handle."""


class Kill(Callback):
    """Ends the run within its second epoch."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (1, 1):
            raise Killed


class Forgetful(UNet):
    """Draws from torch's global generator in each step."""

    def forward(self, image):
        return {"out": nn.functional.dropout(super().forward(image)["out"], 0.2, self.training)}


class Noise(nn.Module):
    """Draws from the global generators of Python and NumPy for each sample."""

    def forward(self, sample):
        image = (sample.image * random.uniform(0.5, 1) + np.random.randint(5)).to(torch.uint8)
        return sample._replace(image=tv_tensors.wrap(image, like=sample.image))


@pytest.fixture
def run(tiny_drive, tmp_path, monkeypatch):
    """Trains in a folder, from its checkpoint where it has one."""
    monkeypatch.setattr("unet_lightning.training.curves.draw_curves", lambda rows, path: None)  # takes half a second

    def start(name, *settings, kill=False):
        folder = tmp_path / name
        with initialize_config_dir(CONF, version_base="1.3"):
            config = plain(compose("train", [*SETTINGS, f"data.root={tiny_drive}", *settings]))
        specs.trust(specs.targets_in(config))
        last = folder / "checkpoints/last.ckpt"
        checkpoint = last if last.is_file() else None
        _, data, task, trainer = build_run(config, folder, checkpoint)
        if kill:
            callbacks_of(trainer).append(Kill())
        start.best = train(data, task, trainer, checkpoint)
        return folder

    return start


@pytest.fixture
def ends_alike(run):
    """Whether a run that is killed in the second epoch has the bits of one that was not."""

    def compare(*settings):
        whole = run("whole", *settings)
        with pytest.raises(Killed):
            run("parted", *settings, kill=True)
        first, second = (torch.load(one / "checkpoints/last.ckpt") for one in (whole, run("parted", *settings)))
        for part in PARTS:
            torch.testing.assert_close(first[part], second[part], rtol=0, atol=0, msg=f"{part} differs")
        assert rows(first) == rows(second)
        return rows(first)

    return compare


def rows(checkpoint):
    return [
        {key: str(row[key]) for key in row if key != "seconds"} for row in checkpoint["callbacks"]["History"]["rows"]
    ]


@pytest.mark.parametrize("settings", [["data.num_workers=2"], ["scheduler=none"]], ids=str)
def test_with_loading_processes_or_without(ends_alike, settings):
    assert len(ends_alike(*settings)) == 2


def test_with_loaders_that_lightning_makes_again_and_leaves_before_their_end(ends_alike):
    again = ["+trainer.reload_dataloaders_every_n_epochs=1", "trainer.num_sanity_val_steps=1"]
    ends_alike("data.num_workers=1", "data.batch_size=4", "trainer.limit_train_batches=2", *again)


@pytest.mark.parametrize(("steps", "workers"), [(6, 0), (8, 1)])
def test_with_an_end_by_steps_within_an_epoch_or_with_it(ends_alike, steps, workers):
    end = [f"trainer.max_steps={steps}", "trainer.max_epochs=20"]
    found = ends_alike(*end, "data.batch_size=4", f"data.num_workers={workers}")
    assert [(row["epoch"], row["step"]) for row in found] == [("0", "4"), ("1", str(steps))]


@pytest.mark.parametrize(
    "settings",
    [
        ["trainer.accumulate_grad_batches=3", "data.batch_size=4", "trainer.max_steps=3"],
        ["trainer.check_val_every_n_epoch=2", "callbacks=ema", "trainer.max_epochs=4"],
        ["+trainer.val_check_interval=0.5"],
        ["+trainer.val_check_interval=3", "trainer.check_val_every_n_epoch=null", "trainer.max_epochs=3"],
    ],
    ids=str,
)
def test_with_other_steps_and_validations_than_one_each(ends_alike, settings):
    ends_alike(*settings)


def test_with_chance_of_the_network_and_of_the_loading_processes(ends_alike):
    network = [f"model._target_={__name__}.Forgetful"]
    augment = [f"~data.augment.{name}" for name in ("crop", "foreground", "brightness", "contrast", "saturation")]
    ends_alike(*network, *augment, f"data.augment._target_={__name__}.Noise", "data.num_workers=2")


def test_a_run_that_has_come_to_its_steps_at_the_end_of_an_epoch_takes_more(run):
    settings = ["scheduler=none", "trainer.max_epochs=20"]
    whole = torch.load(run("whole", *settings, "trainer.max_steps=4") / "checkpoints/last.ckpt")
    for steps in (2, 2, 4):  # the second time there is nothing to do
        parted = run("parted", *settings, f"trainer.max_steps={steps}") / "checkpoints/last.ckpt"
    torch.testing.assert_close(whole["state_dict"], torch.load(parted)["state_dict"], rtol=0, atol=0)
    assert rows(whole) == rows(torch.load(parted))


def test_a_run_that_was_stopped_early_stays_so(run):
    stop = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": "val/loss", "patience": 1}
    settings = [f"+callbacks.stop.{name}={value}" for name, value in (stop | {"min_delta": 100}).items()]
    found = [torch.load(run("run", *settings, "trainer.max_epochs=6") / "checkpoints/last.ckpt") for _ in range(2)]
    assert [len(rows(one)) for one in found] == [2, 2]


def test_the_best_figure_is_that_of_the_file_where_a_kill_has_left_a_later_best_checkpoint(run):
    folder = run("run", "scheduler=none", "trainer.max_epochs=1")
    early = (folder / "checkpoints/last.ckpt").read_bytes()
    run("run", "scheduler=none")
    path, figure = folder / "checkpoints/best.ckpt", torch.tensor(0.9)
    best = torch.load(path)
    (own,) = (state for key, state in best["callbacks"].items() if key.startswith("RunCheckpoint") and "val/" in key)
    own |= {"best_model_score": figure, "best_k_models": {own["best_model_path"]: figure}, "kth_value": figure}
    torch.save(best | {"global_step": 3}, path)  # of the second epoch, within which the run was killed
    (folder / "checkpoints/last.ckpt").write_bytes(early)
    run("run", "scheduler=none")
    assert run.best == pytest.approx(0.9)
    assert torch.load(path)["global_step"] == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_whose_precision_was_timed_has_the_bits_of_one_whose_precision_was_typed(run, monkeypatch, workers):
    monkeypatch.setattr("unet_lightning.training.precision.WORTH", 0.0)  # float32 stays, whatever the clock says
    folders = [run(name, f"trainer.precision={name}", f"data.num_workers={workers}") for name in ("32-true", "auto")]
    typed, timed = (torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in folders)
    for name, value in typed["state_dict"].items():
        assert torch.equal(value, timed["state_dict"][name]), name


def test_training_keeps_what_is_freed(run, monkeypatch):
    asked = []
    monkeypatch.setattr("unet_lightning.training.run.keep_freed_blocks", lambda: asked.append("keep"))
    run("one", "trainer.max_epochs=1")
    assert asked == ["keep"]
