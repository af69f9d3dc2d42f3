"""The processes of one run: who this one is, how the others are started, and what is done when one is lost."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch.distributed
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.lsf import LSFEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback

from unet_lightning import specs
from unet_lightning.errors import ConfigError, RunError, Stopped, UserError
from unet_lightning.text import as_message
from unet_lightning.training.state import state_or_fault

log = logging.getLogger(__name__)

POLL = 0.5  # seconds between two looks at the other processes
GRACE = 10.0  # seconds that a process has to end by itself
PATIENCE = 30.0  # seconds until this process, waiting for a lost one, gives up
MEETING = 300.0  # seconds for all processes to come together; machines may be slow to import torch
# Seconds that the first process has to note an end, and to close its loggers first.
AT_LEAST, AFTER_FAILURES, AFTER_STOPS = 2.0, 15.0, 60.0
# What Lightning says wherever Slurm is installed: whether a run is one of several tasks of it is the user's choice.
SRUN_HINT = "The `srun` command is available on your system but is not used"
# What the meeting of the processes leaves behind in the environment of the first one.
MEETING_PLACE = ("MASTER_ADDR", "MASTER_PORT")


def outside() -> ClusterEnvironment | None:
    """Of torchrun, Slurm or LSF: what has started this process as one of several; None: nobody has.

    Raises:
        ConfigError: Lightning cannot work with how it was started.
    """
    for kind in (TorchElasticEnvironment, SLURMEnvironment, LSFEnvironment):  # Lightning's own order
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", SRUN_HINT)
                if kind.detect():
                    found = SLURMEnvironment(auto_requeue=False) if kind is SLURMEnvironment else kind()
                    return found if found.world_size() > 1 else None
        except (RuntimeError, ValueError, KeyError) as error:
            raise ConfigError(f"{kind.__name__}: {' '.join(str(error).split())}") from error
    return None


def outside_rank(trainer: Mapping[str, Any]) -> int:
    """The rank that torchrun, srun or LSF has given to this process, 0 where nobody has.

    With one device, as the section `trainer` of a config has it, tasks of srun are runs of their own: 0.
    """
    environment = outside()
    alone = trainer.get("devices") == 1 and trainer.get("num_nodes", 1) == 1
    return 0 if alone or environment is None else environment.global_rank()


class OwnProcesses(LightningEnvironment):
    """One machine, on which `Processes` starts the others; Lightning would repeat the command line, that of a sweep."""

    creates_processes_externally = True


class Processes(Callback):
    """Starts the other processes of a run on this machine, sees that all train one configuration, and ends them.

    The others get the resolved configuration itself (see `training.process`), and the checkpoint to go on from. A lost
    process is an error of this run; Lightning's own observer would kill this process too, with its loggers open.
    """

    def __init__(self, config: Mapping[str, Any], folder: Path, checkpoint: Path | None) -> None:
        self.order = {"config": dict(config), "checkpoint": None if checkpoint is None else str(checkpoint)}
        self.digest = hashlib.sha256(json.dumps(self.order, default=str).encode()).hexdigest()[:12]
        self.folder = folder
        self.children: list[subprocess.Popen[str]] = []
        self.lost: str | None = None
        self.give_up: Callable[[str], None] = lambda said: None  # notes why this process is about to end
        self.met = False
        self.ended = threading.Event()
        self.parent = _parent()

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compares; ConfigError where another process has another configuration or folder."""
        if trainer.world_size == 1:
            return
        found: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(found, (self.digest, str(self.folder)))
        self.met = True
        if len(set(found)) > 1:
            said = "; ".join(f"rank {rank}: {digest} in {folder}" for rank, (digest, folder) in enumerate(found))
            raise ConfigError(f"The ranks of this run have different configurations or folders: {said}.")
        if trainer.is_global_zero:
            log.info(f"{trainer.world_size} ranks, all with configuration {self.digest}")

    @contextmanager
    def guard(self, trainer: L.Trainer) -> Iterator[None]:
        """Starts the other processes, and ends them, whatever ends the block; RunError where one was lost.

        This process ends where it would wait in vain: for one that is lost, or that does not come at all.
        """
        place = {name: os.environ.get(name) for name in MEETING_PLACE}
        self._start(trainer)
        if trainer.world_size > 1:
            threading.Thread(target=self._watch, args=(trainer,), name="processes", daemon=True).start()
        try:
            yield
        except Exception as error:
            # An error of ours has its reason; the others may have been lost by it.
            if not isinstance(error, UserError) and self._lost_one(wait=2 * POLL):
                raise RunError(f"{self.lost} What it said is above.") from error
            raise
        finally:
            self.ended.set()
            self._end_children()
            if self.met and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            for name, value in place.items():  # the next job of a sweep has its own
                os.environ.pop(name, None)
                os.environ |= {} if value is None else {name: value}

    def forward(self, signum: int) -> None:
        """Passes a signal on to the processes that this one has started."""
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signum)

    def _start(self, trainer: L.Trainer) -> None:
        """Starts the other processes of this machine, where nobody else does."""
        environment = getattr(trainer.strategy, "cluster_environment", None)
        if not isinstance(environment, OwnProcesses) or environment.local_rank() or trainer.num_devices == 1:
            return
        order = json.dumps(self.order | {"trusted": specs.trusted_names()})
        variables = os.environ | {
            "MASTER_ADDR": environment.main_address,
            "MASTER_PORT": str(environment.main_port),
            "NODE_RANK": str(environment.node_rank()),
            "WORLD_SIZE": str(trainer.world_size),
        }
        command = [sys.executable, "-m", "unet_lightning.training.process", str(self.folder)]
        for rank in range(1, trainer.num_devices):
            own = variables | {"LOCAL_RANK": str(rank)}
            child = subprocess.Popen(command, env=own, stdin=subprocess.PIPE, text=True, encoding="utf-8")
            self.children.append(child)
            assert child.stdin is not None
            with child.stdin as pipe:
                pipe.write(order)

    def _lost_one(self, wait: float = 0.0) -> bool:
        """Whether a process has ended with an error, which is noted."""
        until = time.monotonic() + wait
        while self.lost is None:
            for rank, child in enumerate(self.children, start=1):
                if child.poll():
                    self.lost = f"Process {rank} of this run ended with exit code {child.returncode}."
            if time.monotonic() >= until:
                break
            time.sleep(POLL / 5)
        return self.lost is not None

    def _watch(self, trainer: L.Trainer) -> None:
        """Ends this process where it waits in vain; it may do so within torch, where no exception reaches it."""
        began, together = time.monotonic(), False
        while not self.ended.wait(POLL):
            together = together or torch.distributed.is_initialized()  # at its end the run takes the group apart
            if trainer.local_rank and _parent() != self.parent:  # who started it was killed
                os._exit(1)
            if self._lost_one() and not self.ended.wait(PATIENCE if self.met else GRACE):
                self._leave(f"{self.lost} What it said is above.")
            if time.monotonic() - began > MEETING and not together:
                self._leave(
                    f"Not all of the {trainer.world_size} processes of this run came within {MEETING:.0f} seconds: see "
                    "that so many were started, on machines that reach each other, and what the others say."
                )

    def _leave(self, why: str) -> None:
        print(f"error: {as_message(why)}", file=sys.stderr, flush=True)
        self.give_up(why)
        for child in self.children:
            child.kill()
        os._exit(1)

    def _end_children(self) -> None:
        """Waits for the other processes, and kills those that do not end."""
        until = time.monotonic() + GRACE
        for child in self.children:
            try:
                child.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []


def _parent() -> int | None:
    """The process that started this one; None where it has ended, or the system does not tell."""
    if sys.platform == "win32":  # which goes on to name a parent that has ended
        import psutil

        return os.getppid() if psutil.pid_exists(os.getppid()) else None
    return os.getppid() if hasattr(os, "getppid") else None


@contextmanager
def after_the_first(folder: Path, rank: int) -> Iterator[None]:
    """Where srun or torchrun started this process, lets an error end it only once the first process has ended the run.

    At the first bad exit they end all other processes, while the first one may have loggers to close and state.json to
    write. How a stopped run ended is for the first to say: to srun, whose exit code is the greatest, this one says 0.
    """
    try:
        yield
    except BaseException as error:
        if not rank:
            raise
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGUSR2"):  # it ends anyway
                if hasattr(signal, name):
                    signal.signal(getattr(signal, name), signal.SIG_IGN)
        stopped = isinstance(error, Stopped)
        if stopped and not TorchElasticEnvironment.detect():
            sys.exit(0)
        time.sleep(AT_LEAST)
        until = time.monotonic() + (AFTER_STOPS if stopped else AFTER_FAILURES)
        while (state := state_or_fault(folder)[0]) and state.state == "running" and time.monotonic() < until:
            time.sleep(0.5)  # the first process has yet to note the end
        raise
