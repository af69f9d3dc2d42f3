"""What became of a run: `state.json` in its folder, whole at every moment."""

import json
import math
import os
import reprlib
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from unet_lightning.errors import RunError
from unet_lightning.files import write_text

Word = Literal["running", "done", "failed", "stopped", "pruned"]
FILE, ERROR = "state.json", "error.txt"


@dataclass(frozen=True)
class State:
    """What became of a run.

    Attributes:
        state: `running` may also mean that it was killed.
        exit_code: None while it runs.
        seconds: wall clock of training and validation, of all attempts together.
        peak_memory_mb: greatest resident memory of the first process, of the GPU where one trains; 10^6 bytes.
        attempts: how often it began or went on.
        monitor: the figure that chooses the best checkpoint, or None.
        value: its best value.
        epoch: of that value, from 0.
        overrides: what the command line changed when it began.
        error: one line, where it failed.
        host: the machine.
        pid: the process.
    """

    state: Word
    exit_code: int | None = None
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    attempts: int = 1
    monitor: str | None = None
    value: float | None = None
    epoch: int | None = None
    overrides: Sequence[str] = ()
    error: str | None = None
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    def write(self, folder: Path) -> None:
        """Puts it into the run folder."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=2))

    def ended(self, word: Word, exit_code: int, **changes: Any) -> "State":
        """The state after the end."""
        return replace(self, state=word, exit_code=exit_code, **changes)


def begun(previous: State | None, overrides: Sequence[str]) -> State:
    """The state of a run that begins, or goes on after `previous`.

    What the command line changed at first stays: that is what was tried, and a resume changes little.

    Args:
        previous: the state in its folder; None where there is none.
        overrides: what the command line changes now.
    """
    if previous is None:
        return State("running", overrides=list(overrides))
    # What it has reached so far is kept, in case that it is killed before it reaches more.
    return State(
        "running",
        seconds=previous.seconds,
        peak_memory_mb=previous.peak_memory_mb,
        attempts=previous.attempts + 1,
        monitor=previous.monitor,
        value=previous.value,
        epoch=previous.epoch,
        overrides=previous.overrides or list(overrides),
    )


def read_state(folder: Path) -> State | None:
    """The state of a run; None where it has none, as runs of earlier versions.

    Raises:
        RunError: state.json is broken, or a field of it is not what a run writes.
    """
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is broken: {error}. Remove it: the run itself is in the checkpoints.") from error
    if wrong := _wrong(found):
        raise RunError(f"{path} is not the state of a run: {wrong}. Remove it: the run itself is in the checkpoints.")
    return State(**found)


def state_or_fault(folder: Path) -> tuple[State | None, str]:
    """The state of a run, None where it has none or a broken one; and what is wrong with it."""
    try:
        return read_state(folder), ""
    except RunError as error:
        return None, str(error)


def _wrong(found: Any) -> str:
    """What keeps `found` from being the fields of a State; empty where nothing does."""
    if not isinstance(found, dict):
        return f"it is {reprlib.repr(found)}"
    kinds = get_type_hints(State)
    if unknown := [name for name in found if name not in kinds]:
        return f"it has {reprlib.repr(unknown[0])}"
    if "state" not in found:
        return "it lacks state"
    wrong = (f"{name} is {reprlib.repr(value)}" for name, value in found.items() if not _fits(value, kinds[name]))
    return next(wrong, "")


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is of the type of a field."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is Sequence:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    kinds = get_args(kind) or (kind,)
    if float in kinds and isinstance(value, int | float) and not isinstance(value, bool):
        return abs(value) <= sys.float_info.max  # neither NaN nor infinite, nor a whole number beyond
    return isinstance(value, kinds) and not isinstance(value, bool)


def finite(value: float | None) -> float | None:
    """`value`, or None where it is no number that could be compared."""
    return None if value is None or not math.isfinite(value) else float(value)
