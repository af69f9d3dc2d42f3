"""Launchers without a cluster: what they ask for, what they refuse, and jobs side by side on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import TINY_RUN
from hydra import compose, initialize_config_dir
from hydra.core.plugins import Plugins
from slurm_cluster import wait_for

from unet_lightning.errors import ConfigError
from unet_lightning.program import CONF
from unet_lightning.sweeps import launchers, plugins
from unet_lightning.sweeps.jobs import note_lost
from unet_lightning.sweeps.launchers import LocalLauncher, SlurmLauncher
from unet_lightning.training.state import State

SLURM, LOCAL, JOBLIB = (f"hydra/launcher={name}" for name in ("submitit_slurm", "submitit_local", "joblib"))


def composed(*overrides):
    plugins.register()
    with initialize_config_dir(CONF, version_base="1.3"):
        config = compose("train", list(overrides), return_hydra_config=True)
    config.hydra.overrides.task = [given for given in overrides if not given.startswith("hydra")]
    return config


def launcher_of(kind, *overrides):
    """Built as Hydra builds it; jobs are numbered by submitit."""
    config = composed(*overrides)
    values = {name: config.hydra.launcher[name] for name in config.hydra.launcher if name != "_target_"}
    launcher = kind(**values)
    launcher.config = config
    return launcher


def state(folder):
    path = folder / "state.json"
    return json.loads(path.read_text()) if path.is_file() else {"state": None}


@pytest.mark.parametrize(
    ("trainer", "nodes", "tasks", "gpus"),
    [
        (["trainer=gpu"], 1, 1, 1),
        (["trainer=ddp", "trainer.devices=4"], 1, 4, 4),
        (["trainer=ddp", "trainer.devices=4", "trainer.num_nodes=2"], 2, 4, 4),
        (["trainer=ddp_cpu"], 1, 2, None),
    ],
)
def test_a_job_asks_slurm_for_what_its_trainer_needs(trainer, nodes, tasks, gpus):
    settings = ("hydra.launcher.requeue=false", "hydra.launcher.setup=[module load cuda]")
    launcher = launcher_of(SlurmLauncher, SLURM, "hydra.sweep.dir=sweep", *trainer, *settings)
    flags = launcher.flags(launcher.params)
    assert (flags["nodes"], flags["tasks_per_node"], flags["gpus_per_node"]) == (nodes, tasks, gpus)
    assert flags["additional_parameters"] == {"no-requeue": True}
    assert flags["setup"][-1] == "module load cuda"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([SLURM, "trainer=ddp"], "trainer.devices=auto: give their number"),
        ([SLURM, "trainer.num_nodes=0"], "trainer.num_nodes=0: give their number"),
        ([SLURM, "trainer.devices=1,2"], "same devices for all jobs of a sweep, found trainer.devices=1,2"),
        ([SLURM, "trainer=cpu,ddp_cpu"], "same devices for all jobs"),
        (
            [LOCAL, "trainer=ddp_cpu"],
            "hydra/launcher=submitit_local runs several jobs side by side, each on one device",
        ),
        ([LOCAL, "trainer=ddp"], "found trainer.devices=auto"),
        ([JOBLIB, "trainer.devices=2"], "hydra/launcher=joblib runs several jobs side by side"),
        ([JOBLIB, "trainer.num_nodes=2"], "found trainer.devices=1 and trainer.num_nodes=2"),
    ],
)
def test_what_a_launcher_cannot_give_is_refused_before_any_job(in_process, tmp_path, overrides, message):
    assert message in in_process("train", "-m", *TINY_RUN[1:], *overrides)
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_that_submitit_does_not_take_is_named(in_process):
    wrong = "hydra.launcher.timeout_min=4:00:00"
    assert 'Parameter "timeout_min" expected type' in in_process("train", "-m", *TINY_RUN, LOCAL, wrong)


def test_without_slurm_the_way_out_is_named(in_process, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = in_process("train", "-m", *TINY_RUN, SLURM)
    assert "needs Slurm, and there is no sbatch here" in message
    assert "hydra/launcher=submitit_local" in message


def test_a_launcher_without_its_package_names_the_extra(monkeypatch):
    config = composed(JOBLIB)
    monkeypatch.delitem(Plugins.instance().class_name_to_class, plugins.JOBLIB)
    with pytest.raises(ConfigError, match=r"pip install 'unet-lightning\[cluster\]'"):
        plugins.check_launcher(config)


def test_devices_that_the_params_of_a_config_sweep_are_refused_too():
    config = composed(JOBLIB)
    config.hydra.sweeper.params = {"trainer.devices": "1,2"}
    with pytest.raises(ConfigError, match=r"the same devices for all jobs of a sweep, found trainer\.devices=1,2"):
        plugins.check_launcher(config)


def test_sweeps_one_after_the_other_are_not_checked():
    config = composed("trainer=ddp")
    config.hydra.overrides.task = ["trainer.devices=1,2"]
    plugins.check_launcher(config)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("trainer", ["trainer=gpu", "trainer=ddp"])
def test_a_run_on_a_gpu_that_is_not_there_ends_with_one_line_and_no_run(in_process, tmp_path, trainer):
    message = in_process("train", *TINY_RUN[1:], trainer, "hydra.run.dir=run")
    assert "trainer.accelerator=gpu, and torch sees no GPU on this machine" in message
    assert not (tmp_path / "run").exists()


@pytest.fixture
def sweep(tiny_drive, tmp_path):
    """Begins a sweep and leaves it running; its output is in `log`."""
    started = []

    def begin(*arguments, **settings):
        environment = os.environ | {"DRIVE_ROOT": str(tiny_drive), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "unet_lightning.train", "-m", *arguments, "hydra.sweep.dir=sweep"]
        with (tmp_path / "log").open("w") as log:
            started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log, **settings))
        return started[0]

    yield begin
    for process in started:
        process.kill()


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_local_job_that_is_killed_is_a_failed_job_of_a_sweep_that_goes_on(sweep, tmp_path):
    process = sweep(LOCAL, "hydra.launcher.n_jobs=1", *TINY_RUN, "score=false", "trainer.max_epochs=500,1")
    wait_for(lambda: state(tmp_path / "sweep/0")["state"] == "running", process=process)
    os.kill(state(tmp_path / "sweep/0")["pid"], signal.SIGKILL)
    assert process.wait(timeout=120) == 1, (tmp_path / "log").read_text()
    assert [state(tmp_path / "sweep" / job)["state"] for job in "01"] == ["failed", "done"]
    assert "ended without a result" in state(tmp_path / "sweep/0")["error"]


def test_local_jobs_end_with_their_sweep(sweep, tmp_path):
    # As a shell starts what it puts into the background; jobs that inherited it would train on.
    settings = ("score=false", "trainer.max_epochs=500", "seed=0,1")
    process = sweep(LOCAL, *TINY_RUN, *settings, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    folders = [tmp_path / "sweep" / job for job in "01"]
    wait_for(lambda: all(state(folder)["state"] == "running" for folder in folders), process=process)
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    pids = [state(folder)["pid"] for folder in folders]
    try:
        wait_for(lambda: not any(alive(pid) for pid in pids), 60)
    finally:
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGKILL)


def test_a_job_has_gone_only_when_a_shared_file_system_had_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(launchers, "POLL", 0.01)
    monkeypatch.setattr(launchers, "ASK", 0.0)
    monkeypatch.setattr(launchers, "LATE", 0.3)
    monkeypatch.setattr(launchers, "answer_of", lambda *command: "")
    paths = [SimpleNamespace(result_pickle=tmp_path / name) for name in ("late", "never")]
    jobs = [SimpleNamespace(job_id=str(n), task=lambda k, p=p: SimpleNamespace(paths=p)) for n, p in enumerate(paths)]
    late = threading.Timer(0.15, paths[0].result_pickle.touch)
    begun = time.monotonic()
    late.start()
    SlurmLauncher.wait(None, jobs)
    assert 0.3 <= time.monotonic() - begun < 10
    assert paths[0].result_pickle.exists()


@pytest.mark.parametrize(("word", "becomes"), [("done", "done"), ("pruned", "pruned"), ("running", "failed")])
def test_only_a_job_that_has_not_said_its_end_is_called_failed(tmp_path, word, becomes):
    State(word, 0, value=0.5).write(tmp_path)
    note_lost(tmp_path, "it ended without a result", [])
    assert state(tmp_path)["state"] == becomes
    assert (tmp_path / "error.txt").exists() == (becomes == "failed")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("GPU-1a2b,GPU-3c4d", ["GPU-1a2b", "GPU-3c4d", "GPU-1a2b"]),
        ("MIG-a/1/0, MIG-a/2/0", ["MIG-a/1/0", "MIG-a/2/0", "MIG-a/1/0"]),
        ("3,1", ["3", "1", "3"]),
        (None, ["0", "1", "0"]),
    ],
)
def test_each_place_shows_its_job_one_of_the_gpus_that_are_shown(tmp_path, monkeypatch, named, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)  # what a machine with two shows
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    launcher = launcher_of(LocalLauncher, LOCAL, "trainer=gpu", f"hydra.sweep.dir={tmp_path}")
    assert [launcher.gpu(place)["visible_gpus"] for place in range(3)] == [[one] for one in expected]
    if named == "GPU-1a2b,GPU-3c4d":  # a process takes a second
        assert launcher.begin(1, os.getenv, "CUDA_VISIBLE_DEVICES").result() == "GPU-3c4d"


def test_joblib_trains_each_configuration_in_its_folder(program, tmp_path):
    settings = (JOBLIB, *TINY_RUN, "trainer.max_epochs=1", "score=false", "seed=0,1", "hydra.sweep.dir=sweep")
    done = program("train", "-m", *settings, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    for seed in "01":
        assert state(tmp_path / "sweep" / seed)["state"] == "done"
        assert f"seed: {seed}\n" in (tmp_path / "sweep" / seed / "config.yaml").read_text()
