"""Processes of a run that are lost."""

import json
import time
from pathlib import Path

import pytest
from conftest import TINY_RUN
from lost_ranks import left_behind, losing
from slurm_cluster import wait_for


@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("rank", "how"), [(1, "raise"), (1, "kill"), (1, "begin"), (0, "raise"), (0, "kill")])
def test_a_process_that_is_lost_ends_the_run_with_what_it_said_and_leaves_none(program, tmp_path, rank, how):
    settings, environment = losing(rank, how, tmp_path)
    settings += [*TINY_RUN[1:], "trainer=ddp_cpu", "data.batch_size=2", f"hydra.run.dir={tmp_path / 'run'}"]
    done = program("train", *settings, cwd=tmp_path, OMP_NUM_THREADS="1", **environment)
    wait_for(lambda: left_behind(tmp_path) == [])
    assert time.time() - float((tmp_path / "note").read_text()) < 60
    assert done.returncode == (-9 if (rank, how) == (0, "kill") else 1)
    if how == "raise":
        assert f"[rank{rank}]: RuntimeError: this machine has lost its disk" in done.stderr
    if rank == 1:
        code = -9 if how == "kill" else 1
        assert f"error: Process 1 of this run ended with exit code {code}." in done.stderr
        assert json.loads((tmp_path / "run/state.json").read_text())["state"] == "failed"
