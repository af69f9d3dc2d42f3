"""config.yaml and sweep.yaml of folders that somebody else may have filled: plain values, and nothing for Hydra to run.

Hydra builds what the `hydra` section of a config names, and takes further files by its `defaults`: neither is in the
config of a run.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from unet_lightning.errors import RunError

MOST_BYTES = 1_000_000  # the config of a run has about 3,000
DEEPEST = 50  # mappings and lists within one another
HERE = "${hydra:runtime.output_dir}"  # stands for the run folder
PLACES = ("dirpath", "folder", "save_dir", "default_root_dir")
WRITERS = ("callbacks", "trainer")  # sections whose places are written to
SECTIONS = ("loss", "optimizer", "scheduler", "trainer", "callbacks", "logger")
# What a recorded sweep may say of Hydra itself; the rest names classes, programs and files.
OF_LAUNCHERS = (
    "name partition account qos constraint nodes tasks_per_node gpus_per_node cpus_per_task mem_gb timeout_min "
    "signal_delay_s max_num_timeout requeue array_parallelism n_jobs"
).split()
OF_HYDRA = {"hydra/launcher", "hydra/sweeper", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.run.dir", "hydra.mode"}
OF_HYDRA |= {f"hydra.launcher.{name}" for name in OF_LAUNCHERS}


def read_config(path: Path) -> dict[str, Any]:
    """A resolved config; `HERE` is left as it stands.

    Raises:
        RunError: broken, too large, or with more in it than the values of a run.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise RunError(f"{path} is no config of a run: it has over {MOST_BYTES:,} bytes.")
        text = content.decode("utf-8")
        _check_events(path, text)
        config = OmegaConf.to_container(OmegaConf.create(text))  # interpolations stay as they are
    except RunError:
        raise
    except Exception as error:  # whatever a parser stumbles over
        raise RunError(f"{path} is broken: {' '.join(str(error).split())[:300]}") from error
    if (
        not isinstance(config, dict)
        or not isinstance(config.get("seed"), int)
        or not all(isinstance(config.get(name), dict) for name in ("data", "model"))
        or not all(isinstance(config.get(name), dict | None) for name in SECTIONS)
    ):
        raise RunError(f"{path} is not the config of a run: it lacks data, model or seed.")
    for key, value in _leaves(config):
        if "${" in f"{key} {value}".replace(HERE, ""):
            raise RunError(
                f"{path} is not the config of a run: {key} refers to {str(value)[:100]}, where values stand."
            )
    return {str(key): value for key, value in config.items()}


def check_resumable(path: Path) -> None:
    """Looks at a config.yaml that Hydra is about to take for the main config.

    Raises:
        RunError: it would do more than give values, or write outside its run folder.
    """
    config = read_config(path)
    # Hydra reads a package from the comments at the top.
    package = re.search(r"^\s*#\s*@package", path.read_text(encoding="utf-8"), re.MULTILINE)
    if package or {"hydra", "defaults"} & config.keys():
        raise RunError(f"{path} is not the config of a run: it has a section for Hydra, which could run code.")
    for section in WRITERS:
        for key, value in _leaves(config.get(section), section):
            name = key.rpartition(".")[2]
            text = str(value)
            outside = ".." in Path(text).parts or (name in PLACES and not (text + "/").startswith(HERE + "/"))
            if value is not None and (outside or (name == "filename" and Path(text).is_absolute())):
                raise RunError(
                    f"{path} is not gone on with: {key} is {text[:100]}, outside its run folder. Begin a new run with "
                    "model.weights set to its last.ckpt."
                )


def check_sweep(path: Path, flags: Any, overrides: Any) -> None:
    """Looks at the command line of a sweep.yaml that is about to be given to Hydra again.

    Raises:
        RunError: it is none, or would do more than choose configs, give values and say where jobs run.
    """
    words = [*flags, *overrides] if isinstance(flags, list) and isinstance(overrides, list) else [None]
    if not all(isinstance(word, str) for word in words):
        raise RunError(f"{path} is broken: flags and overrides must be lists of texts.")
    for flag in flags:
        name, _, value = flag.partition("=")
        within = name == "--config-dir" and Path(value).resolve().is_relative_to(path.parent.resolve())
        if name not in ("--config-dir", "--config-name") or within:
            raise RunError(f"{path} is not gone on with: {flag[:200]} is none of the flags of a sweep of yours.")
    for word in overrides:
        key = word.lstrip("+~").partition("=")[0]
        of_hydra = re.search(r"(^|[@:])hydra\b", key) and key not in OF_HYDRA and not key.startswith("hydra.sweeper.")
        if of_hydra or ("hydra" in key and "_target_" in word):
            raise RunError(
                f"{path} is not gone on with: {word[:200]} could run code. Where it is your own, say it again on the "
                "command line, and remove it from the file."
            )


def _check_events(path: Path, text: str) -> None:
    """Raises RunError for what makes much of little: nobody's config has aliases or a hundred levels."""
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            where = f"line {event.start_mark.line + 1}" if event.start_mark else "a line"
            raise RunError(f"{path} is not the config of a run: {where} refers to another.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RunError(f"{path} is not the config of a run: over {DEEPEST} levels of mappings and lists.")


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs of dotted key and value, of mappings and lists."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{place}.{number}")
    else:
        yield place, value
