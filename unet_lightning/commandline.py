"""The command line of `train` before Hydra reads it: what it says of sweeps and of ranks."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unet_lightning.errors import ConfigError

SEVERAL = ("-m", "--multirun")
TERMINALS = ("bash", "interactive")  # jobs of these names are no ranks for Lightning
TYPED = "UNET_LIGHTNING_COMMAND"  # the command as typed, for the processes that this one starts


def flags_first(arguments: list[str]) -> list[str]:
    """`-m` before the values, where Hydra looks for it."""
    flags = [argument for argument in arguments if argument in SEVERAL]
    return [*flags[:1], *(argument for argument in arguments if argument not in flags)]


def is_sweep(arguments: list[str]) -> bool:
    """Whether `-m` is given."""
    return any(argument in SEVERAL for argument in arguments)


def check_sweeping(arguments: list[str]) -> None:
    """Raises ConfigError for what a sweep does not take."""
    if is_sweep(arguments) and any(argument in ("--cfg", "-c") for argument in arguments):
        raise ConfigError("--cfg shows one configuration: leave -m out.")


def outside_rank(trainer: Any = None) -> int:
    """The rank that torchrun or srun has given to this process; 0 where nobody has.

    Args:
        trainer: its section of the config; with one device, tasks of srun are runs of their own.
    """
    if isinstance(trainer, Mapping) and trainer.get("devices") == 1 and trainer.get("num_nodes", 1) == 1:
        return 0
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ.get("RANK") or 0)
    terminal = os.environ.get("SLURM_JOB_NAME") in TERMINALS
    return 0 if terminal else int(os.environ.get("SLURM_PROCID") or 0)


def has_outside_ranks() -> bool:
    """Whether torchrun or srun has started this process as one of several."""
    external = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_PROCID" in os.environ
    return external and int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS") or 1) > 1


def check_ranks(arguments: list[str]) -> None:
    """Raises ConfigError where somebody else has started several ranks, and each would take a folder of its own."""
    if not has_outside_ranks():
        return
    if is_sweep(arguments):
        raise ConfigError("A sweep starts its own ranks: call it without srun or torchrun (see hydra/launcher).")
    if not any(
        argument.startswith(("hydra.run.dir=", "resume=")) and argument != "resume=auto" for argument in arguments
    ):
        raise ConfigError(
            "Several ranks need one folder: give hydra.run.dir=outputs/<name>/<what all ranks share>, such as "
            "$SLURM_JOB_ID, and resume=auto to go on where it has begun already."
        )


def quoted(folder: Path) -> str:
    """A folder as a value that Hydra reads back as it is."""
    return "'" + str(folder).replace("'", "\\'") + "'"


def typed() -> str:
    """The command that began this run or its sweep."""
    return os.environ.get(TYPED, "python -m unet_lightning.train")


def shown(folder: Path) -> str:
    """A folder as a person would type it in a shell."""
    near = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return shlex.quote(str(near))
