"""Processes of a run that are lost."""

import json
import os
import time
from pathlib import Path

import pytest
from conftest import TINY_RUN

# A loss that loses the process of one rank in its second step, or before it has met the others.
PACKAGE = """
import os, signal, time
from pathlib import Path
from torch import distributed
from unet_lightning.losses.dice import DiceLoss


class Ending(DiceLoss):
    def __init__(self, rank, how, note):
        super().__init__()
        self.rank, self.how, self.note, self.steps = rank, how, Path(note), 0
        if how == "begin" and os.environ.get("LOCAL_RANK", "0") == str(rank):
            self.note.write_text(str(time.time()))
            raise RuntimeError("this machine has lost its disk")

    def forward(self, logits, target):
        self.steps += self.training
        if self.steps == 2 and distributed.get_rank() == self.rank:
            self.note.write_text(str(time.time()))
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("this machine has lost its disk")
        return super().forward(logits, target)
"""


def left_behind(folder):
    """Processes that have the folder in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (process / "cmdline").read_bytes() and int(process.name) != os.getpid():
                found.append(process.name)
        except OSError:  # it has just ended
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").is_file(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("rank", "how"), [(1, "raise"), (1, "kill"), (1, "begin"), (0, "raise"), (0, "kill")])
def test_a_process_that_is_lost_ends_the_run_with_what_it_said_and_leaves_none(program, tmp_path, rank, how):
    (tmp_path / "ranks_that_end.py").write_text(PACKAGE)
    settings = [*TINY_RUN[1:], "trainer=ddp_cpu", "data.batch_size=2", f"hydra.run.dir={tmp_path / 'run'}"]
    settings += ["loss=dice", "loss._target_=ranks_that_end.Ending", f"+loss.rank={rank}", f"+loss.how={how}"]
    settings += [f"+loss.note={tmp_path / 'note'}"]
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])])
    done = program(
        "train", *settings, cwd=tmp_path, OMP_NUM_THREADS="1", PYTHONPATH=paths, UNET_LIGHTNING_TRUSTED="ranks_that_end"
    )  # its output ends when the last process of the run has closed it
    assert time.time() - float((tmp_path / "note").read_text()) < 60
    assert left_behind(tmp_path) == []
    assert done.returncode == (-9 if (rank, how) == (0, "kill") else 1)
    if how == "raise":
        assert f"[rank{rank}]: RuntimeError: this machine has lost its disk" in done.stderr
    if rank == 1:
        code = -9 if how == "kill" else 1
        assert f"error: Process 1 of this run ended with exit code {code}." in done.stderr
        assert json.loads((tmp_path / "run/state.json").read_text())["state"] == "failed"
