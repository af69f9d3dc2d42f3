"""How much memory training needs."""

import contextlib
import sys
from pathlib import Path

import torch


def forget_peak() -> None:
    """Lets the peak of memory begin anew, where the system can: an earlier job of this process may have needed more."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # not allowed
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_memory(device: torch.device) -> float:
    """The peak since `forget_peak`, in 10^6 bytes: of the GPU where one trains, else resident memory of this process.

    On macOS it is the memory at this moment, as the system keeps no peak that psutil reads; 0 where nothing is known.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    with contextlib.suppress(OSError, StopIteration):  # not Linux
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
    with contextlib.suppress(ImportError, OSError):
        import psutil

        memory = psutil.Process().memory_info()
        return float(getattr(memory, "peak_wset", memory.rss)) / 1e6  # peak_wset: Windows
    return 0.0
