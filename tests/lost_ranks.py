"""Runs that lose the process of one rank."""

import os
from pathlib import Path

# A loss that loses the process of one rank in its second step, or before it has met the others.
PACKAGE = """
import os, signal, time
from pathlib import Path
from torch import distributed
from unet_lightning.losses.dice import DiceLoss
from unet_lightning.training import processes

processes.GRACE = 3.0  # seconds; ten would say no more

RANK = next((os.environ[name] for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if name in os.environ), "0")


class Ending(DiceLoss):
    def __init__(self, rank, how, note):
        super().__init__()
        self.rank, self.how, self.note, self.steps = rank, how, Path(note), 0
        if how == "begin" and RANK == str(rank):
            self.note.write_text(str(time.time()))
            raise RuntimeError("this machine has lost its disk")

    def forward(self, logits, target):
        self.steps += self.training
        if self.steps == 2 and self.how == "hang" and distributed.get_rank() != self.rank and self.rank < 2:
            time.sleep(600)
        if self.steps == 2 and distributed.get_rank() == self.rank:
            self.note.write_text(str(time.time()))
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("this machine has lost its disk")
        return super().forward(logits, target)
"""


def losing(rank: int, how: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Settings and environment of a run that loses a rank, and notes the time in `folder`/note.

    Args:
        rank: which.
        how: `raise` or `kill` in the second step, `begin`: before it has met the others, `hang`: it raises, and the
            others do not notice.
        folder: where the loss is written.
    """
    (folder / "ranks_that_end.py").write_text(PACKAGE)
    settings = ["loss=dice", "loss._target_=ranks_that_end.Ending", f"+loss.rank={rank}", f"+loss.how={how}"]
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[1])])
    return [*settings, f"+loss.note={folder / 'note'}"], {"PYTHONPATH": paths}


def left_behind(folder: Path) -> list[str]:
    """Processes that have the folder in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (process / "cmdline").read_bytes() and int(process.name) != os.getpid():
                found.append(process.name)
        except OSError:  # it has just ended
            continue
    return found
