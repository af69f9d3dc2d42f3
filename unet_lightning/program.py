"""What the Hydra programs share: where conf/ is, one line for an error, objects from a config.

Torch and Lightning are imported when a run begins: --help and --cfg answer without them.
"""

import functools
import importlib.util
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from unet_lightning.errors import ConfigError, Stopped, UserError
from unet_lightning.specs import SECTIONS, build

_PACKAGE = Path(__file__).resolve().parent
# Within the package once installed from a wheel, beside it in a clone.
CONF = str(_PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf")

# Hydra gives its errors to us, who say them in one line.
os.environ.setdefault("HYDRA_FULL_ERROR", "1")


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
                said = explain(error, CONF, name, sys.argv[1:])
            elif isinstance(error, OSError) and error.filename is not None:
                said = f"{error.strerror}: {error.filename}"
            else:
                raise
            print(f"error: {said}", file=sys.stderr, flush=True)
            sys.exit(1)
        except (Stopped, KeyboardInterrupt) as error:
            stopped = error if isinstance(error, Stopped) else Stopped(signal.SIGINT)
            print(f"Stopped by {stopped}.", file=sys.stderr, flush=True)
            sys.exit(stopped.exit_code)

    return guarded


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
