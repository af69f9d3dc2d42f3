"""What became of a run: `state.json` in its folder, whole at every moment."""

import json
import math
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

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
        overrides: what the command line changed.
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
    """The state of a run that begins, or goes on after `previous`."""
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
        overrides=list(overrides) or previous.overrides,
    )


def read_state(folder: Path) -> State | None:
    """The state of a run; None where it has none, as runs of earlier versions.

    Raises:
        RunError: state.json is broken.
    """
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is broken: {error}. Remove it: the run itself is in the checkpoints.") from error
    known = set(State.__dataclass_fields__)
    if not isinstance(found, dict) or found.get("state") not in get_args(Word) or not set(found) <= known:
        raise RunError(f"{path} is not the state of a run. Remove it: the run itself is in the checkpoints.")
    return State(**found)


def finite(value: float | None) -> float | None:
    """`value`, or None where it is no number that could be compared."""
    return None if value is None or not math.isfinite(value) else float(value)
