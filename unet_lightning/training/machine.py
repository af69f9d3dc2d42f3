"""What a machine has for training."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
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
