"""A signal ends training between two batches, with loggers closed and an exit code that says why."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from unet_lightning.errors import Stopped

# SIGUSR2 is not there on Windows.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR2") if hasattr(signal, name)]
AGAIN = 1.0  # seconds: a signal that comes sooner is the same one, from the terminal and from the first process
EVERY = 10  # batches on a GPU between two questions to the other ranks, each of which waits for the GPU


class SafeStop(Callback):
    """Takes Ctrl-C, SIGTERM and SIGUSR2 (which clusters send before a time limit) while it listens.

    During training the run ends after the batch in progress, all its ranks after the same one; at a second signal and
    outside of training it ends at once. Nothing is saved then: last.ckpt of the last whole epoch is there already. A
    SIGUSR2 that somebody else already handles (submitit requeues by it) is left to them.

    Args:
        forward: called with the signal, for the other processes of the run.
    """

    def __init__(self, forward: Callable[[int], None]) -> None:
        self.forward = forward
        self.received: int | None = None
        self.when = 0.0
        self.training = self.trained = False  # is, has begun to
        self.owner = os.getpid()

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Handles the signals within the block; Python lets the main thread alone do so."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {signum: signal.getsignal(signum) for signum in SIGNALS}
        self._take()
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    @contextmanager
    def named(self, trainer: L.Trainer) -> Iterator[None]:
        """Calls it a stop where another process of this run stopped first, and this one failed for lack of it.

        Raises:
            Stopped: instead of the failure.
        """
        try:
            yield
        except Exception:
            if self.received is None or trainer.world_size == 1:
                raise
            raise Stopped(self.received) from None

    def _take(self) -> None:
        for signum in SIGNALS:
            if signum.name != "SIGUSR2" or signal.getsignal(signum) in (signal.SIG_DFL, self._handle):
                signal.signal(signum, self._handle)

    def check(self) -> None:
        """Raises Stopped where a signal has come."""
        if self.received is not None:
            raise Stopped(self.received)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self.owner:  # a loading process: the one that began it ends it
            if signum == signal.SIGTERM:
                os._exit(128 + signum)
            return
        now = time.monotonic()
        again = self.received is not None and now - self.when > AGAIN
        if self.received is None or again:
            self.received, self.when = signum, now
            self.forward(signum)
        if again or not self.training:
            raise Stopped(signum)

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Lets a run that early stopping has ended stay so; Lightning would train another epoch at each resume."""
        states = [state for state in checkpoint["callbacks"].values() if isinstance(state, dict)]
        trainer.should_stop = trainer.should_stop or any(state.get("stopped_epoch") for state in states)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes the signals back from Lightning, which has just set handlers of its own."""
        if threading.current_thread() is threading.main_thread():
            self._take()
        self.training = self.trained = True

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stops where a signal has come, to any of the ranks: one that went on alone would wait for the others."""
        told = self.received is not None
        if trainer.world_size > 1:
            if trainer.strategy.root_device.type != "cpu" and batch_idx % EVERY:
                return
            told = trainer.strategy.reduce_boolean_decision(told, all=False)
        if told:
            raise Stopped(self.received or signal.SIGTERM)

    def on_validation_batch_end(self, trainer: L.Trainer, *arguments: Any) -> None:
        """Stops where a signal has come; several ranks, which may have different numbers of images, train on first."""
        if trainer.world_size == 1:
            self.check()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """From here on a signal ends the run at once, as it does after an error."""
        self.training = False

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """From here on a signal ends the run at once."""
        self.training = False
