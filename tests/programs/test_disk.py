"""Runs on a disk that is full, read-only or gone."""

import errno
import json
import os
import shutil
import subprocess

import pytest
import torch
import yaml
from conftest import TINY_RUN

LONG = [*TINY_RUN, "trainer.max_epochs=100000", "trainer.enable_progress_bar=false", "score=false", "scheduler=none"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root, to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """Takes the last byte."""
    with (folder / "filler").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"0" * 4096)
            except OSError as error:
                assert error.errno == errno.ENOSPC
                return


def test_a_full_disk_ends_the_run_and_leaves_its_checkpoints(training, program, small_disk):
    process = training(*LONG, f"hydra.run.dir={small_disk}/run", until="disk/run/checkpoints/last.ckpt")
    fill(small_disk)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "No space left on device. Is there room" in errors.splitlines()[-1]
    checkpoints = small_disk / "run/checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
    epoch = torch.load(checkpoints / "last.ckpt", weights_only=True)["epoch"]
    (small_disk / "filler").unlink()
    done = program("train", f"resume={small_disk}/run", f"trainer.max_epochs={epoch + 2}", cwd=small_disk)
    assert done.returncode == 0, done.stderr


def test_a_read_only_disk_is_named(in_process, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    message = in_process("train", *TINY_RUN, f"hydra.run.dir={small_disk}/run")
    assert "Read-only file system" in message
    assert str(small_disk) in message


def test_a_folder_that_is_removed_ends_the_run(training, tmp_path):
    process = training(*LONG, "hydra.run.dir=run", until="run/checkpoints/last.ckpt")
    os.rename(tmp_path / "run", tmp_path / "away")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "run was removed while its run was trained" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert not (tmp_path / "run").exists()
    assert torch.load(tmp_path / "away/checkpoints/last.ckpt", weights_only=True)["epoch"] >= 0
    shutil.rmtree(tmp_path / "away")


def test_what_it_takes_to_repeat_a_run_is_kept(program, tiny_run, tmp_path):
    found = yaml.safe_load((tiny_run / "repro.yaml").read_text())
    (attempt,) = found["attempts"]
    assert attempt["command"].startswith("python -m unet_lightning.train trainer=cpu model.base_c=2")
    assert (found["seed"], found["deterministic"]) == (0, False)
    assert set(attempt) >= {"commit", "dirty", "versions", "machine", "overrides"}
    assert attempt["machine"]["threads"] >= 1
    for name in ("first", "second"):  # repeats of the same run, to the bit
        done = program("train", f"rerun={tiny_run}", "deterministic=true", f"hydra.run.dir={name}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        repeated = yaml.safe_load((tmp_path / name / "config.yaml").read_text())
        assert repeated["deterministic"] is True
    first, second = (torch.load(tmp_path / n / "checkpoints/last.ckpt", weights_only=True) for n in ("first", "second"))
    assert all(torch.equal(first["state_dict"][name], value) for name, value in second["state_dict"].items())
    assert json.loads((tmp_path / "first/state.json").read_text())["state"] == "done"


def test_values_that_follow_another_do_so_in_a_repeat_too(program, tiny_run, tmp_path):
    done = program("train", f"rerun={tiny_run}", "seed=5", "trainer.max_epochs=1", "hydra.run.dir=again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    repeated = yaml.safe_load((tmp_path / "again/config.yaml").read_text())
    assert (repeated["seed"], repeated["data"]["seed"], repeated["model"]["base_c"]) == (5, None, 2)
