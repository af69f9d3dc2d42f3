"""How far work on many images has come: a bar on a terminal, lines in a log file."""

import contextlib
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")
SECONDS = 20.0  # between two lines


def counted(items: Sequence[T], words: str) -> Iterable[T]:
    """Items one by one, with a bar while they pass; where none can be seen, `words: 3 of 20` now and then.

    What cannot be printed loses no work.
    """
    console, said = Console(stderr=True), time.monotonic()
    if console.is_terminal:
        yield from track(items, words, console=console, transient=True)
        return
    for number, item in enumerate(items):
        if time.monotonic() - said >= SECONDS:
            with contextlib.suppress(OSError, ValueError):
                print(f"{words}: {number} of {len(items)}", file=sys.stderr, flush=True)
            said = time.monotonic()
        yield item
