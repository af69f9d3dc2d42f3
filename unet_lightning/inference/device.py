"""Where a trained network runs."""

import torch

from unet_lightning.errors import ConfigError


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
