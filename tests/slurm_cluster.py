"""A real Slurm, where there is one."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def ask(*command: object, check: bool = True) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def wait_for(condition: Callable[[], object], seconds: float = 120, process: Any = None) -> None:
    """Until `condition` holds, in vain where `process` (a Popen) ends before."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
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
    (script,) = re.findall(r"^```bash\n(#!.*?)^```", (DOCS / page).read_text(), re.M | re.S)
    return script


@pytest.fixture(scope="session")
def slurm() -> None:
    """Slurm with a node that takes jobs."""
    if shutil.which("sinfo") is None:
        pytest.skip("needs Slurm: there is no sinfo (as root, .ci/run starts one where it can)")
    states = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, timeout=60).stdout.split()
    if not set(states) & {"idle", "allocated", "mixed"}:
        pytest.skip(f"needs a Slurm with a node that takes jobs; sinfo says {states}")
