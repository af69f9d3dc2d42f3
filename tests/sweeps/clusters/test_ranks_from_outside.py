"""Ranks that srun or torchrun has started share a folder, or do not begin."""

import os
import socket
import subprocess
import sys

import pytest
from conftest import TINY_RUN


@pytest.mark.parametrize(
    "started",
    [
        {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "1"},
        {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"},
    ],
)
def test_ranks_without_a_folder_that_they_share_are_refused(in_process, tmp_path, monkeypatch, started):
    for name, value in started.items():
        monkeypatch.setenv(name, value)
    assert "hydra.run.dir" in in_process("train", *TINY_RUN[1:], "trainer=ddp_cpu", "resume=auto")
    assert "without srun or torchrun" in in_process("train", "-m", *TINY_RUN, "seed=0,1", "hydra.run.dir=run")
    assert list(tmp_path.iterdir()) == []


def test_ranks_with_different_configurations_are_refused_before_the_first_step(tiny_drive, tmp_path):
    with socket.socket() as one:
        one.bind(("localhost", 0))
        address = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(one.getsockname()[1])}
    environment = os.environ | address | {"DRIVE_ROOT": str(tiny_drive), "OMP_NUM_THREADS": "1"}
    settings = [*TINY_RUN[1:], "trainer=ddp_cpu", "resume=auto", "hydra.run.dir=run"]
    ranks = []
    for rank, rate in enumerate(("0.001", "0.002")):
        started = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)}
        started |= {"GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
        command = [sys.executable, "-m", "unet_lightning.train", *settings, f"optimizer.lr={rate}"]
        ranks.append(
            subprocess.Popen(command, cwd=tmp_path, env=environment | started, stderr=subprocess.PIPE, text=True)
        )
    for process in ranks:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "The ranks of this run have different configurations or folders: rank 0: " in errors
    assert not (tmp_path / "run/metrics.csv").exists()
