"""What the Hydra programs share: where conf/ is, one line for an error, objects from a config.

Torch and Lightning are imported when a run begins: --help and --cfg answer without them.
"""

import functools
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, read_write

from unet_lightning.errors import ConfigError, UserError

_PACKAGE = Path(__file__).resolve().parent
# Within the package once installed from a wheel, beside it in a clone.
CONF = str(_PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf")

# What Lightning leaves behind in the process that starts the ranks.
RANK_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def one_line_errors(program: Callable[..., Any]) -> Callable[..., Any]:
    """Ends the process with one line on stderr and exit code 1 for what a person can mend; the rest is a traceback."""

    @functools.wraps(program)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return program(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)
        except OSError as error:
            if error.filename is None:
                raise
            print(f"error: {error.strerror}: {error.filename}", file=sys.stderr, flush=True)
            sys.exit(1)

    return guarded


def resume_arguments(arguments: list[str]) -> list[str]:
    """Turns `resume=<run folder>` into the config and the output folder of that run; later overrides still apply.

    Args:
        arguments: of the command line, without the program.

    Raises:
        RunError: the folder is no run.
        ConfigError: in a sweep.
    """
    folders = [value for name, _, value in (argument.partition("=") for argument in arguments) if name == "resume"]
    if not folders or folders[-1] in ("null", ""):
        return arguments
    from unet_lightning.runfolder import RunFolder

    run = RunFolder(Path(folders[-1]).resolve())
    run.check()
    if f"--config-dir={run.path}" in arguments:  # Lightning starts further ranks with the arguments of this process
        return arguments
    if any(argument in ("-m", "--multirun") for argument in arguments):
        raise ConfigError("resume goes on with one run: leave -m out, and give each job's folder in turn.")
    # Lightning appends to these arguments when it starts further ranks, and Hydra wants its flags first.
    flags = [f"--config-dir={run.path}", "--config-name=config"]
    return [*flags, "+hydra=default", f"hydra.run.dir='{run.path}'", *arguments]


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
    # Photographs are kept in memory: loading processes do not pay on a CPU.
    warnings.filterwarnings("ignore", r"The '\w+_dataloader' does not have many workers")


@contextmanager
def standalone_job() -> Iterator[None]:
    """Within a sweep, lets further ranks start as ranks of this job, and the next job start afresh.

    Lightning starts a rank by repeating this process's command line, which in a sweep is the whole sweep; the rank
    would train the configuration of the first job.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    job: Any = HydraConfig.get()
    if job.mode != RunMode.MULTIRUN:
        yield
        return
    import torch.distributed
    from lightning.pytorch.utilities import rank_zero_only

    folders = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    arguments, environment = sys.argv[1:], {name: os.environ.get(name) for name in RANK_VARIABLES}
    # Hydra wants its flags first; Lightning appends hydra.run.dir from this config.
    sys.argv[1:] = [*(f"--config-dir={folder}" for folder in folders), f"--config-name={job.job.config_name}"]
    sys.argv[1:] += [*job.overrides.task, "hydra.mode=RUN"]
    sys.argv[1:] += [given for given in job.overrides.hydra if given.startswith(("hydra/", "hydra.searchpath"))]
    with read_write(job):
        job.run.dir = job.runtime.output_dir
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


def require(module: str, extra: str, why: str) -> None:
    """Raises ConfigError where an optional package is not installed, before any work is done."""
    if importlib.util.find_spec(module) is None:
        raise ConfigError(f"{why}: pip install 'unet-lightning[{extra}]'.")


def instantiate(config: DictConfig | dict[str, Any], key: str, **arguments: Any) -> Any:
    """Hydra's instantiate with an error that a person can mend.

    Args:
        config: with `_target_`.
        key: its place in the whole config, for the message.
        arguments: further ones for the target.

    Raises:
        UserError: what the target raised, or ConfigError with its message.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate as hydra_instantiate

    try:
        return hydra_instantiate(config, **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from error
        raise ConfigError(f"{key} cannot be built: {cause or error}") from error
