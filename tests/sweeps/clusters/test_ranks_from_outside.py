"""Ranks that srun or torchrun has started share a folder, or do not begin."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import TINY_RUN
from hydra import compose, initialize_config_dir
from lightning.pytorch.utilities import rank_zero_only
from lost_ranks import left_behind
from slurm_cluster import wait_for

from unet_lightning.errors import Stopped
from unet_lightning.program import CONF, plain
from unet_lightning.training.build import build_trainer
from unet_lightning.training.processes import Processes, after_the_first, outside_rank
from unet_lightning.training.state import State, read_state


@pytest.fixture(autouse=True)
def signals_of_this_process():
    """Puts back what a later rank, which is about to end, no longer listens to."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGUSR2)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


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
    for name, value in {"SLURM_PROCID": rank, "SLURM_NTASKS": 2, "SLURM_NTASKS_PER_NODE": 2}.items():
        monkeypatch.setenv(name, str(value))
    settings = [*TINY_RUN[1:], "trainer=ddp_cpu", "data.root=nowhere", "resume=auto", "hydra.run.dir=run"]
    assert "nowhere" in in_process("train", *settings)
    assert (tmp_path / "run").is_dir() == bool(rank)


def test_a_run_of_one_device_that_is_a_later_task_of_slurm_has_its_loggers(monkeypatch, tmp_path):
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning reads it from SLURM_PROCID, when it is imported
    with initialize_config_dir(CONF, version_base="1.3"):
        config = plain(compose("train", [*TINY_RUN, "data.root=data"]))
    build_trainer(config | {"callbacks": None, "logger": None}, tmp_path)
    assert rank_zero_only.rank == 0


@pytest.fixture
def rank(tiny_drive, tmp_path):
    """Starts one of two ranks; what is started is ended with the test."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        address = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(one.getsockname()[1])}
    shared = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "SLURM"))}
    shared |= address | {"DRIVE_ROOT": str(tiny_drive), "OMP_NUM_THREADS": "1"}
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
    program = "import unet_lightning.train as train, unet_lightning.training.processes as processes"
    impatient = f"{program}; processes.MEETING = 2; train.cli()"
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


class Trainer:
    """As much of a trainer as its watch looks at."""

    world_size, local_rank, strategy = 2, 0, SimpleNamespace()


def test_ranks_that_have_met_have_all_the_time(monkeypatch):
    monkeypatch.setattr("unet_lightning.training.processes.MEETING", 0.5)
    monkeypatch.setattr("unet_lightning.training.processes.POLL", 0.1)
    monkeypatch.setattr("os._exit", lambda code: left.append(code))
    left, met = [], [True]
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: met[0])
    with pytest.raises(RuntimeError, match="out of memory"), Processes({}, Path("folder"), None).guard(Trainer()):
        time.sleep(1)
        met[0] = False  # as a run that ends takes the group apart
        raise RuntimeError("out of memory")
    assert left == []
    met[0] = False
    with Processes({}, Path("folder"), None).guard(Trainer()):
        time.sleep(1)
    assert left[0] == 1


@pytest.mark.parametrize(("devices", "rank"), [(1, 0), (2, 3)])
def test_tasks_that_train_on_one_device_are_runs_of_their_own(monkeypatch, devices, rank):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    for name, value in {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert outside_rank({"devices": devices, "num_nodes": 1}) == rank


@pytest.fixture
def running(tmp_path, monkeypatch):
    """The folder of a run that goes on; whoever waits for the first rank does so for half a second at least."""
    monkeypatch.setattr("unet_lightning.training.processes.AT_LEAST", 0.5)
    State("running").write(tmp_path)
    return tmp_path


def ends(error, folder, note=None, rank=1):
    """What ends a rank, and after how many seconds, where the first rank notes the end after one."""
    if note is not None:
        threading.Timer(1, State("running").ended(note, 1).write, [folder]).start()
    began = time.monotonic()
    with pytest.raises(BaseException) as caught, after_the_first(folder, rank):
        raise error
    return caught.value, time.monotonic() - began


def test_a_rank_that_is_stopped_leaves_the_exit_code_to_the_first(running):
    error, seconds = ends(Stopped(signal.SIGUSR2), running)
    assert isinstance(error, SystemExit)
    assert error.code == 0
    assert seconds < 0.4
    os.kill(os.getpid(), signal.SIGTERM)  # by srun, as the first has ended


def test_under_torchrun_a_rank_that_is_stopped_says_so_after_the_first(running, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    stop = Stopped(signal.SIGTERM)
    error, seconds = ends(stop, running, "stopped")
    assert error is stop
    assert 0.9 <= seconds < 5


def test_a_rank_that_fails_ends_after_the_first(running):
    error, seconds = ends(RuntimeError("no disk"), running, "failed")
    assert str(error) == "no disk"
    assert 0.9 <= seconds < 5


def test_a_rank_that_the_first_waits_for_does_not_wait_for_ever(running, monkeypatch):
    monkeypatch.setattr("unet_lightning.training.processes.AFTER_FAILURES", 0.5)
    error, seconds = ends(RuntimeError("no disk"), running)
    assert str(error) == "no disk"
    assert 0.9 <= seconds < 5


def test_the_first_rank_waits_for_nobody(running):
    stop = Stopped(signal.SIGTERM)
    error, seconds = ends(stop, running, rank=0)
    assert error is stop
    assert seconds < 0.4
