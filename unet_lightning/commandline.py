"""The command line of `train` before Hydra reads it: what goes on, what is repeated, and what cannot go together."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from unet_lightning.errors import ConfigError

if TYPE_CHECKING:
    from unet_lightning.runs.folder import RunFolder

# Values that follow others in conf/; config.yaml holds what they came to.
FOLLOWS = {"data.seed": "seed", "trainer.deterministic": "deterministic"}
TYPED = "UNET_LIGHTNING_COMMAND"  # the command as typed, for the processes that this one starts


def own_arguments(arguments: list[str]) -> list[str]:
    """Turns `resume=<folder>` and `rerun=<folder>` into the command line of that run or sweep; others still apply.

    Args:
        arguments: of the command line, without the program.

    Raises:
        RunError: the folder is no run and no sweep.
        ConfigError: what a sweep cannot change, or `-m` with a run.
    """
    os.environ[TYPED] = shlex.join(["python", "-m", "unet_lightning.train", *arguments])
    arguments = flags_first(arguments)
    check_ranks(arguments)
    sweeps = ("-m", "--multirun", "hydra.mode=", "resume=", "--cfg", "-c", "--help", "--info")
    for lost in (one for one in arguments if one.startswith(("hydra/launcher=", "sweep="))):
        if not any(argument.startswith(sweeps) for argument in arguments):
            raise ConfigError(f"{lost} is for the jobs of a sweep: add -m.")
    several = [argument for argument in arguments if argument in ("-m", "--multirun")]
    if several and any(argument in ("--cfg", "-c") for argument in arguments):
        raise ConfigError("--cfg shows one configuration: leave -m out.")
    for again in (argument for argument in arguments if argument.startswith("rerun=")):
        return rerun_arguments(Path(again.removeprefix("rerun=")), [one for one in arguments if one != again])
    folders = [value for name, _, value in (argument.partition("=") for argument in arguments) if name == "resume"]
    if not folders or folders[-1] in ("null", "", "auto"):
        return arguments
    from unet_lightning.runs.folder import RunFolder
    from unet_lightning.runs.untrusted import check_resumable
    from unet_lightning.sweeps.jobs import Sweep

    folder = Path(folders[-1]).resolve()
    sweep = Sweep(folder)
    if sweep.is_one:
        return sweep.arguments(
            [given for given in arguments if not given.startswith("resume=") and given not in several]
        )
    run = RunFolder(folder)
    run.check()
    check_resumable(run.config_file, arguments)
    if several:
        raise ConfigError("resume goes on with one run, or with a whole sweep: leave -m out.")
    others = followed(run, [argument for argument in arguments if not argument.startswith("resume=")])
    return [*run_arguments(run.path), *others, f"resume={quoted(run.path)}"]


def rerun_arguments(folder: Path, others: list[str]) -> list[str]:
    """The command line that trains the configuration of a run once more, in a folder of its own.

    Raises:
        RunError: the folder is no run.
        ConfigError: in a sweep.
    """
    from unet_lightning.runs.folder import RunFolder
    from unet_lightning.runs.untrusted import check_resumable

    run = RunFolder(folder.resolve())
    run.check()
    check_resumable(run.config_file, others)
    if any(one in ("-m", "--multirun") for one in others):
        raise ConfigError("rerun repeats one run: leave -m out, and give seed=... for another seed.")
    return [f"--config-dir={run.path}", "--config-name=config", "+hydra=default", *followed(run, others)]


def followed(run: "RunFolder", given: list[str]) -> list[str]:
    """Overrides of a run, and those of the values that follow one of them, as they did when the run was composed."""
    config, values = run.read_config(), dict(one.partition("=")[::2] for one in given)
    more = []
    for follower, leader in FOLLOWS.items():
        section, _, key = follower.partition(".")
        together = config[section].get(key) == config.get(leader)
        if together and leader in values and follower not in values:
            more.append(f"{follower}={values[leader]}")
    return [*given, *more]


def flags_first(arguments: list[str]) -> list[str]:
    """`-m` before the values, where Hydra looks for it."""
    flags = [argument for argument in arguments if argument in ("-m", "--multirun")]
    return [*flags[:1], *(argument for argument in arguments if argument not in flags)]


def check_ranks(arguments: list[str]) -> None:
    """Raises ConfigError where somebody else has started several ranks, and each would take a folder of its own."""
    external = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_PROCID" in os.environ
    several = int(os.environ.get("WORLD_SIZE") or os.environ.get("SLURM_NTASKS") or 1) > 1
    if not (external and several):
        return
    if any(argument in ("-m", "--multirun") for argument in arguments):
        raise ConfigError("A sweep starts its own ranks: call it without srun or torchrun (see hydra/launcher).")
    if not any(
        argument.startswith(("hydra.run.dir=", "resume=")) and argument != "resume=auto" for argument in arguments
    ):
        raise ConfigError(
            "Several ranks need one folder: give hydra.run.dir=outputs/<name>/<what all ranks share>, such as "
            "$SLURM_JOB_ID, and resume=auto to go on where it has begun already."
        )


def run_arguments(folder: Path) -> list[str]:
    """The command line that composes the config of a run again; Hydra wants its flags first."""
    flags = [f"--config-dir={folder}", "--config-name=config"]
    return [*flags, "+hydra=default", f"hydra.run.dir={quoted(folder)}"]


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
