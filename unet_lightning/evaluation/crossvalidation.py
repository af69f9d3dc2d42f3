"""The folder of a cross-validation: a sweep whose jobs differ in their fold alone."""

from typing import Any

from unet_lightning.errors import RunError
from unet_lightning.runs.folder import RunFolder

RECIPE = "-m data.folds=5 data.fold=0,1,2,3,4"


def folds_of(sweep: RunFolder) -> list[RunFolder]:
    """The jobs of a cross-validation, fold 0 first.

    Raises:
        RunError: no sweep, its jobs differ in more than their fold, or a fold is missing or there twice.
    """
    jobs = sweep.jobs()
    if not jobs:
        sweep.check()  # says what a run folder is
    configs = [job.read_config() for job in jobs]
    fold_of = {job.path.name: config["data"].get("fold") for job, config in zip(jobs, configs, strict=True)}
    folds = configs[0]["data"].get("folds")
    if folds is None:
        raise RunError(
            f"{sweep.path} is a sweep without folds. Evaluate its jobs one by one, such as run={jobs[0].path}, or rank "
            f"them: python -m unet_lightning.leaderboard {sweep.path}. A cross-validation is trained by {RECIPE}."
        )
    for job, config in zip(jobs, configs, strict=True):
        if _without_fold(config) != _without_fold(configs[0]):
            raise RunError(
                f"The jobs of {sweep.path} are no single cross-validation: {job.path.name} differs from "
                f"{jobs[0].path.name} in {', '.join(_differences(config, configs[0]))}. Train one configuration a "
                f"sweep: {RECIPE}."
            )
    if sorted(fold_of.values()) != list(range(folds)):
        found = ", ".join(f"{name}: fold {fold}" for name, fold in fold_of.items())
        raise RunError(f"{sweep.path} must hold each of the folds 0 to {folds - 1} once, found {found}.")
    return sorted(jobs, key=lambda job: int(fold_of[job.path.name]))


def _without_fold(config: dict[str, Any]) -> dict[str, Any]:
    """The config but for its fold."""
    return config | {"data": config["data"] | {"fold": None}}


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The keys, dotted, whose values differ; the fold is left out."""
    flat, other_flat = (dict(_flat(_without_fold(config))) for config in (one, other))
    return sorted(key for key in flat | other_flat if flat.get(key) != other_flat.get(key))


def _flat(config: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Pairs of dotted key and value."""
    pairs = []
    for key, value in config.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return pairs
