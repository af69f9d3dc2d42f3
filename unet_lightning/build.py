"""Objects from plain hyper-parameters: `{"_target_": "package.Class", argument: value}`.

A checkpoint carries the hyper-parameters that name its network and loss, so a name is trusted only where it leads to
a class or function of a few packages. Put your own package's name into UNET_LIGHTNING_TRUSTED (comma-separated).
"""

import importlib
import os
from collections.abc import Mapping
from typing import Any

from unet_lightning.errors import ConfigError

TRUSTED = (
    "unet_lightning.models",
    "unet_lightning.losses",
    "unet_lightning.schedules",
    "torch.nn",
    "torch.optim",
)


def build(spec: Mapping[str, Any], **arguments: Any) -> Any:
    """Calls the target of `spec` with its other entries, built themselves where they are specs, and `arguments`.

    Raises:
        ConfigError: no `_target_`, one that is not trusted or not there, or arguments that it does not take.
    """
    if "_target_" not in spec:
        raise ConfigError(f"Expected a mapping with _target_, found {dict(spec)}.")
    target = find(spec["_target_"])
    values = {name: _build_nested(value) for name, value in spec.items() if name != "_target_"}
    try:
        return target(**values, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{spec['_target_']} refuses its arguments: {error}") from error


def find(name: str) -> Any:
    """The class or function called `name`.

    Raises:
        ConfigError: it is outside the trusted packages, or not there.
    """
    own = [prefix.strip() for prefix in os.environ.get("UNET_LIGHTNING_TRUSTED", "").split(",")]
    trusted = (*TRUSTED, *filter(None, own))
    module_name, _, attribute = str(name).rpartition(".")
    if any(part.startswith("_") for part in str(name).split(".")) or not _below(module_name, trusted):
        raise ConfigError(
            f"_target_ {name} is not trusted: only {', '.join(trusted)} are. Where it is your own package, put its "
            "name into the environment variable UNET_LIGHTNING_TRUSTED."
        )
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"_target_ {name} is not there: {error}") from error
    # A trusted module also holds what it has imported: only what it defines may be called.
    home = getattr(found, "__module__", "") or ""
    # Classes may live in private modules (torch.optim._muon.Muon); private functions can import what they are told.
    private = not isinstance(found, type) and any(part.startswith("_") for part in home.split("."))
    if not callable(found) or private or not _below(home, trusted):
        raise ConfigError(f"_target_ {name} is not trusted: it is not defined in {', '.join(trusted)}.")
    return found


def _build_nested(value: Any) -> Any:
    """Builds specs within mappings; other values stay as they are."""
    if isinstance(value, Mapping):
        return build(value) if "_target_" in value else {name: _build_nested(item) for name, item in value.items()}
    return value


def _below(module_name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a module is one of the prefixes or below one."""
    return any(module_name == prefix or module_name.startswith(prefix + ".") for prefix in prefixes)
