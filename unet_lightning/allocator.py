"""What glibc does with memory that was freed. With another C library nothing here has an effect.

By itself it gives large blocks back to the system, whose kernel fills them with zeros each time that they are asked for
again: a good part of the time of a training step on a CPU.
"""

import contextlib
import ctypes

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
LARGE = 4 * 1024**2  # bytes
NEVER = 2**31 - 1  # bytes
MANY = 65536  # blocks; glibc's own number


def keep_freed_blocks() -> None:
    """Keeps what is freed for the next one that asks: right where sizes come again, as in training.

    Takes more memory where blocks are large: see experiments/benchmarks.
    """
    _set({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: NEVER})


def return_freed_blocks() -> None:
    """Gives blocks of 4 MB and more back: right where sizes differ, as at the rim of a photograph in tiles.

    Kept ones do not fit the next size: predicting in tiles of 768 pixels then took 240 MB more.
    """
    _set({M_MMAP_MAX: MANY, M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: LARGE})


def _set(options: dict[int, int]) -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):  # Windows, and libraries without mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            mallopt(option, value)
