"""Objects from plain values: `{"_target_": "package.Class", argument: value}`.

Checkpoints and run folders carry such values, and may come from somebody else; so a name is trusted only where it leads
to a class of a few packages, for each section of a config its own. Put your own package's name into
UNET_LIGHTNING_TRUSTED (comma-separated).
"""

import functools
import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from unet_lightning.errors import ConfigError, UserError

# Of a checkpoint's hyper-parameters: network, loss, optimizer, scheduler.
TRUSTED = (
    "unet_lightning.models",
    "unet_lightning.losses",
    "unet_lightning.schedules",
    "torch.nn",
    "torch.optim",
)
# Of the other sections of a config; packages, modules, or the names of single classes.
SECTIONS = {
    "data": ("unet_lightning.data", "torchvision.transforms.v2"),
    "callbacks": (
        "unet_lightning.training.callbacks",
        "unet_lightning.sweeps.search.pruning.Pruning",
        "lightning.pytorch.callbacks",
    ),
    "logger": ("unet_lightning.training.trackers", "lightning.pytorch.loggers"),
    "trainer": (
        "lightning.Trainer",
        "lightning.pytorch.Trainer",
        "lightning.pytorch.strategies",
        "lightning.pytorch.plugins",
        "lightning.pytorch.profilers",
    ),
}
# Elsewhere functions are for the package itself: they unpack archives, draw data sets, import what they are told.
FUNCTIONS = ("unet_lightning.schedules", "unet_lightning.data.transforms")
# Lightning's ModelCheckpoint removes whatever file a checkpoint calls its earlier best.
INSTEAD = {"lightning.pytorch.callbacks.model_checkpoint": "unet_lightning.training.callbacks.checkpoint.RunCheckpoint"}
DEEPEST = 50  # specs within specs


def build(spec: Mapping[str, Any], trusted: Sequence[str] = TRUSTED, **arguments: Any) -> Any:
    """Calls the target of `spec` with its other entries, built themselves where they are specs, and `arguments`.

    With `_partial_: true` it is not called yet: what comes back takes the arguments that are missing. Hydra's
    `_convert_` means nothing here: all values are plain.

    Args:
        spec: `_target_`, its arguments by name, and `_partial_` where wanted.
        trusted: packages, modules and classes that targets may be of.
        arguments: further ones for the outermost target.

    Raises:
        ConfigError: no `_target_`, one that is not trusted or not there, or arguments that it does not take.
        UserError: from the target.
    """
    return _build(spec, tuple(trusted), arguments, depth=0)


def build_all(specs: Mapping[str, Any] | None, section: str) -> list[Any]:
    """What the specs of a section of the config make, such as the callbacks; null among them is left out.

    Raises:
        ConfigError: the section is no mapping, or from `build`.
        UserError: from a target.
    """
    if specs is not None and not isinstance(specs, Mapping):
        raise ConfigError(f"{section} must be a mapping of names and what they are, found {_shown(specs)}.")
    return [build(spec, SECTIONS[section]) for spec in (specs or {}).values() if spec]


def find(name: str, trusted: Sequence[str] = TRUSTED) -> Any:
    """The class or function called `name`.

    Raises:
        ConfigError: it is outside the trusted packages, or not there.
    """
    own = tuple(part for given in os.environ.get("UNET_LIGHTNING_TRUSTED", "").split(",") if (part := given.strip()))
    every, name = (*trusted, *own), _shown(name)
    module_name, _, attribute = name.rpartition(".")
    if any(part.startswith("_") for part in name.split(".")) or not (
        name in every or _below(module_name, every)  # a single class, or anything of a package
    ):
        raise ConfigError(
            f"_target_ {name} is not trusted: only {', '.join(every)} are. Where it is your own package, put its "
            "name into the environment variable UNET_LIGHTNING_TRUSTED."
        )
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # a package of the user's may raise anything
        raise ConfigError(f"_target_ {name} is not there: {error}") from error
    # A trusted module also holds what it has imported: only what it defines may be called.
    home = getattr(found, "__module__", "") or ""
    if not callable(found) or not (name in every or _below(home, every)):
        raise ConfigError(f"_target_ {name} is not trusted: it is not defined in {', '.join(every)}.")
    if not isinstance(found, type) and not _below(home, (*FUNCTIONS, *own)):
        raise ConfigError(f"_target_ {name} is not trusted: it is no class.")
    if home in INSTEAD and not _below(home, own):
        raise ConfigError(f"_target_ {name} is not trusted with your files: use {INSTEAD[home]}, which is one too.")
    return found


def _build(spec: Mapping[str, Any], trusted: Sequence[str], arguments: Mapping[str, Any], depth: int) -> Any:
    """See `build`."""
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise ConfigError(f"Expected a mapping with _target_, found {_shown(spec)}.")
    name, partial = spec["_target_"], spec.get("_partial_", False)
    target = find(name, trusted)
    given = {key: value for key, value in spec.items() if key not in ("_target_", "_partial_", "_convert_")}
    values = {key: _build_nested(value, trusted, depth + 1) for key, value in given.items()}
    call = functools.partial(_call, target, name, {**values, **arguments})
    return call if partial is True else call()


def _build_nested(value: Any, trusted: Sequence[str], depth: int) -> Any:
    """Builds specs within mappings and lists; other values stay as they are."""
    if depth > DEEPEST:
        raise ConfigError(f"Expected at most {DEEPEST} mappings and lists within one another, found more.")
    if isinstance(value, Mapping):
        if "_target_" in value:
            return _build(value, trusted, {}, depth)
        return {name: _build_nested(item, trusted, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_build_nested(item, trusted, depth + 1) for item in value]
    return value


def _call(target: Any, name: str, values: Mapping[str, Any], /, **late: Any) -> Any:
    """What `target` returns, or an error that a person can mend."""
    try:
        return target(**values, **late)
    except UserError:
        raise
    except Exception as error:  # constructors raise what they like, and values may come from anybody
        said = _shown(error) or type(error).__name__
        raise ConfigError(f"{name} refuses its arguments: {said}") from error


def _below(module_name: str, prefixes: Sequence[str]) -> bool:
    """Whether a module is one of the prefixes or below one."""
    return any(module_name == prefix or module_name.startswith(prefix + ".") for prefix in prefixes)


def _shown(value: Any) -> str:
    """The beginning of a value, for messages."""
    try:
        text = str(dict(value) if isinstance(value, Mapping) else value)
    except ValueError:  # whole numbers of thousands of digits
        text = type(value).__name__
    return text if len(text) <= 200 else text[:200] + "..."
