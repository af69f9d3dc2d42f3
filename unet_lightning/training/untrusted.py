"""config.yaml of folders that somebody else may have filled: plain values, and nothing for Hydra to run.

Hydra builds what the `hydra` section of a config names, and takes further files by its `defaults`: neither is in the
config of a run.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from unet_lightning.errors import RunError

SWEEP = "sweep.yaml"  # in the folder of a sweep: the command that it was
MOST_BYTES = 1_000_000  # the config of a run has about 3,000
DEEPEST = 50  # mappings and lists within one another
HERE = "${hydra:runtime.output_dir}"  # stands for the run folder
PLACES = ("dirpath", "folder", "save_dir", "default_root_dir", "root_dir", "log_dir", "dir", "artifact_location")
NEEDED = ("dirpath", "default_root_dir")
WRITERS = ("callbacks", "trainer", "logger")  # sections whose places are written to
SENT_TO = ("host", "base_url", "tracking_uri")  # where a logger sends what it is told
WAITS = ("init_timeout", "finish_timeout")  # the rest of wandb.Settings names programs, servers and files
TRAINING = ("loss", "optimizer", "trainer")  # a network alone is evaluated without them
SECTIONS = ("loss", "optimizer", "scheduler", "trainer", "callbacks", "logger")


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


def check_resumable(path: Path, given: Collection[str] = ()) -> None:
    """Looks at a config.yaml that Hydra is about to take for the main config.

    Args:
        path: of the file.
        given: overrides of the present command line; what they set is the user's own.

    Raises:
        RunError: it lacks what training takes, would do more than give values, write outside its run folder, or send to
            somebody's server.
    """
    config = read_config(path)
    lacking = [name for name in TRAINING if not isinstance(config.get(name), dict)]
    if lacking:
        raise RunError(f"{path} is not the config of a run that can be trained: it lacks {', '.join(lacking)}.")
    check_links(path.parent)
    # Hydra reads a package from the comments at the top.
    package = re.search(r"^\s*#\s*@package", path.read_text(encoding="utf-8"), re.MULTILINE)
    if package or {"hydra", "defaults"} & config.keys():
        raise RunError(f"{path} is not the config of a run: it has a section for Hydra, which could run code.")
    own = {word.lstrip("+~").partition("=")[0] for word in given}
    for section in WRITERS:
        for key, value in _leaves(config.get(section), section):
            lost = value is None and key.rpartition(".")[2] in NEEDED  # would be the folder that one happens to be in
            fault = "outside its run folder" if lost else None if value is None else _fault(key, str(value))
            if fault is not None and key not in own:
                raise RunError(
                    f"{path} is not gone on with: {key} is {str(value)[:100]}, {fault}. Begin a new run with "
                    "model.weights set to its last.ckpt."
                )


def check_links(folder: Path) -> None:
    """Raises RunError where something in a run folder leads out of it: what is written there would land elsewhere."""
    for entry in folder.iterdir():
        if entry.is_symlink() and not entry.resolve().is_relative_to(folder.resolve()):
            raise RunError(
                f"{folder} is not gone on with: {entry.name} in it leads to {entry.resolve()}. Put a copy in its place."
            )


def _fault(key: str, text: str) -> str | None:
    """What is wrong with a value of a section that writes or sends, None where nothing is."""
    section, name = key.partition(".")[0], key.rpartition(".")[2]
    if section == "logger":
        if name == "tracking_uri" and (
            re.match(r"sqlite:///(?!/|.*\.\.)", text) or text == os.environ.get("MLFLOW_TRACKING_URI")
        ):
            return None
        if name == "tracking_uri" and text.startswith("sqlite:"):
            return "a file outside of here: where it is yours, name it on the command line again"
        if name in SENT_TO or ("://" in text and name != "notes"):
            return "which may be somebody else's server (MLFLOW_TRACKING_URI may name yours)"
        if ".settings." in key and name not in WAITS:
            return "which is none of the settings that a run may repeat"
    outside = ".." in Path(text).parts or (name in PLACES and not (text + "/").startswith(HERE + "/"))
    if outside or ((name == "filename" or section == "logger") and Path(text).is_absolute()):
        return "outside its run folder"
    return None


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
