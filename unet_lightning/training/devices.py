"""Whether this machine has the devices that a run asks for."""

from typing import Any

from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from unet_lightning.errors import ConfigError


def check_devices(accelerator: str, devices: Any) -> None:
    """Called before the Trainer is built.

    Args:
        accelerator: of the Trainer.
        devices: of the Trainer: a number, `auto`, or the numbers of devices.

    Raises:
        ConfigError: the run asks for a GPU that this machine does not have.
    """
    found = CUDAAccelerator.auto_device_count()
    if accelerator in ("gpu", "mps") and not found and MPSAccelerator.is_available():
        found = 1
    if accelerator not in ("gpu", "cuda", "mps") and not (accelerator == "auto" and found):
        return
    if not found:
        raise ConfigError(
            f"trainer.accelerator={accelerator}, and torch sees no GPU on this machine. Take trainer=cpu, or begin the "
            "run where there is one; under Slurm, ask for it: --gpus-per-node=1."
        )
    wanted = _highest(devices)
    if wanted > found:
        raise ConfigError(
            f"trainer.devices={devices}, and this machine has {found} GPU{'s' * (found != 1)} that torch sees. Take "
            f"trainer.devices={found}; for more, run on several machines (trainer.num_nodes)."
        )


def _highest(devices: Any) -> int:
    """How many GPUs a machine must have for `devices`; 0 where any number does or Lightning judges."""
    if isinstance(devices, str):
        parts = [part.strip() for part in devices.split(",") if part.strip()]
        if not all(part.isdigit() for part in parts):
            return 0  # auto, -1
        devices = [int(part) for part in parts] if "," in devices else int(parts[0]) if parts else 0
    if isinstance(devices, list | tuple):
        return max((int(number) + 1 for number in devices), default=0)
    return int(devices)
