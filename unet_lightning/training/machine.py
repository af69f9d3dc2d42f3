"""What a machine has for training, and how much memory training needs."""

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unet_lightning.data.kept import memory


@dataclass(frozen=True)
class Machine:
    """Where a process trains."""

    device: str  # cpu, cuda or mps
    cores: int  # that this process may use
    memory: float  # of the GPU, else of the machine, 10^9 bytes

    def __str__(self) -> str:
        chip = f"CPU of {self.cores} core{'s' * (self.cores > 1)}" if self.device == "cpu" else f"GPU ({self.device})"
        return f"a {chip} with {self.memory:.0f} GB"


def this_machine(trainer: Mapping[str, Any]) -> Machine:
    """The machine as the section `trainer` uses it; the same in each process, whatever else runs at the time."""
    device = _device(str(trainer.get("accelerator") or "auto"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = trainer.get("devices")
    if device == "cpu" and isinstance(processes, int):
        cores = max(1, cores // max(1, processes))
    if device == "cuda":
        return Machine(device, cores, torch.cuda.get_device_properties(0).total_memory / 1e9)
    return Machine(device, cores, memory() / 1e9)


def _device(accelerator: str) -> str:
    if accelerator != "cpu" and torch.cuda.is_available():
        return "cuda"
    return "mps" if accelerator != "cpu" and torch.backends.mps.is_available() else "cpu"


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
