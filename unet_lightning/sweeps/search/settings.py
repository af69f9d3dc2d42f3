"""How to search: the section `sweep` of the configuration."""

import hashlib
import importlib
import inspect
import warnings
from dataclasses import dataclass, fields
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from unet_lightning.errors import ConfigError

SAMPLERS, PRUNERS = ("tpe", "random", "grid"), ("median", "hyperband", "none")


@dataclass(frozen=True)
class Settings:
    """How to search.

    Attributes:
        n_trials: in total, those of earlier attempts among them.
        n_jobs: trials at the same time, where the launcher can.
        sampler: one of SAMPLERS, or a mapping with `_target_: optuna.samplers.<Class>` and its arguments.
        seed: of the sampler; None: by chance.
        pruner: one of PRUNERS, or a mapping with `_target_: optuna.pruners.<Class>` and its arguments.
        warmup: epochs in which no trial is pruned.
        storage: None: study.db in the sweep folder; `journal`: study.journal in it; or a URL of SQLAlchemy.
        study: name of the study in the storage; None: named after the sweep folder.
        params: spaces, by the left side of their override.
    """

    n_trials: int
    n_jobs: int
    sampler: str | dict[str, Any]
    seed: int | None
    pruner: str | dict[str, Any]
    warmup: int
    storage: str | None
    study: str | None
    params: dict[str, Any]

    def __post_init__(self) -> None:
        for name, least in (("n_trials", 1), ("n_jobs", 1), ("warmup", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"sweep.{name} must be a whole number from {least}, found {value}.")
        if self.seed is not None and (not isinstance(self.seed, int) or self.seed < 0):
            raise ConfigError(f"sweep.seed must be a whole number from 0, or null, found {self.seed}.")
        self.build_sampler(0)
        self.build_pruner()

    def build_sampler(self, present: int) -> BaseSampler:
        """The sampler of the next trials.

        Its seed depends on the number of trials present: a search that goes on proposes what one that was never
        stopped would have proposed, and not the first trials again.

        Raises:
            ConfigError: there is no such sampler.
        """
        seed = None
        if self.seed is not None:
            seed = int.from_bytes(hashlib.sha256(f"{self.seed}:{present}".encode()).digest()[:4], "big")
        if self.sampler == "tpe":
            return TPESampler(seed=seed)
        if self.sampler in ("random", "grid"):  # the points of a grid are in the queue already
            return RandomSampler(seed=seed)
        sampler = _build(self.sampler, "sweep.sampler", "optuna.samplers", SAMPLERS, seed=seed)
        assert isinstance(sampler, BaseSampler)
        return sampler

    def build_pruner(self) -> BasePruner:
        """Says which trials are not worth going on with.

        Raises:
            ConfigError: there is no such pruner.
        """
        return build_pruner(self.pruner, self.warmup)


def read(section: dict[str, Any]) -> Settings:
    """The section `sweep`.

    Raises:
        ConfigError: a value is out of range.
    """
    known = {field.name for field in fields(Settings)}
    if set(section) != known:
        raise ConfigError(f"sweep must have {', '.join(sorted(known))}; found {', '.join(sorted(section))}.")
    return Settings(**section | {"params": section["params"] or {}})


def build_pruner(spec: str | dict[str, Any], warmup: int) -> BasePruner:
    """The pruner called so.

    Raises:
        ConfigError: there is none.
    """
    if spec == "median":
        return MedianPruner(n_warmup_steps=warmup)
    if spec == "hyperband":
        return HyperbandPruner(min_resource=max(1, warmup))
    if spec == "none":
        return NopPruner()
    pruner = _build(spec, "sweep.pruner", "optuna.pruners", PRUNERS)
    assert isinstance(pruner, BasePruner)
    return pruner


def _build(spec: Any, key: str, package: str, names: tuple[str, ...], **arguments: Any) -> Any:
    """The object of a mapping with `_target_` in one of Optuna's packages."""
    expected = f"{key} must be one of {', '.join(names)}, or a mapping with _target_: {package}.<Class>"
    target = spec.get("_target_") if isinstance(spec, dict) else None
    if target is None:
        raise ConfigError(f"{expected}; found {spec}.")
    module, _, name = str(target).rpartition(".")
    found = getattr(importlib.import_module(package), name, None) if module == package else None
    base = {"optuna.samplers": BaseSampler, "optuna.pruners": BasePruner}[package]
    if not isinstance(found, type) or not issubclass(found, base) or inspect.isabstract(found):
        raise ConfigError(f"{expected}; found {target}.")
    if name in ("GridSampler", "BruteForceSampler"):
        raise ConfigError(f"For every point of the space once write {key}=grid; found {target}.")
    if name == "CmaEsSampler":  # a study may come from somebody else
        raise ConfigError(
            f"{key}: CmaEsSampler keeps pickled code in the study, which is not read; take another sampler."
        )
    given = {key: value for key, value in spec.items() if key != "_target_"}
    taken = inspect.signature(found).parameters
    try:
        with warnings.catch_warnings():
            # Whoever names a class of Optuna's has chosen it, experimental or not.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return found(**{name: value for name, value in arguments.items() if name in taken} | given)
    except (TypeError, ValueError, AssertionError, ImportError) as error:
        raise ConfigError(f"{key}: {target} refuses its arguments: {' '.join(str(error).split())}") from error
