"""The jobs of a sweep that did not end well, or have not ended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        name: its folder.
        state: `failed`, `stopped`, `pruned`, `running`, or `done`; `unknown` where its state.json is broken.
        evaluated: whether it is among the entries all the same, by what it had reached.
        overrides: what was to be tried.
        error: why it failed, or what is wrong with its state.json, one line; empty where there is none.
    """

    name: str
    state: str
    evaluated: bool = False
    overrides: Sequence[str] = ()
    error: str = ""


def counted(jobs: Sequence[Job]) -> str:
    """Such as `2 failed, 1 running`."""
    return ", ".join(f"{number} {state}" for state, number in Counter(job.state for job in jobs).items())
