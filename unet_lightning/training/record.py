"""Keeps `state.json` of a run while it trains."""

import contextlib
import re
import resource
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from unet_lightning.errors import OtherRun, Pruned, RunError, Stopped, UserError, one_line
from unet_lightning.files import locked, whole_file, write_text
from unet_lightning.training.callbacks.history import History
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.state import ERROR, Word, begun, finite, read_state
from unet_lightning.training.state import FILE as STATE

LOCK = ".lock"
TORN = re.compile(r"\..+\.\d+\.ckpt")  # what whole_file leaves of an attempt that was killed while it wrote
REQUEUED = 140  # 128 + SIGUSR2: submitit ends the process itself when it has requeued the job


class Present(Callback):
    """Ends a run whose folder is gone: its checkpoints would come to lie in a folder that nobody can use.

    Args:
        run: the run.

    Attributes:
        trains: whether training has begun; until then an attempt may be refused.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run, self.trains = run, False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Notes it."""
        self.trains = True

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Looks before a checkpoint may be written.

        Raises:
            RunError: it is gone.
        """
        self._look(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Looks before anything is written.

        Raises:
            RunError: it is gone.
        """
        self._look(trainer)

    def _look(self, trainer: L.Trainer) -> None:
        if trainer.is_global_zero and not self.run.config_file.is_file():
            raise RunError(
                f"The run folder {self.run.path} was removed while its run was trained: nothing to write to."
            )


class Record:
    """While it is open the run is `running` and nobody else may train in its folder; then it is what it came to.

    A run that was to go on, and was refused before it trained, is left as it was.

    Args:
        run: the run.
        trainer: of the run; only the first process writes.
        overrides: what the command line changed.
        present: says whether the run trains.
        goes_on: whether the folder holds this run already.

    Raises:
        OtherRun: another process trains there.
    """

    def __init__(
        self, run: RunFolder, trainer: L.Trainer, overrides: Sequence[str], present: Present, goes_on: bool
    ) -> None:
        self.run, self.trainer, self.overrides = run, trainer, overrides
        self.present, self.goes_on = present, goes_on
        self.held = contextlib.ExitStack()

    def __enter__(self) -> "Record":
        """Notes that the run begins, or goes on."""
        if self.trainer.is_global_zero:
            try:
                self.held.enter_context(locked(self.run.path / LOCK))
            except BlockingIOError as other:
                raise OtherRun(f"Another process trains in {self.run.path}: wait until it ends, or end it.") from other
            for path in self.run.path.glob("checkpoints/.*"):
                if TORN.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)
            self.before = {path: path.read_bytes() for path in self._noted() if path.is_file()}
            (self.run.path / ERROR).unlink(missing_ok=True)
            self.state = begun(read_state(self.run.path), self.overrides)
            self.state.write(self.run.path)
            self.started = time.monotonic()
            forget_peak()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Notes what became of it; a pruned trial is no error."""
        # Where there is no room, the error on the way out says so; where the folder is gone, it stays gone.
        with self.held, contextlib.suppress(UserError):
            if self.trainer.is_global_zero and self.run.path.is_dir():
                self._note(error)
                if self.refused(error):
                    self._put_back()
        return outcome(error)[0] == "pruned"

    def give_up(self, said: str) -> None:
        """Notes that the process is about to be ended from within, whatever it is doing."""
        with contextlib.suppress(UserError):
            self.state.ended("failed", 1, error=said).write(self.run.path)

    def refused(self, error: BaseException | None) -> bool:
        """Whether it is a run that went on, and did not come to train."""
        return self.goes_on and not self.present.trains and isinstance(error, UserError)

    def _noted(self) -> list[Path]:
        """The files that tell of an attempt."""
        return [self.run.path / name for name in ("config.yaml", "repro.yaml", STATE, ERROR)]

    def _put_back(self) -> None:
        """Leaves the run as it was before this attempt."""
        for path, content in self.before.items():  # each is there throughout, also where there is no room for the other
            with whole_file(path) as temporary:
                temporary.write_bytes(content)
        for path in set(self._noted()) - set(self.before):
            path.unlink(missing_ok=True)

    def _note(self, error: BaseException | None) -> None:
        word, code = outcome(error)
        said = None if error is None or word == "pruned" else one_line(error)
        self.state.ended(word, code, **self._figures(), error=said).write(self.run.path)
        if word == "failed":
            write_text(self.run.path / ERROR, "".join(traceback.format_exception(error)))

    def _figures(self) -> dict[str, Any]:
        """Cost and best figure."""
        checkpoint = self.trainer.checkpoint_callback
        monitor, mode = getattr(checkpoint, "monitor", None), getattr(checkpoint, "mode", "max")
        rows = next((one.rows for one in getattr(self.trainer, "callbacks", []) if isinstance(one, History)), None)
        seconds = self.state.seconds + time.monotonic() - self.started
        value, epoch = None, None
        if rows is not None:
            seconds = max(seconds, sum(row["seconds"] for row in rows))  # those of attempts that were killed too
            known = [row for row in rows if finite(row.get(monitor or "")) is not None]
            best = (min if mode == "min" else max)(known, key=lambda row: row[str(monitor)], default=None)
            if best is not None:
                value, epoch = best[str(monitor)], int(best["epoch"])
        return {
            "seconds": round(seconds, 3),
            "peak_memory_mb": round(max(self.state.peak_memory_mb, peak_memory(self.trainer)), 1),
            "monitor": monitor,
            "value": value,
            "epoch": epoch,
        }


def outcome(error: BaseException | None) -> tuple[Word, int]:
    """What became of a run that ended with `error`, and its exit code."""
    if error is None:
        return "done", 0
    if isinstance(error, Stopped):
        return "stopped", error.exit_code
    if isinstance(error, SystemExit):
        return "stopped", REQUEUED
    if isinstance(error, KeyboardInterrupt):
        return "stopped", 130
    if isinstance(error, Pruned):
        return "pruned", 0
    return "failed", 1


def forget_peak() -> None:
    """Lets the peak of memory begin anew: an earlier job of this process may have needed more."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or not allowed: the peak of the process stands
        return


def peak_memory(trainer: L.Trainer) -> float:
    """The peak since `forget_peak`, in 10^6 bytes: of the GPU where one trains, else resident memory."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
