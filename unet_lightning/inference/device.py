"""Where a trained network runs, and the memory that it takes there."""

import contextlib
import ctypes

import torch

from unet_lightning.errors import ConfigError

M_MMAP_THRESHOLD = -3  # in glibc's malloc.h
LARGE = 4 * 1024**2  # bytes


def choose_device(name: str) -> torch.device:
    """The device called `name`; `auto` is the GPU of NVIDIA or of Apple where there is one.

    Raises:
        ConfigError: another name, or a GPU that is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, found in there.items() if found)
    if name not in there:
        raise ConfigError(f"device must be one of auto, {', '.join(sorted(there))}, found {name}.")
    if not there[name]:
        raise ConfigError(f"device={name}, but torch sees no GPU{' of Apple' * (name == 'mps')}: use cpu or auto.")
    return torch.device(name)


def synchronise(device: torch.device) -> None:
    """Lets a GPU finish, so that a clock measures work and not its ordering."""
    getattr(torch, device.type).synchronize()  # torch.cpu has one too


def return_large_blocks() -> None:
    """Lets the C library give blocks of 4 MB and more back to the system; where it is not glibc nothing changes.

    Left alone, glibc keeps freed blocks of up to 32 MB. Tiles at the rim of a photograph have other sizes than those
    in the middle and do not fit into them: predicting in tiles of 768 pixels then took 240 MB more.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
