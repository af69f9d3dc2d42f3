"""One attempt at a run: it holds the folder while it trains, and notes what becomes of it."""

import contextlib
import logging
import math
import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning as L
from lightning.pytorch.callbacks import Callback

from unet_lightning.commands import command, value_path
from unet_lightning.errors import OtherRun, Pruned, RunError, Stopped, UserError, as_stop, one_line
from unet_lightning.files import locked, whole_file, write_text
from unet_lightning.text import as_lines
from unet_lightning.training.callbacks import callbacks_of, find_callback
from unet_lightning.training.callbacks.divergence import Diverged
from unet_lightning.training.callbacks.history import History
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.loggers import begin, end, group_of, past_rows, title_of
from unet_lightning.training.machine import forget_peak, peak_memory
from unet_lightning.training.processes import Processes
from unet_lightning.training.state import ERROR, Word, begun, read_state
from unet_lightning.training.state import FILE as STATE
from unet_lightning.training.stop import SafeStop
from unet_lightning.training.trackers.tracker import About

log = logging.getLogger(__name__)

LOCK = ".lock"
TORN = re.compile(r"\..+\.\d+\.ckpt")  # what whole_file leaves of an attempt that was killed while it wrote
NOTES = ("config.yaml", "repro.yaml", STATE, ERROR)  # the files that tell of an attempt
REQUEUED = 140  # 128 + SIGUSR2: submitit ends the process itself when it has requeued the job
# A run that begins; one that goes on by its folder; the configuration of another run once more, in a folder of its own;
# one that goes on where the same command finds it, such as a job that was put into the queue again.
Kind = Literal["new", "resumed", "repeated", "requeued"]


@dataclass(eq=False, repr=False)
class Attempt(Callback):
    """While it is open the run is `running` and nobody else may train in its folder; then it is what it came to.

    A run that was to go on, and was refused before it trained, is left as it was. A run whose folder is removed ends:
    its checkpoints would come to lie in a folder that nobody can use.
    """

    run: RunFolder
    config: dict[str, Any]  # resolved
    kind: Kind  # how the run comes to be trained
    trainer: L.Trainer  # of the run; only its first process writes
    overrides: list[str] = field(default_factory=list)  # what the command line changed
    command: str = ""  # that began the attempt
    sweep: Path | None = None  # the folder by which the job of a sweep goes on after a stop; other runs have their own

    @property
    def goes_on(self) -> bool:
        """Whether the folder holds this run already."""
        return self.kind in ("resumed", "requeued")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Holds the folder; a pruned trial is not an error.

        Raises:
            OtherRun: another process trains there.
        """
        stop = find_callback(self.trainer, SafeStop)
        assert stop is not None
        self.stop = stop
        callbacks_of(self.trainer).insert(0, self)
        if not self.trainer.is_global_zero:
            with stop.listen(), self._loggers():
                yield
            return
        other = OtherRun(f"Another process trains in {self.run.path}: wait until it ends, or end it.")
        with stop.listen(), locked(self.run.path / LOCK, other):
            self._begin()
            try:
                with self._loggers():
                    self._write()
                    yield
            except BaseException as error:
                self._end(error)
                if not isinstance(error, Pruned):
                    raise
            else:
                self._end(None)

    def give_up(self, said: str) -> None:
        """Notes that the process is about to be ended from within, whatever it is doing."""
        with contextlib.suppress(UserError):
            self.state.ended("failed", 1, error=said).write(self.run.path)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Looks whether there still is a folder, before a checkpoint or a row may be written.

        Raises:
            RunError: the folder is gone.
        """
        if trainer.is_global_zero and not self.run.config_file.is_file():
            raise RunError(
                f"The run folder {self.run.path} was removed while its run was trained: nothing to write to."
            )

    on_train_epoch_end = on_validation_start

    @contextmanager
    def _loggers(self) -> Iterator[None]:
        """Closes the loggers with the exit code, whatever ends the block."""
        try:
            yield
        except BaseException as error:
            end(self.trainer.loggers, outcome_of(error)[1])
            raise
        end(self.trainer.loggers, 0)

    def _begin(self) -> None:
        """Notes that the run begins, or goes on."""
        for path in self.run.path.glob("checkpoints/.*"):
            if TORN.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)
        notes = [self.run.path / name for name in NOTES]
        self.before = {path: path.read_bytes() for path in notes if path.is_file()}
        (self.run.path / ERROR).unlink(missing_ok=True)
        self.state = begun(read_state(self.run.path), self.overrides)
        self.state.write(self.run.path)
        self.started = time.monotonic()
        if (processes := find_callback(self.trainer, Processes)) is not None:
            processes.give_up = self.give_up
        forget_peak()

    def _write(self) -> None:
        """Writes what describes the run, and tells the loggers."""
        self.run.write_config(self.config)
        self.run.write_provenance(self.config, self.command, self.overrides, self.kind)
        if self.sweep is None:  # of a sweep, `latest` is the sweep
            self.run.link_latest(self.config["name"])
        if self.goes_on and not self.run.last.is_file():
            log.info(f"{self.run.path} has no checkpoint yet: it starts from the beginning.")
        folder, loggers = self.run.path.resolve(), self.trainer.loggers
        past = past_rows(folder) if loggers and self.run.last.is_file() else []
        group, name = group_of(folder, self.config["name"]), title_of(folder)
        begin(loggers, About(folder, self.config, name, group, "train", past=past))

    def _end(self, error: BaseException | None) -> None:
        """Notes what became of it. Where there is no room, the error on the way out says so."""
        refused = self.goes_on and not self.stop.trained and isinstance(error, UserError)
        at_an_end = error is None or refused or isinstance(error, Diverged | Pruned)
        if self.run.config_file.is_file() and not at_an_end:
            kept = "Kept: the last whole epoch." if self.run.last.is_file() else "No epoch was complete."
            again = command("train", f"resume={value_path(self.sweep or self.run.path)}")
            log.info(f"{kept} Go on: {again}")
        if not self.run.path.is_dir():  # where it is gone, it stays gone
            return
        word, code = outcome_of(error)
        with contextlib.suppress(UserError):
            message = None if error is None or word == "pruned" else one_line(as_stop(error) or error)
            self.state.ended(word, code, **self._figures(), error=message).write(self.run.path)
            if word == "failed":
                write_text(self.run.path / ERROR, as_lines("".join(traceback.format_exception(error))))
            if refused:
                self._put_back()

    def _put_back(self) -> None:
        """Leaves the run as it was before this attempt."""
        for path, content in self.before.items():  # each is there throughout, also where there is no room for the other
            with whole_file(path) as temporary:
                temporary.write_bytes(content)
        for name in set(NOTES) - {path.name for path in self.before}:
            (self.run.path / name).unlink(missing_ok=True)

    def _figures(self) -> dict[str, Any]:
        """Cost and best figure."""
        checkpoint = self.trainer.checkpoint_callback
        monitor, mode = getattr(checkpoint, "monitor", None), getattr(checkpoint, "mode", "max")
        history = find_callback(self.trainer, History)
        rows = history.rows if history is not None else []
        elapsed = self.state.seconds + time.monotonic() - self.started
        seconds = max(elapsed, sum(row["seconds"] for row in rows))  # of attempts that were killed, too
        known = [row for row in rows if math.isfinite(row.get(str(monitor), math.nan))]
        best = (min if mode == "min" else max)(known, key=lambda row: row[str(monitor)], default=None)
        peak = peak_memory(self.trainer.strategy.root_device)
        return {
            "seconds": round(seconds, 3),
            "peak_memory_mb": round(max(self.state.peak_memory_mb, peak), 1),
            "monitor": monitor,
            "value": best and best[str(monitor)],
            "epoch": best and int(best["epoch"]),
        }


def outcome_of(error: BaseException | None) -> tuple[Word, int]:
    """What became of a run that ended with `error`, and its exit code."""
    match as_stop(error):
        case None:
            return "done", 0
        case Stopped() as stop:
            return "stopped", stop.exit_code
        case SystemExit():
            return "stopped", REQUEUED
        case KeyboardInterrupt():
            return "stopped", 130
        case Pruned():
            return "pruned", 0
    return "failed", 1
