"""What the Hydra programs share: where conf/ is, one line for an error, objects from a config.

Torch and Lightning are imported when a run begins: --help and --cfg answer without them.
"""

import functools
import importlib.util
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from unet_lightning.build import SECTIONS, build
from unet_lightning.errors import ConfigError, Stopped, UserError

_PACKAGE = Path(__file__).resolve().parent
# Within the package once installed from a wheel, beside it in a clone.
CONF = str(_PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf")

# Hydra gives its errors to us, who say them in one line.
os.environ.setdefault("HYDRA_FULL_ERROR", "1")

# What Lightning leaves behind in the process that starts the ranks.
RANK_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def one_line_errors(program: Callable[..., Any]) -> Callable[..., Any]:
    """Ends the process with one line on stderr and exit code 1 for what a person can mend; the rest is a traceback.

    A signal ends it with 128 and its number.
    """

    @functools.wraps(program)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return program(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)
        except Exception as error:
            if from_composition(error):  # first: some of Hydra's errors are OSErrors too
                from unet_lightning.composition import explain

                name = "evaluate" if program.__module__.endswith("evaluate") else "train"
                said = explain(error, CONF, name)
            elif isinstance(error, OSError) and error.filename is not None:
                said = f"{error.strerror}: {error.filename}"
            else:
                raise
            print(f"error: {said}", file=sys.stderr, flush=True)
            sys.exit(1)
        except Stopped as stopped:
            print(f"Stopped by {stopped}.", file=sys.stderr, flush=True)
            sys.exit(stopped.exit_code)

    return guarded


def own_arguments(arguments: list[str]) -> list[str]:
    """Turns `resume=<folder>` and `rerun=<folder>` into the command line of that run or sweep; others still apply.

    Args:
        arguments: of the command line, without the program.

    Raises:
        RunError: the folder is no run and no sweep.
        ConfigError: what a sweep cannot change, or `-m` with a run.
    """
    arguments = flags_first(arguments)
    check_ranks(arguments)
    sweeps = ("-m", "--multirun", "hydra.mode=", "resume=", "--cfg", "-c", "--help", "--info")
    for lost in (one for one in arguments if one.startswith(("hydra/launcher=", "sweep="))):
        if not any(argument.startswith(sweeps) for argument in arguments):
            raise ConfigError(f"{lost} is for the jobs of a sweep: add -m.")
    for again in (argument for argument in arguments if argument.startswith("rerun=")):
        return rerun_arguments(Path(again.removeprefix("rerun=")), [one for one in arguments if one != again])
    folders = [value for name, _, value in (argument.partition("=") for argument in arguments) if name == "resume"]
    if not folders or folders[-1] in ("null", "", "auto"):
        return arguments
    from unet_lightning.runs.folder import RunFolder
    from unet_lightning.runs.untrusted import check_resumable
    from unet_lightning.sweeps.jobs import Sweep

    folder = Path(folders[-1]).resolve()
    several = [argument for argument in arguments if argument in ("-m", "--multirun")]
    sweep = Sweep(folder)
    if sweep.is_one:
        return sweep.arguments(
            [given for given in arguments if not given.startswith("resume=") and given not in several]
        )
    run = RunFolder(folder)
    run.check()
    check_resumable(run.config_file)
    if several:
        raise ConfigError("resume goes on with one run, or with a whole sweep: leave -m out.")
    return [*run_arguments(run.path), *arguments]


def rerun_arguments(folder: Path, others: list[str]) -> list[str]:
    """The command line that trains the configuration of a run once more, in a folder of its own.

    Raises:
        RunError: the folder is no run.
    """
    from unet_lightning.runs.folder import RunFolder
    from unet_lightning.runs.untrusted import check_resumable

    run = RunFolder(folder.resolve())
    run.check()
    check_resumable(run.config_file)
    several = [one for one in others if one in ("-m", "--multirun")]
    values = [one for one in others if one not in several]
    return [f"--config-dir={run.path}", "--config-name=config", *several, "+hydra=default", *values]


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


def from_composition(error: BaseException) -> bool:
    """Whether Hydra stumbled over a command line, in whatever way."""
    code = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, HydraException | OmegaConfBaseException) or any(
        one.co_name == "load_configuration" and "hydra" in one.co_filename for one in code
    )


def plain(config: DictConfig) -> dict[str, Any]:
    """The config as resolved dicts, lists and numbers."""
    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def quiet_libraries() -> None:
    """Keeps Lightning's tips, and what it says twice, out of the terminal."""
    import lightning.pytorch  # noqa: F401  its import sets the levels that are changed here

    for name in ("lightning.pytorch", "lightning.fabric"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # Hydra's root logger has its own
        logger.setLevel(logging.WARNING)
    # Lightning 2.6 asks torch.utils._pytree for a name that torch is about to drop.
    warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated")
    # A run that goes on writes beside its earlier checkpoints.
    warnings.filterwarnings("ignore", r"Checkpoint directory .* exists and is not empty")
    # The run says itself how many images it validates on, none among them.
    warnings.filterwarnings("ignore", r"Total length of `DataLoader` across ranks is zero")
    # Whether a run is one of several tasks of Slurm is the user's choice.
    warnings.filterwarnings("ignore", r"The `srun` command is available on your system but is not used")
    # Photographs are kept in memory: loading processes do not pay on a CPU.
    warnings.filterwarnings("ignore", r"The '\w+_dataloader' does not have many workers")


@contextmanager
def own_ranks(folder: Path) -> Iterator[None]:
    """Lets further ranks train what config.yaml of this run says, and the next job of a sweep start afresh.

    Lightning starts a rank by repeating this process's command line, which in a sweep is the whole sweep; the rank
    would train the configuration of the first job.

    Args:
        folder: of the run.
    """
    import torch.distributed
    from hydra.core.hydra_config import HydraConfig
    from lightning.pytorch.utilities import rank_zero_only

    job: Any = HydraConfig.get()
    arguments, environment = sys.argv[1:], {name: os.environ.get(name) for name in RANK_VARIABLES}
    # Lightning appends hydra.run.dir from this config.
    sys.argv[1:] = [*run_arguments(folder), "resume=auto"]
    with read_write(job):
        job.run.dir = str(folder)
    try:
        yield
    finally:
        sys.argv[1:] = arguments
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        rank_zero_only.rank = 0  # type: ignore[attr-defined]  # Lightning keeps it as an attribute of the function


def run_arguments(folder: Path) -> list[str]:
    """The command line that composes the config of a run again; Hydra wants its flags first."""
    flags = [f"--config-dir={folder}", "--config-name=config"]
    return [*flags, "+hydra=default", f"hydra.run.dir='{folder}'"]


def require(module: str, extra: str, why: str) -> None:
    """Raises ConfigError where an optional package is not installed, before any work is done."""
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"{why}: pip install 'unet-lightning[{extra}]'.")


def instantiate(config: dict[str, Any], key: str, **arguments: Any) -> Any:
    """The object of a section of the config, of the packages that are trusted there.

    Args:
        config: with `_target_`.
        key: its place in the whole config, such as callbacks.best; the first word says which packages are trusted.
        arguments: further ones for the target.

    Raises:
        UserError: what the target raised, or ConfigError from `build`.
    """
    section = key.partition(".")[0]
    return build(config, SECTIONS[section], **arguments)
