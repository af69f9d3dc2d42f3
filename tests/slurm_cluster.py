"""A real Slurm, where there is one."""

import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from pages import blocks


def ask(*command: object, check: bool = True) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def queue() -> str:
    """What Slurm has to do, for whoever waits in vain."""
    if shutil.which("squeue") is None:
        return "no Slurm"
    jobs, nodes = (
        ask("squeue", "-h", "-o", "%i %T %r", check=False),
        ask("sinfo", "-h", "-N", "-o", "%N %T %E", check=False),
    )
    return f"jobs of Slurm: {jobs.splitlines()}, nodes: {nodes.splitlines()}"


def wait_for(condition: Callable[[], object], seconds: float = 120, process: Any = None) -> None:
    """Until `condition` holds, in vain where `process` (a Popen) ends before."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited in vain; {queue()}"
        assert process is None or process.poll() is None, "the process has ended"
        time.sleep(0.2)


def start_now(job: str) -> None:
    """Spares a requeued job the two minutes that Slurm lets it wait."""
    wait_for(lambda: "JobState=PENDING" in ask("scontrol", "show", "job", job, check=False))
    # Slurm counts in seconds: in the second of the requeue, the new start is taken for the one just revoked and killed.
    time.sleep(2)
    ask("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)


def script_of(page: str) -> str:
    """The job script of a page."""
    (script,) = [block for block in blocks(page, "bash") if block.startswith("#!")]
    return script


@pytest.fixture(scope="session")
def slurm() -> None:
    """Slurm, with a node that has run a job within a minute."""
    if shutil.which("sinfo") is None:
        pytest.skip("needs Slurm: there is no sinfo (as root, .ci/run starts one where it can)")
    trial = ["srun", "--ntasks=1", "--immediate=60", "true"]
    done = subprocess.run(trial, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"needs a Slurm that takes jobs: {done.stderr.strip()}; {queue()}")
