"""Further processes of a run, as Lightning starts them from within a sweep or alone."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import read_write

from unet_lightning.commandline import run_arguments

# What Lightning leaves behind in the process that starts the ranks.
RANK_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


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
