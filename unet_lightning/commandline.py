"""The command line of `train` before Hydra reads it: what it says of sweeps and of ranks."""

import os
import shlex
from pathlib import Path

from unet_lightning.errors import ConfigError

SEVERAL = ("-m", "--multirun")
TYPED = "UNET_LIGHTNING_COMMAND"  # the command as typed, for the processes that this one starts


def flags_first(arguments: list[str]) -> list[str]:
    """`-m` before the values, where Hydra looks for it."""
    flags = [argument for argument in arguments if argument in SEVERAL]
    return [*flags[:1], *(argument for argument in arguments if argument not in flags)]


def is_sweep(arguments: list[str]) -> bool:
    """Whether `-m` is given."""
    return any(argument in SEVERAL for argument in arguments)


def check_sweeping(arguments: list[str]) -> None:
    """Raises ConfigError for what a sweep alone takes, and for what a sweep does not take."""
    sweeps = (*SEVERAL, "hydra.mode=", "resume=", "--cfg", "-c", "--help", "--info")
    for lost in (one for one in arguments if one.startswith(("hydra/launcher=", "sweep="))):
        if not any(argument.startswith(sweeps) for argument in arguments):
            raise ConfigError(f"{lost} is for the jobs of a sweep: add -m.")
    if is_sweep(arguments) and any(argument in ("--cfg", "-c") for argument in arguments):
        raise ConfigError("--cfg shows one configuration: leave -m out.")


def outside_rank() -> int:
    """The rank that torchrun or srun has given to this process; 0 where nobody has."""
    return int(os.environ.get("RANK" if "TORCHELASTIC_RUN_ID" in os.environ else "SLURM_PROCID") or 0)


def check_ranks(arguments: list[str]) -> None:
    """Raises ConfigError where somebody else has started several ranks, and each would take a folder of its own."""
    external = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_PROCID" in os.environ
    several = int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS") or 1) > 1
    if not (external and several):
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
