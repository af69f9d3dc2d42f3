"""The processes of one run: all train one configuration, and none is left behind."""

import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch.distributed
from lightning.pytorch.callbacks import Callback

from unet_lightning.errors import ConfigError, RunError, UserError

log = logging.getLogger(__name__)

POLL = 0.5  # seconds between two looks at the other processes
GRACE = 10.0  # seconds that a process has to end by itself
PATIENCE = 30.0  # seconds until this process, waiting for a lost one, gives up
MEETING = 300.0  # seconds for all processes to come together; machines may be slow to import torch


class Ranks(Callback):
    """Compares the configuration of all ranks before training, and ends those that this process has started.

    Lightning's own observer kills this process too where a rank is lost: no logger would be closed, and a sweep would
    end. Here the loss is an error of this run.

    Args:
        config: the resolved configuration of this process.
        folder: of the run.
    """

    def __init__(self, config: str, folder: str) -> None:
        self.digest = hashlib.sha256(config.encode()).hexdigest()[:12]
        self.folder = folder
        self.children: list[subprocess.Popen[bytes]] = []
        self.lost: str | None = None
        self.give_up: Callable[[str], None] = lambda said: None  # notes why this process is about to end
        self.met = False
        self.ended = threading.Event()
        self.parent = os.getppid()

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compares.

        Raises:
            ConfigError: another rank has another configuration or folder.
        """
        if trainer.world_size == 1:
            return
        found: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(found, (self.digest, self.folder))
        self.met = True
        if len(set(found)) > 1:
            said = "; ".join(f"rank {rank}: {digest} in {folder}" for rank, (digest, folder) in enumerate(found))
            raise ConfigError(f"The ranks of this run have different configurations or folders: {said}.")
        if trainer.is_global_zero:
            log.info(f"{trainer.world_size} ranks, all with configuration {self.digest}")

    @contextmanager
    def guard(self, trainer: L.Trainer) -> Iterator[None]:
        """Takes the processes that are started within the block from Lightning, and ends them, whatever ends the block.

        This process ends where it would wait in vain: for one that is lost, or that does not come at all.

        Raises:
            RunError: a process was lost, so that this one could not go on.
        """
        launcher = trainer.strategy.launcher
        if trainer.world_size > 1:
            threading.Thread(target=self._watch, args=(trainer,), name="ranks", daemon=True).start()
        try:
            yield
        except Exception as error:
            self._take_over(launcher)
            # An error of ours has its reason; the others may have been lost by it.
            if not isinstance(error, UserError) and self._lost_one(wait=2 * POLL):
                raise RunError(f"{self.lost} What it said is above.") from error
            raise
        finally:
            self.ended.set()
            self._take_over(launcher)
            self._end_children()

    def forward(self, signum: int) -> None:
        """Passes a signal on to the processes that this one has started."""
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signum)

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

    def _take_over(self, launcher: Any) -> None:
        """Takes new processes from Lightning, whose observer looks at its list for the first time after 5 seconds."""
        while started := getattr(launcher, "procs", None):
            self.children.append(started.pop(0))

    def _watch(self, trainer: L.Trainer) -> None:
        """Ends this process where it waits in vain; it may do so within torch, where no exception reaches it."""
        began, together = time.monotonic(), False
        while not self.ended.wait(POLL):
            together = together or torch.distributed.is_initialized()  # at its end the run takes the group apart
            if trainer.local_rank and os.getppid() != self.parent:  # who started it was killed
                os._exit(1)
            self._take_over(trainer.strategy.launcher)
            if self._lost_one() and not self.ended.wait(PATIENCE if self.met else GRACE):
                self._leave(f"{self.lost} What it said is above.")
            if time.monotonic() - began > MEETING and not together:
                self._leave(
                    f"Not all of the {trainer.world_size} processes of this run came within {MEETING:.0f} seconds: see "
                    "that so many were started, on machines that reach each other, and what the others say."
                )

    def _leave(self, said: str) -> None:
        print(f"error: {said}", file=sys.stderr, flush=True)
        self.give_up(said)
        self.forward(signal.SIGKILL)
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
