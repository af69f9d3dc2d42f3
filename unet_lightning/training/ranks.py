"""Further processes of a run: as Lightning starts them from within a sweep or alone, or as srun and torchrun do."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import read_write

from unet_lightning.errors import Stopped
from unet_lightning.repeats import run_arguments
from unet_lightning.training.state import state_or_fault

# What Lightning leaves behind in the process that starts the ranks.
RANK_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Seconds that the first process has to note an end, and to close its loggers first.
AT_LEAST, AFTER_FAILURES, AFTER_STOPS = 2.0, 15.0, 60.0


@contextmanager
def own_ranks(folder: Path) -> Iterator[None]:
    """Lets further ranks train what config.yaml of this run says, and the next job of a sweep start afresh.

    Lightning starts a rank by repeating this process's command line, which in a sweep is the whole sweep; the rank
    would train the configuration of the first job.

    Args:
        folder: of the run.
    """
    job: Any = HydraConfig.get()
    arguments, environment = sys.argv[1:], {name: os.environ.get(name) for name in RANK_VARIABLES}
    # Lightning appends hydra.run.dir from this config.
    sys.argv[1:] = [*run_arguments(folder), "resume=auto"]
    with read_write(job):
        job.run.dir = str(folder)
    try:
        yield
    finally:
        sys.argv[1:] = arguments
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        rank_zero_only.rank = 0  # type: ignore[attr-defined]  # Lightning keeps it as an attribute of the function


@contextmanager
def after_the_first(folder: Path, rank: int) -> Iterator[None]:
    """Where srun or torchrun started this process, lets an error end it only once the first process has ended the run.

    At the first bad exit they end all other processes, while the first one may have loggers to close and state.json to
    write. How a stopped run ended is for the first to say: to srun, whose exit code is the greatest, this one says 0.

    Args:
        folder: of the run, which all processes see.
        rank: of this process, as srun or torchrun gave it.

    Raises:
        SystemExit: with 0, instead of Stopped, under srun.
    """
    try:
        yield
    except BaseException as error:
        if not rank:
            raise
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGTERM, signal.SIGUSR2):
                signal.signal(signum, signal.SIG_IGN)  # it ends anyway
        stopped = isinstance(error, Stopped)
        if stopped and "TORCHELASTIC_RUN_ID" not in os.environ:
            sys.exit(0)
        time.sleep(AT_LEAST)
        until = time.monotonic() + (AFTER_STOPS if stopped else AFTER_FAILURES)
        while is_running(folder) and time.monotonic() < until:
            time.sleep(0.5)
        raise


def is_running(folder: Path) -> bool:
    """Whether the first process has yet to note the end of its run."""
    state, _ = state_or_fault(folder)
    return state is not None and state.state == "running"
