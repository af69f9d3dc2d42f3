"""Objects from plain values: `{"_target_": "package.Class", argument: value}`.

Such values stand in configs, checkpoints and run folders. What the user types, or keeps in a `--config-dir`, is
trusted: `trust` takes its names. What comes from a file may come from somebody else: there a target must be a class of
a few packages, for each section of a config its own.
"""

import functools
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unet_lightning.errors import ConfigError, UserError

# Of a checkpoint's hyper-parameters: network, loss, optimizer, scheduler.
TRUSTED = ("unet_lightning.models", "unet_lightning.losses", "unet_lightning.schedules", "torch.nn", "torch.optim")
# Of the other sections of a run's config; packages, modules, or the names of single classes.
SECTIONS = {
    "data": ("unet_lightning.data", "torchvision.transforms.v2"),
    "trainer": ("lightning.Trainer", "lightning.pytorch.Trainer", "lightning.pytorch.strategies"),
}
# Elsewhere functions are for the package itself: they unpack archives, draw data sets, import what they are told.
FUNCTIONS = ("unet_lightning.schedules", "unet_lightning.data.transforms")
DEEPEST = 50  # specs within specs

_of_the_user: set[str] = set()


def trust(names: Iterable[str]) -> None:
    """Lets targets of these names be built in this process, whatever package they are of."""
    _of_the_user.update(names)


def trusted_names() -> list[str]:
    """What `trust` was given in this process, for the processes that it starts."""
    return sorted(_of_the_user)


def targets_in(value: Any) -> set[str]:
    """The names of all targets in a config, however deep."""
    if isinstance(value, Mapping):
        own = {str(value["_target_"])} if "_target_" in value else set[str]()
        return own.union(*map(targets_in, value.values()))
    return set[str]().union(*map(targets_in, value)) if isinstance(value, list) else set()


def build(spec: Mapping[str, Any], trusted: Sequence[str] = TRUSTED, **arguments: Any) -> Any:
    """Calls the target of `spec` with its other entries, built themselves where they are specs, and `arguments`.

    With `_partial_: true` it is not called yet: what comes back takes the arguments that are missing. Hydra's
    `_convert_` means nothing here: all values are plain. ConfigError where there is no `_target_`, one that is not of
    the trusted packages, modules and classes or not there, or arguments that it does not take.
    """
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise ConfigError(f"Expected a mapping with _target_, found {_shown(spec)}.")
    return _built(spec, tuple(trusted), 0, arguments)


def find(name: str, trusted: Sequence[str] = TRUSTED) -> Any:
    """The class or function called `name`; ConfigError where it is neither the user's own nor trusted, or not there."""
    name = _shown(name)
    own = name in _of_the_user
    module_name, _, attribute = name.rpartition(".")
    private = any(part.startswith("_") for part in name.split("."))
    if not own and (private or not (name in trusted or _below(module_name, trusted))):
        raise ConfigError(
            f"_target_ {name} is not trusted: only {', '.join(trusted)} are. Where it is your own, give --config-dir "
            "with the folder of your YAML file that names it."
        )
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # a package of the user's may raise anything
        raise ConfigError(f"_target_ {name} is not there: {error}") from error
    # A trusted module also holds what it has imported: only what it defines may be called.
    home = getattr(found, "__module__", "") or ""
    if not callable(found) or not (own or name in trusted or _below(home, trusted)):
        raise ConfigError(f"_target_ {name} is not trusted: it is not defined in {', '.join(trusted)}.")
    if not own and not isinstance(found, type) and not _below(home, FUNCTIONS):
        raise ConfigError(f"_target_ {name} is not trusted: it is not a class.")
    return found


def _built(value: Any, trusted: Sequence[str], depth: int, arguments: Mapping[str, Any]) -> Any:
    """Builds specs, also those within mappings and lists; other values stay as they are."""
    if depth > DEEPEST:
        raise ConfigError(f"Expected at most {DEEPEST} mappings and lists within one another, found more.")
    if isinstance(value, list):
        return [_built(item, trusted, depth + 1, {}) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "_target_" not in value:
        return {name: _built(item, trusted, depth + 1, {}) for name, item in value.items()}
    target = find(value["_target_"], trusted)
    given = {key: item for key, item in value.items() if key not in ("_target_", "_partial_", "_convert_")}
    values = {key: _built(item, trusted, depth + 1, {}) for key, item in given.items()}
    call = functools.partial(_call, target, value["_target_"], {**values, **arguments})
    return call if value.get("_partial_") is True else call()


def _call(target: Any, name: str, values: Mapping[str, Any], /, **late: Any) -> Any:
    """What `target` returns, or an error that a person can mend."""
    try:
        return target(**values, **late)
    except UserError:
        raise
    except Exception as error:  # constructors raise what they like, and values may come from anybody
        raise ConfigError(f"{name} refuses its arguments: {_shown(error) or type(error).__name__}") from error


def _below(module_name: str, prefixes: Sequence[str]) -> bool:
    return any(module_name == prefix or module_name.startswith(prefix + ".") for prefix in prefixes)


def _shown(value: Any) -> str:
    """The beginning of a value, for messages."""
    try:
        text = str(dict(value) if isinstance(value, Mapping) else value)
    except ValueError:  # whole numbers of thousands of digits
        text = type(value).__name__
    return text if len(text) <= 200 else text[:200] + "..."
