import json
import os
import signal

import pytest
import torch
from conftest import TINY_RUN
from slurm_cluster import wait_for
from wandb_files import offline_runs

LONG = [*TINY_RUN, "trainer.max_epochs=4000", "trainer.enable_progress_bar=false", "score=false"]
BROKEN = """
import torch
from torch import nn

class Loss(nn.Module):
    calls = 0
    def __init__(self, class_weights=None):
        super().__init__()
    def forward(self, logits, target):
        Loss.calls += self.training
        if Loss.calls > 4:
            raise RuntimeError("the loss is out of order")
        return logits.float().square().mean()

class Augment(nn.Module):
    def forward(self, sample):
        if torch.rand(()) < 0.3:
            raise RuntimeError("the augmentation is out of order")
        return sample
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR2, 140)])
def test_a_signal_ends_a_run_that_can_go_on(training, tmp_path, signum, code):
    process = training(*LONG, "hydra.run.dir=run", "logger=wandb", "logger.wandb.mode=offline")
    os.killpg(process.pid, signum)  # as from a terminal or a cluster, to the process of W&B too
    said, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Go on: python -m unet_lightning.train resume=run" in said
    assert errors.splitlines()[-1] == f"Stopped by {signum.name}."
    assert "Traceback" not in errors
    state = json.loads((tmp_path / "run/state.json").read_text())
    assert (state["state"], state["exit_code"]) == ("stopped", code)
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["epoch"] >= 0
    (tracked,) = offline_runs(tmp_path / "run")
    assert (tracked.exit_codes, tracked.preempting) == ([code], signum == signal.SIGUSR2)


def test_all_processes_of_a_run_end_with_the_first(training, tmp_path):
    process = training(*LONG[1:], "trainer=ddp_cpu", "hydra.run.dir=run")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    wait_for(lambda: not [line for line in commands() if str(tmp_path) in line], seconds=10)


def commands():
    """The command lines of all processes, with the folders that they run in."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/cmdline") as file:
                    yield f"{os.readlink(f'/proc/{entry.name}/cwd')} {file.read()}"
            except OSError:  # it has just ended
                continue


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["loss._target_=broken.Loss", "~loss.terms", "~loss.weights"],
            "the loss is out of order",
        ),
        (
            [f"~data.augment.{name}" for name in ("crop", "foreground", "brightness", "contrast", "saturation")]
            + ["data.augment._target_=broken.Augment", "data.num_workers=1"],
            "the augmentation is out of order",
        ),
    ],
    ids=["loss", "worker"],
)
def test_a_fault_of_ones_own_code_is_shown_and_noted(program, tmp_path, settings, said):
    (tmp_path / "broken.py").write_text(BROKEN)
    done = program("train", *LONG, *settings, "hydra.run.dir=run", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert said in done.stderr
    assert "Go on: python -m unet_lightning.train resume=run" in done.stdout
    state = json.loads((tmp_path / "run/state.json").read_text())
    assert (state["state"], state["exit_code"]) == ("failed", 1)
    assert said in state["error"]
    assert said in (tmp_path / "run/error.txt").read_text()


def test_a_diverged_run_says_where(in_process, tmp_path):
    message = in_process("train", *LONG, "optimizer.lr=1e30", "scheduler=none", "hydra.run.dir=run")
    assert "in epoch 0" in message or "after epoch 0" in message
    assert "Begin anew with a lower optimizer.lr" in message
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_two_processes_do_not_train_in_one_folder(training, program, tmp_path):
    training(*LONG, "hydra.run.dir=run")
    done = program("train", "resume=run", cwd=tmp_path)
    assert done.returncode == 1
    assert "Another process trains in" in done.stderr
    assert json.loads((tmp_path / "run/state.json").read_text())["state"] == "running"
