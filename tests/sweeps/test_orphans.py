"""Jobs do not outlive a sweep that was killed."""

import os
import subprocess
import sys
import time

import psutil
import pytest
from hydra.core.utils import JobReturn, JobStatus

from unet_lightning.sweeps.jobs import launch, recorded
from unet_lightning.sweeps.orphans import SWEEP, announced, ends_with_its_sweep, is_gone
from unet_lightning.sweeps.record import Record

# A sweep that starts a job, which says when it is told to stop and would go on all the same; and then waits.
PROGRAM = """
import subprocess, sys, time
from unet_lightning.sweeps.orphans import announced
job = '''
import signal, sys, time
from pathlib import Path
from unet_lightning.sweeps import orphans
orphans.POLL, orphans.GRACE = 0.05, 0.2
signal.signal(signal.SIGTERM, lambda *_: Path("told").touch())
with orphans.ends_with_its_sweep():
    Path("begun").touch()
    while True:
        time.sleep(0.01)
'''
with announced():
    subprocess.Popen([sys.executable, "-c", job])
    time.sleep(600)
"""


def until(condition, seconds=60):
    give_up = time.monotonic() + seconds
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.02)
    return condition()


def test_a_job_is_told_to_stop_and_ends_where_its_sweep_was_killed(tmp_path):
    sweep = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path)
    try:
        assert until((tmp_path / "begun").exists)
        (job,) = psutil.Process(sweep.pid).children()
        assert not (tmp_path / "told").exists()
    finally:
        sweep.kill()
        sweep.wait()
    assert until(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE)
    assert (tmp_path / "told").exists()


def test_a_process_is_gone_where_it_has_ended():
    with announced():
        assert not is_gone(os.environ[SWEEP])
    assert SWEEP not in os.environ
    ended = subprocess.Popen([sys.executable, "-c", ""])
    assert until(lambda: is_gone(str(ended.pid)))  # while nobody has asked how it ended
    ended.wait()
    assert is_gone(str(ended.pid))
    assert is_gone("nonsense")


@pytest.mark.parametrize("sweep", [None, "itself"])
def test_a_run_without_a_sweep_and_the_process_of_a_sweep_are_left_alone(monkeypatch, sweep):
    if sweep:
        monkeypatch.setenv(SWEEP, str(os.getpid()))
    with ends_with_its_sweep():
        pass


class Beside:
    """A launcher of processes, which notes what they would find in their environment."""

    def launch(self, jobs, number):
        self.found = os.environ.get(SWEEP)
        return [JobReturn(status=JobStatus.COMPLETED) for _ in jobs]


class SlurmLauncher(Beside):
    """As that of Slurm is called."""


@pytest.mark.parametrize(("launcher", "told"), [(Beside(), True), (SlurmLauncher(), False)])
def test_jobs_beside_the_sweep_are_told_whose_they_are(tmp_path, launcher, told):
    record = Record("train", ".", "train", jobs={"0": ["seed=0"], "1": ["seed=1"]})
    assert launch(launcher, record, ["0", "1"], tmp_path) == {}
    assert (launcher.found is not None) == told
    assert SWEEP not in os.environ


def test_a_job_whose_sweep_is_gone_already_does_not_begin(tmp_path, monkeypatch):
    monkeypatch.setenv(SWEEP, "nonsense")
    monkeypatch.setattr("os._exit", sys.exit)
    with pytest.raises(SystemExit):
        recorded(pytest.fail, tmp_path, rank=0, has_ranks=False)
    assert not list(tmp_path.iterdir())
