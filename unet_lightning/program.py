"""What the programs share: where conf/ is, one line for an error, and what a command line says.

Torch and Lightning are imported when a run begins: --help and --cfg answer without them.
"""

import difflib
import errno
import functools
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from unet_lightning import specs
from unet_lightning.errors import SIGPIPE, ConfigError, Stopped, UserError, as_stop
from unet_lightning.text import as_message, speak_plainly

_PACKAGE = Path(__file__).resolve().parent
# Within the package once installed from a wheel, beside it in a clone.
CONF = str(_PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf")
NEAR = 3  # names offered where one is unknown

# Hydra gives its errors to us, who say them in one line.
os.environ.setdefault("HYDRA_FULL_ERROR", "1")


def one_line_errors(program: Callable[..., Any]) -> Callable[..., Any]:
    """Ends the process with one line on stderr and exit code 1 for what a person can mend; the rest is a traceback.

    A signal ends it with 128 and its number.
    """

    @functools.wraps(program)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        speak_plainly()
        try:
            result = program(*args, **kwargs)
            if sys.stdout is not None:  # closed by the shell
                sys.stdout.flush()  # a full disk behind it comes up now, not after the exit code
            return result
        except (Stopped, KeyboardInterrupt, SystemExit, BrokenPipeError) as error:
            stopped = Stopped(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else as_stop(error)
            if not isinstance(stopped, Stopped):
                raise
            unread = ": nobody reads what it prints" * (stopped is not error and stopped.signum == SIGPIPE)
            _print_no_more()
            print(f"Stopped by {stopped}{unread}.", file=sys.stderr, flush=True)
            sys.exit(stopped.exit_code)
        except Exception as error:
            message = _one_line(error, "evaluate" if program.__module__.endswith("evaluate") else "train")
            if message is None:
                raise
            _print_no_more()
            print(f"error: {as_message(message)}", file=sys.stderr, flush=True)
            sys.exit(1)

    return guarded


def _print_no_more() -> None:
    """Forgets what is still to be printed, where it cannot be: at its end Python would try again, and exit with 120."""
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):  # there is none, it is full or closed
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(error: Exception, config_name: str) -> str | None:
    """What a person can mend, said in one line; None for a fault of the program."""
    own: BaseException | None = error
    while isinstance(own, OmegaConfBaseException):
        own = own.__context__  # what a resolver of ours has raised
    if isinstance(own, UserError):
        return str(own)
    if from_composition(error):  # first: some of Hydra's errors are OSErrors too
        return explain(error, config_name, sys.argv[1:])
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return f"What the program prints cannot be written: {error.strerror}. Files that it has finished are whole."
    return None


def from_composition(error: BaseException) -> bool:
    """Whether Hydra stumbled over a command line, in whatever way."""
    code = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, HydraException | OmegaConfBaseException) or any(
        one.co_name == "load_configuration" and "hydra" in one.co_filename for one in code
    )


def explain(error: Exception, config_name: str, given: Sequence[str] = ()) -> str:
    """The message of an error of Hydra's or OmegaConf's in one line, with the names that may have been meant.

    The choices of files among the `given` overrides tell what fields there are.
    """
    said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if "Config group override must be a string or a list" in said:
        null = next((word for word in given if word.endswith("=null")), "null")
        return f"{null}: a group takes the name of a file. Without any: ~{null.removesuffix('=null')}, or logger=csv."
    unknown = re.search(r"Could not override '([^']+)'", said) or re.search(r"Key '([^']+)' is not in struct", said)
    if unknown is None:
        return said
    key = unknown[1]
    group = key.partition(".")[0] + "="
    if swept := next((word for word in given if word.startswith(group) and "," in word), None):
        return f"No field {key} before {swept} is taken, job by job. In such a sweep ++{key}=... sets it in all jobs."
    near = nearest(key, list(_fields(config_name, given)))
    meant = f" Near: {', '.join(near)}." if near else ""
    if any(word.startswith(("resume=", "rerun=")) for word in given):
        meant += f" A field that the run has, and the files chosen by this command lack, is set by +{key}=..."
    return f"No field {key} in the config.{meant} --cfg job prints all; +{key}=... adds a new one."


def nearest(key: str, known: list[str]) -> list[str]:
    """The names that are like `key`, as a whole or in their last part."""
    found = difflib.get_close_matches(key, known, NEAR, cutoff=0.75)
    last = key.rpartition(".")[2]
    endings = {name.rpartition(".")[2] for name in known}
    for ending in [last, *difflib.get_close_matches(last, endings, NEAR, cutoff=0.75)]:
        found += [name for name in known if name.rpartition(".")[2] == ending]
    return list(dict.fromkeys(found))[:NEAR]


def _fields(config_name: str, given: Sequence[str]) -> Iterator[str]:
    """Every field of the config with its chosen files, dotted; of a sweep over files, with the default ones."""
    chosen = [word for word in given if "," not in word and Path(CONF, word.partition("=")[0]).is_dir()]
    GlobalHydra.instance().clear()
    with initialize_config_dir(CONF, version_base="1.3"):
        sections: list[tuple[str, Any]] = [("", OmegaConf.to_container(compose(config_name, chosen)))]
    while sections:
        prefix, section = sections.pop()
        for key, value in section.items():
            yield f"{prefix}{key}"
            if isinstance(value, dict):
                sections.append((f"{prefix}{key}.", value))


def plain(config: DictConfig) -> dict[str, Any]:
    """The config as resolved dicts, lists and numbers."""
    container: Any = OmegaConf.to_container(config, resolve=True)
    return {str(key): value for key, value in container.items()}


def data_config(words: Sequence[str]) -> dict[str, Any]:
    """The config of `evaluate` with overrides that name a data set: `data=drive split=test`; else ConfigError."""
    try:
        with initialize_config_dir(CONF, version_base="1.3"):
            config = plain(compose("evaluate", list(words)))
    except Exception as error:
        if not from_composition(error):
            raise
        raise ConfigError(f"{' '.join(words)} names no data set: {str(error).splitlines()[0]}") from error
    if "_target_" not in config["data"]:
        raise ConfigError(f"{' '.join(words)} names no data set: begin with data=drive or another file of conf/data.")
    return config


def trust_command_line(config: dict[str, Any]) -> None:
    """Trusts what the user has typed, as composed for this command, and what the files of a `--config-dir` name."""
    specs.trust(specs.targets_in(config))
    sources = HydraConfig.get().runtime.config_sources
    for folder in (source.path for source in sources if source.provider == "command-line"):
        trust_files(Path(folder))


def trust_files(folder: Path) -> None:
    """Trusts the targets that the YAML files of a folder name; ConfigError where one of them cannot be read."""
    for path in sorted(folder.rglob("*.yaml")):
        try:
            specs.trust(specs.targets_in(yaml.safe_load(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} in --config-dir cannot be read: {' '.join(str(error).split())}") from error
