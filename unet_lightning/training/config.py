"""config.yaml of a run: plain values, whoever wrote them. Nothing in it is resolved, composed or called here."""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.specs import SECTIONS, find
from unet_lightning.text import MASK

MOST_BYTES = 1_000_000  # the config of a run has about 3,000
MAX_DEPTH = 50  # mappings and lists within one another
OPTIONAL = ("loss", "optimizer", "scheduler", "trainer", "callbacks", "logger")
TRAINING = ("data", "model", "loss", "optimizer", "trainer")  # what a run that is trained must have
# Of versions up to 0.1: what stood for the run folder, and a class that has another name now.
RUN_FOLDER = "${hydra:runtime.output_dir}"
RENAMED = {"unet_lightning.data.datamodule.RetinalDataModule": "unet_lightning.data.datamodule.SegmentationDataModule"}
FOLDER = "unet_lightning.data.folder.FolderDataset"
# Fields of loggers that say where to send or to write: only the present command says that.
ADDRESSES = ("tracking_uri", "artifact_location", "base_url", "host", "save_dir", "dir")


class Absent:
    """Stands for a field that is not there."""

    def __str__(self) -> str:
        return "not there"


ABSENT = Absent()


def check_sections(config: Mapping[str, Any]) -> None:
    """Raises ConfigError where a section that training needs is missing, or one is no mapping."""
    for name in OPTIONAL:
        if not isinstance(config.get(name), dict | None):
            raise ConfigError(f"{name} must be a mapping of names and values, found {config[name]}.")
    if lacking := [name for name in TRAINING if not isinstance(config.get(name), dict)]:
        raise ConfigError(f"Training needs {', '.join(lacking)}: choose a file, such as {lacking[0]}=<file>.")


def as_yaml(config: Mapping[str, Any]) -> str:
    """A config as the text of config.yaml."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def read_config(path: Path, needed: Sequence[str] = ("data", "model")) -> dict[str, Any]:
    """The config of a run, as this version writes it; `needed` are the sections of what is to be done with it.

    Raises:
        RunError: the file is broken, too large, or lacks a section, or holds more than the values of a run.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise RunError(f"{path} is not the config of a run: it has over {MOST_BYTES:,} bytes.")
        text = content.decode("utf-8")
        _check_text(path, text)
        config = OmegaConf.to_container(OmegaConf.create(text))  # interpolations stay as they are
    except RunError:
        raise
    except Exception as error:  # whatever a parser stumbles over
        raise RunError(f"{path} is broken: {' '.join(str(error).split())[:300]}") from error
    found: Any = config if isinstance(config, dict) else {}
    lacking = [name for name in needed if not isinstance(found.get(name), dict)]
    lacking += [name for name in OPTIONAL if not isinstance(found.get(name), dict | None) and name not in lacking]
    if lacking or not isinstance(found.get("seed"), int):
        raise RunError(f"{path} is not the config of a run: it lacks {', '.join(lacking) or 'seed'}.")
    return upgraded({str(key): value for key, value in found.items()})


def differences(one: Mapping[Any, Any], other: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys whose values differ; of a section that one of them lacks, its own key."""
    for key in {**one, **other}:
        first, second = one.get(key, ABSENT), other.get(key, ABSENT)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            yield from differences(first, second, f"{prefix}{key}.")
        elif first != second or isinstance(first, int) != isinstance(second, int):  # a share of 1.0, a number of 1
            yield f"{prefix}{key}"


def leaves(config: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a config by their dotted fields; lists and empty sections are values."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        inner = isinstance(value, Mapping) and value
        found |= leaves(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def typed_changes(
    recorded: Mapping[str, Any], config: Mapping[str, Any], typed: Collection[str]
) -> dict[str, tuple[Any, Any]]:
    """The values of a run that the present command has changed, dotted, each as it was and as it is now.

    `typed` are the dotted fields and sections that were; `config` has them, and is `recorded` else.
    """
    found = [key for key in differences(recorded, config) if any(within(key, one) or within(one, key) for one in typed)]
    return {key: (select(recorded, key), select(config, key)) for key in found}


def within(key: str, section: str) -> bool:
    """Whether a dotted field is a section, or in it."""
    return key == section or key.startswith(f"{section}.")


def continued(recorded: Mapping[str, Any] | None, known: Mapping[str, Any], group: str) -> dict[str, Any]:
    """The callbacks, or the loggers, of a run that goes on: the present command's, with the values that the run had.

    What they are, and where they write or send, the present command says; a run folder may come from somebody else.

    Args:
        recorded: the section in the run's config.
        known: the entries that the present command has files for, by name.
        group: `callbacks` or `logger`.

    Raises:
        ConfigError: the run had one that the present command does not know.
    """
    names = [name for name, entry in (recorded or {}).items() if entry]
    if lacking := [name for name in names if name not in known]:
        raise ConfigError(
            f"The run had {group}.{lacking[0]}, which no file of conf/{group} here has. Give the --config-dir that has "
            f"it, or choose others: {group}=<file>."
        )
    return {name: _with_values(known[name], (recorded or {})[name]) for name in names}


def select(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted field; ABSENT where there is none."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value


def with_value(config: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The config with another value of a dotted field."""
    first, _, rest = key.partition(".")
    return {**config, first: with_value(config[first], rest, value) if rest else value}


def _with_values(entry: Any, recorded: Any) -> Any:
    """An entry with the recorded values of its own fields."""
    if not isinstance(entry, Mapping) or not isinstance(recorded, Mapping):
        return entry
    kept = {
        key: _with_values(entry[key], value) if isinstance(entry[key], Mapping) else value
        for key, value in recorded.items()
        if key in entry and key not in ("_target_", *ADDRESSES) and not _is_place(value) and MASK not in str(value)
    }
    return {**entry, **kept}


def _is_place(value: Any) -> bool:
    """Whether a value could lead out of the run folder, or to a server."""
    return isinstance(value, str) and ("://" in value or Path(value).is_absolute() or ".." in re.split(r"[/\\]", value))


def check_secrets(config: Mapping[str, Any]) -> None:
    """Raises ConfigError for a value of a run that goes on which was not kept."""
    for key, value in leaves(config).items():
        if MASK in str(value):
            raise ConfigError(
                f"{key} holds a password or a token, which a run folder does not keep: give it again, by {key}=... or "
                "by the environment."
            )


def without_drawing(section: Mapping[str, Any]) -> dict[str, Any]:
    """The section `data` of a run, which may be somebody else's: files are read where it says, and none are made."""
    dataset = section.get("dataset")
    target = dataset.get("_target_") if isinstance(dataset, Mapping) else None
    if not isinstance(target, str) or "draw" not in inspect.signature(find(target, SECTIONS["data"])).parameters:
        return dict(section)
    return {**section, "dataset": {**section["dataset"], "draw": False}}


def upgraded(config: dict[str, Any]) -> dict[str, Any]:
    """A config as this version writes it."""
    config = _without_run_folder(config)
    for section, key, leader in (("data", "seed", "seed"), ("trainer", "deterministic", "deterministic")):
        if isinstance(config.get(section), dict) and config[section].get(key, ABSENT) == config.get(leader):
            config[section][key] = None  # follows the leader
    if isinstance(config.get("callbacks"), dict):
        config["callbacks"].pop("prune", None)  # a search adds it
    dataset = config["data"].get("dataset")
    if isinstance(dataset, dict) and dataset.get("_target_") == FOLDER and dataset.get("channels", ABSENT) is ABSENT:
        dataset["channels"] = 3  # earlier versions read all photographs as RGB
    config["data"].setdefault("cache", "auto")
    target = config["data"].get("_target_")
    config["data"] |= {"_target_": RENAMED.get(target, target)} if isinstance(target, str) else {}
    return config


def _without_run_folder(value: Any) -> Any:
    """Without the fields that named the run folder, or a place in it."""
    if not isinstance(value, dict):
        return value
    return {
        key: _without_run_folder(item)
        for key, item in value.items()
        if not (isinstance(item, str) and item.startswith(RUN_FOLDER))
    }


def _check_text(path: Path, text: str) -> None:
    """Raises RunError for what makes much of little, and for references: a config of a run holds values alone."""
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else "?"
        written = getattr(event, "value", None) or ""
        if isinstance(event, yaml.AliasEvent) or "${" in written.replace(RUN_FOLDER, ""):
            raise RunError(f"{path} is not the config of a run: line {line} refers to something else.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RunError(f"{path} is not the config of a run: over {MAX_DEPTH} levels of mappings and lists.")
