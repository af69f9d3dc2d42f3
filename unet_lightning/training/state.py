"""What became of a run: `state.json` in its folder, whole at every moment."""

import json
import math
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from unet_lightning.errors import RunError, one_line
from unet_lightning.files import leads_out, write_text
from unet_lightning.text import without_secrets

Word = Literal["running", "done", "failed", "stopped", "pruned"]
FILE, ERROR = "state.json", "error.txt"


@dataclass(frozen=True)
class State:
    """What became of a run.

    Raises:
        ValueError: a word or a number that no run writes.
    """

    state: str  # a Word; `running` may also mean that it was killed
    exit_code: int | None = None  # None while it runs
    seconds: float = 0.0  # wall clock of training and validation, of all attempts together
    peak_memory_mb: float = 0.0  # of the first process, of the GPU where one trains; 10^6 bytes
    attempts: int = 1  # how often it began or went on
    monitor: str | None = None  # the figure that chooses the best checkpoint
    value: float | None = None  # its best value
    epoch: int | None = None  # of that value, from 0
    overrides: list[str] = field(default_factory=list)  # what the command line changed when it began
    error: str | None = None  # one line, where it failed
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    def __post_init__(self) -> None:
        if self.state not in get_args(Word):
            raise ValueError(f"its state is {self.state}")
        for name in ("seconds", "peak_memory_mb", "value"):
            if not math.isfinite(getattr(self, name) or 0.0):
                raise ValueError(f"its {name} is {getattr(self, name)}")

    def write(self, folder: Path) -> None:
        """Puts it into the run folder, without secrets."""
        write_text(folder / FILE, json.dumps(without_secrets(asdict(self)), indent=2))

    def ended(self, word: Word, exit_code: int, **changes: Any) -> "State":
        """The state after the end."""
        return replace(self, state=word, exit_code=exit_code, **changes)


def begun(previous: State | None, overrides: Sequence[str]) -> State:
    """The state of a run that begins, or goes on after `previous`.

    What it has reached so far is kept, in case that it is killed before it reaches more; and what the command line
    changed at first: that is what was tried, and a resume changes little.
    """
    previous = previous or State("running", attempts=0)
    return replace(
        previous,
        state="running",
        exit_code=None,
        attempts=previous.attempts + 1,
        overrides=previous.overrides or list(overrides),
        error=None,
        host=socket.gethostname(),
        pid=os.getpid(),
    )


def read_state(folder: Path) -> State | None:
    """The state of a run; None where it has none, as runs of earlier versions.

    Raises:
        RunError: state.json is broken, or a field of it is not what a run writes.
    """
    path = folder / FILE
    if leads_out(path, folder):
        raise RunError(f"{path} is not used: it leads out of the run folder. Put a copy there.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        state = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(State), {"state": None} | found))
        assert isinstance(state, State)
        return state
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, ArithmeticError, RecursionError, OmegaConfBaseException) as error:
        raise RunError(
            f"{path} is not the state of a run: {one_line(error)[:200]}. Remove it: the run itself is in the "
            "checkpoints."
        ) from error


def state_or_fault(folder: Path) -> tuple[State | None, str]:
    """The state of a run, None where it has none or a broken one; and what is wrong with it."""
    try:
        return read_state(folder), ""
    except RunError as error:
        return None, str(error)
