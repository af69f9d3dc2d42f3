"""The commands by which a run goes on, or is repeated: those of its own, with what the new one changes."""

import argparse
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from unet_lightning.commandline import SEVERAL, TYPED, check_ranks, check_sweeping, flags_first, is_sweep, quoted
from unet_lightning.errors import ConfigError

if TYPE_CHECKING:
    from unet_lightning.training.folder import RunFolder

# What a run that goes on takes from its checkpoint.
KEPT = ("model", "optimizer", "scheduler", "seed", "data.seed")
# Values that follow others in conf/; config.yaml holds what they came to.
FOLLOWS = {"data.seed": "seed", "trainer.deterministic": "deterministic"}
SHORT = {"d": "--config-dir", "n": "--config-name"}


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
    check_sweeping(arguments)
    arguments = named_config(arguments)
    wishes = [argument for argument in arguments if argument.lstrip("+~").startswith(("resume=", "rerun="))]
    if len(wishes) > 1 or any(wish[0] in "+~" for wish in wishes):
        raise ConfigError(f"One resume=<folder> or one rerun=<folder> for a command, found {' '.join(wishes)}.")
    wish, _, given = wishes[0].partition("=") if wishes else ("resume", "", "")
    if wish == "rerun":
        return rerun_arguments(Path(given), [argument for argument in arguments if argument not in wishes])
    if given in ("null", "", "auto"):
        return arguments
    from unet_lightning.sweeps.record import is_sweep as is_sweep_folder
    from unet_lightning.training.folder import RunFolder
    from unet_lightning.training.untrusted import check_resumable

    folder = Path(given).resolve()
    if is_sweep_folder(folder):  # the program goes on with it, in its folder
        others = [one for one in arguments if not one.startswith("resume=") and one not in SEVERAL]
        return [*others, f"resume={quoted(folder)}", f"hydra.run.dir={quoted(folder)}"]
    run = RunFolder(folder)
    run.check()
    check_resumable(run.config_file, arguments)
    if is_sweep(arguments):
        raise ConfigError("resume goes on with one run, or with a whole sweep: leave -m out.")
    check_kept(arguments)
    others = followed(run, [argument for argument in arguments if not argument.startswith("resume=")])
    return [*run_arguments(run.path), *others, f"resume={quoted(run.path)}"]


def named_config(arguments: list[str]) -> list[str]:
    """`--config-dir <run folder>` as `rerun=<run folder>`; a folder of one's own configs stays what it is."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--config-dir")
    flags.add_argument("--config-name")
    # Hydra's short flags; as argparse's own they would make its -c ambiguous.
    long = [re.sub(r"^-c([dn])(?==|$)", lambda flag: SHORT[flag[1]], argument) for argument in arguments]
    known, rest = flags.parse_known_args(long)
    if known.config_dir is None or "+hydra=default" in arguments or not Path(known.config_dir, "repro.yaml").is_file():
        return arguments
    return [f"rerun={known.config_dir}", *rest]


def check_kept(arguments: list[str]) -> None:
    """Raises ConfigError for what a run that goes on would ignore, or could not go on with."""
    for argument in arguments:
        key = argument.lstrip("+~").partition("=")[0]
        if key in KEPT or key.partition(".")[0] in KEPT:
            raise ConfigError(
                f"resume goes on as the run began, found {argument}. Begin a new run, from its weights if you like: "
                "model.weights=<run folder>/checkpoints/last.ckpt."
            )
        if key == "hydra.run.dir":
            raise ConfigError("resume goes on in the folder of the run: leave hydra.run.dir out, or copy the folder.")


def rerun_arguments(folder: Path, others: list[str]) -> list[str]:
    """The command line that trains the configuration of a run once more, in a folder of its own.

    Raises:
        RunError: the folder is no run.
        ConfigError: in a sweep.
    """
    from unet_lightning.training.folder import RunFolder
    from unet_lightning.training.untrusted import check_resumable

    run = RunFolder(folder.resolve())
    run.check()
    check_resumable(run.config_file, others)
    if is_sweep(others):
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


def run_arguments(folder: Path) -> list[str]:
    """The command line that composes the config of a run again; Hydra wants its flags first."""
    flags = [f"--config-dir={folder}", "--config-name=config"]
    return [*flags, "+hydra=default", f"hydra.run.dir={quoted(folder)}"]
