"""In what the configs of several runs differ, in few words."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

Config = Mapping[str, Any]

# Runs that differ in these alone trained by one method: chance, fold, place, machine and what is shown meanwhile.
NOT_THE_METHOD = (
    "name",
    "seed",
    "resume",
    "score",
    "logger",
    "deterministic",
    "callbacks.panels",
    "callbacks.gradients",
    "data.seed",
    "data.fold",
    "data.root",
    "data.num_workers",
    "trainer.accelerator",
    "trainer.default_root_dir",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.log_every_n_steps",
)
LONGEST = 32  # characters of a value
NULL = "null"


def method(config: Config) -> dict[str, Any]:
    """The config without what does not define the method."""
    return _without(config, "")


def _without(config: Config, prefix: str) -> dict[str, Any]:
    """The config below `prefix` without the names of NOT_THE_METHOD."""
    kept = {key: value for key, value in config.items() if prefix + key not in NOT_THE_METHOD}
    return {k: _without(v, f"{prefix}{k}.") if isinstance(v, Mapping) else v for k, v in kept.items()}


def common(configs: Sequence[Config]) -> dict[str, Any]:
    """What the configs of an ensemble's or a cross-validation's runs have in common."""
    return functools.reduce(_both, configs, dict(configs[0])) if configs else {}


def _both(one: Config, other: Config) -> dict[str, Any]:
    """Keys with one value in both."""
    shared: dict[str, Any] = {}
    for key in [key for key in one if key in other]:
        if isinstance(one[key], Mapping) and isinstance(other[key], Mapping):
            shared[key] = _both(one[key], other[key])
        elif one[key] == other[key]:
            shared[key] = one[key]
    return shared


def differences(configs: Sequence[Config]) -> list[list[str]]:
    """The values in which configs differ, such as `["model.base_c=16", "loss=dice"]`, a list a config.

    Where two configs build different classes, the names of the classes say so, and arguments are compared among
    those that build the same. A key that is missing counts as null, and null is not named.
    """
    return [[f"{key}={shortened(value)}" for key, value in row.items() if value != NULL] for row in differing(configs)]


def differing(configs: Sequence[Config]) -> list[dict[str, str]]:
    """The values in which configs differ by their keys, in full, `null` among them; see `differences`.

    A key that one config has no place for, such as the momentum of an optimizer without momentum, is left out of it.
    """
    labels: list[dict[str, str]] = [{} for _ in configs]
    _compare("", dict(enumerate(configs)), labels)
    return labels


def _compare(path: str, values: Mapping[int, Any], labels: Sequence[dict[str, str]]) -> None:
    """Adds the values below `path` that differ to the labels of their rows."""
    if len({json.dumps(value, sort_keys=True, default=str) for value in values.values()}) == 1:
        return
    if not all(isinstance(value, Mapping) for value in values.values()):
        for row, value in values.items():
            labels[row][path] = _shown(value)
        return
    built = {row: _built(value) for row, value in values.items()}
    for name in dict.fromkeys(built.values()):
        peers = [row for row in built if built[row] == name]
        if len(peers) < len(built):
            for row in peers:
                labels[row][path] = name
        for key in dict.fromkeys(key for row in peers for key in values[row] if key != "_target_"):
            _compare(f"{path}.{key}".lstrip("."), {row: values[row].get(key) for row in peers}, labels)


def _built(section: Config) -> str:
    """The class that a section of a config builds, without its module; a weighted sum is called by its terms."""
    if isinstance(section.get("terms"), Mapping):
        return "+".join(section["terms"])
    return str(section.get("_target_", "")).rpartition(".")[2]


def _shown(value: Any) -> str:
    """A value as it is written in a config; a section by what it builds."""
    if isinstance(value, Mapping):
        return _built(value) or "+".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


def shortened(text: str, longest: int = LONGEST) -> str:
    """A value in few characters; the end of a path says most."""
    return text if len(text) <= longest else "…" + text[1 - longest :]
