"""Ranks that srun or torchrun has started share a folder, or do not begin."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import TINY_RUN
from lost_ranks import left_behind
from slurm_cluster import wait_for

from unet_lightning.errors import Stopped
from unet_lightning.runs.ranks import after_the_first
from unet_lightning.runs.state import State, read_state


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


@pytest.mark.parametrize("rank", [0, 1])
def test_a_folder_is_left_to_the_first_rank(in_process, tmp_path, monkeypatch, rank):
    monkeypatch.setenv("SLURM_PROCID", str(rank))
    assert "nowhere" in in_process("train", *TINY_RUN, "data.root=nowhere", "resume=auto", "hydra.run.dir=run")
    assert (tmp_path / "run").is_dir() == bool(rank)


@pytest.fixture
def rank(tiny_drive, tmp_path):
    """Starts one of two ranks; what is started is ended with the test."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        address = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(one.getsockname()[1])}
    shared = os.environ | address | {"DRIVE_ROOT": str(tiny_drive), "OMP_NUM_THREADS": "1"}
    shared |= {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}
    settings = [*TINY_RUN[1:], "trainer=ddp_cpu", "resume=auto", f"hydra.run.dir={tmp_path / 'run'}"]
    processes = []

    def start(number, *more, before=(sys.executable, "-m", "unet_lightning.train"), **variables):
        environment = shared | {"RANK": str(number), "LOCAL_RANK": str(number)} | variables
        command = [*before, *settings, *more]
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_ranks_with_different_configurations_are_refused_before_the_first_step(rank, tmp_path):
    first = rank(0, "optimizer.lr=0.001")
    # One that comes late finds the run of the first, and must not leave it to wait alone.
    wait_for((tmp_path / "run/config.yaml").is_file, process=first)
    for process in (first, rank(1, "optimizer.lr=0.002")):
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "The ranks of this run have different configurations or folders: rank 0: " in errors
    assert not (tmp_path / "run/metrics.csv").exists()


@pytest.mark.parametrize("number", [0, 1])
def test_a_rank_does_not_wait_for_ever_for_one_that_does_not_come(rank, tmp_path, number):
    impatient = (
        "from unet_lightning import train; from unet_lightning.callbacks import ranks; ranks.MEETING = 2; train.cli()"
    )
    process = rank(number, before=(sys.executable, "-c", impatient))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "error: Not all of the 2 processes of this run came within 2 seconds" in errors
    if number == 0:
        assert read_state(tmp_path / "run").state == "failed"


def test_a_rank_ends_with_the_process_that_started_it(rank, tmp_path):
    starter = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'unet_lightning.train', *sys.argv[1:]])"
    with socket.create_server(("localhost", 0)) as first:  # which never answers
        first.settimeout(120)
        process = rank(1, before=(sys.executable, "-c", starter), MASTER_PORT=str(first.getsockname()[1]))
        with first.accept()[0]:
            assert len(left_behind(tmp_path)) == 2
            process.kill()
            wait_for(lambda: left_behind(tmp_path) == [], seconds=60)


@pytest.fixture
def second_rank(tmp_path, monkeypatch):
    """This process as rank 1 of a run."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("SLURM_PROCID", "1")
    State("running").write(tmp_path)
    yield
    signal.signal(signal.SIGTERM, before)


def ends(error, folder, note=None):
    """What ends rank 1, whose first rank notes the end half a second later."""
    if note is not None:
        threading.Timer(0.5, State("running").ended(note, 1).write, [folder]).start()
    began = time.monotonic()
    with pytest.raises(BaseException) as caught, after_the_first(folder):
        raise error
    return caught.value, time.monotonic() - began


def test_a_rank_that_is_stopped_leaves_the_exit_code_to_the_first(second_rank, tmp_path):
    error, seconds = ends(Stopped(signal.SIGUSR2), tmp_path, "stopped")
    assert isinstance(error, SystemExit)
    assert error.code == 0
    assert 0.5 < seconds < 5


def test_a_rank_that_fails_ends_after_the_first(second_rank, tmp_path):
    error, seconds = ends(RuntimeError("no disk"), tmp_path, "failed")
    assert str(error) == "no disk"
    assert 0.5 < seconds < 5
    os.kill(os.getpid(), signal.SIGTERM)  # by srun, as the first has ended


def test_a_rank_that_the_first_waits_for_does_not_wait_for_ever(second_rank, tmp_path, monkeypatch):
    monkeypatch.setattr("unet_lightning.runs.ranks.PATIENCE", 1.0)
    error, seconds = ends(RuntimeError("no disk"), tmp_path)
    assert str(error) == "no disk"
    assert 1 <= seconds < 5


def test_the_first_rank_waits_for_nobody(tmp_path):
    State("running").write(tmp_path)
    stop = Stopped(signal.SIGTERM)
    error, seconds = ends(stop, tmp_path)
    assert error is stop
    assert seconds < 0.5
