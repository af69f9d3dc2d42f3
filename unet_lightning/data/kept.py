"""Decoded images in memory, up to a limit."""

import contextlib
import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import get_worker_info

from unet_lightning.errors import ConfigError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
SHARE = 4  # of the memory of the machine, its inverse: what is kept where nothing is said
CGROUP = Path("/sys/fs/cgroup/memory.max")  # the limit of a job, or a container, on Linux


class Kept:
    """What is decoded, as much as fits; the rest is decoded again at each use.

    What fits first stays: of images that are visited in a random order as many are found as by any other rule. Loading
    processes share what their parent has kept, and keep nothing more.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.room = limit
        self.items: dict[Hashable, Tensor] = {}

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """What is kept under a key, else what `make` gives."""
        if key in self.items:
            return self.items[key]
        found = make()
        if found.nbytes <= self.room and get_worker_info() is None:
            self.room -= found.nbytes
            self.items[key] = found
        return found


def bytes_of(cache: Any) -> int:
    """The value of `data.cache` in bytes: a number, such as 2GB, or `auto`; ConfigError where it is none."""
    if cache == "auto":
        return memory() // SHARE
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B)?\s*", str(cache).upper())
    if isinstance(cache, bool) or found is None:
        raise ConfigError(f"data.cache must be auto, or a size of memory, such as 2GB or 500MB, found {cache}.")
    return int(float(found[1]) * UNITS[found[2] or "B"])


def memory() -> int:
    """The memory that this process may fill, bytes: of this machine, or of its job or container where it has less."""
    import psutil

    total = int(psutil.virtual_memory().total)
    with contextlib.suppress(OSError, ValueError):  # elsewhere, and where nothing limits it
        return min(total, int(CGROUP.read_text(encoding="utf-8")))
    return total
