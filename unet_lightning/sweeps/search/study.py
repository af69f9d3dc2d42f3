"""The study of a sweep folder: opened again where there is one, and held against what is asked for now."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import distribution_to_json

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.files import write_text
from unet_lightning.sweeps.jobs import Sweep, in_sweep
from unet_lightning.sweeps.search.settings import Settings, build_pruner
from unet_lightning.sweeps.search.space import Space
from unet_lightning.sweeps.search.storage import absolute, is_own, open_storage

FILE = "search.json"


@dataclass(frozen=True)
class Target:
    """What a search is after.

    Attributes:
        monitor: the validation figure that chooses the best epoch of a run.
        direction: `maximize` or `minimize`.
    """

    monitor: str
    direction: Literal["maximize", "minimize"]


def target_of(callbacks: dict[str, Any]) -> Target:
    """The figure and the direction of the best checkpoint.

    Raises:
        ConfigError: no best checkpoint is kept.
    """
    best = callbacks.get("best") or {}
    if not best.get("monitor") or best.get("mode") not in ("max", "min"):
        raise ConfigError("A search needs callbacks.best with monitor and mode: that figure is what it improves.")
    return Target(best["monitor"], "maximize" if best["mode"] == "max" else "minimize")


def open_study(settings: Settings, space: Space, target: Target, folder: Path) -> optuna.Study:
    """The study of a sweep folder, with the trials that it has.

    Writes search.json, by which the jobs find it.

    Raises:
        ConfigError: the study there has another space, other values or another figure.
        RunError: it cannot be opened, or belongs to another folder.
    """
    place = absolute(settings.storage)
    _check_place(folder, place)
    storage = open_storage(place, folder)
    name = settings.study or ("search" if is_own(place) else f"{folder.parent.name}/{folder.name}")
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction=target.direction,
        pruner=settings.build_pruner(),
    )
    asked = {
        "space": {key: json.loads(distribution_to_json(one)) for key, one in space.swept.items()},
        "overrides": list(space.fixed),
        "monitor": target.monitor,
    }
    known = study.user_attrs
    if "space" in known:
        _check_same(name, known, asked, study, target)
    home = known.get("folder")
    if not is_own(place) and home is not None and home != str(folder) and Path(home).exists():
        raise RunError(
            f"The study {name} belongs to {home}: go on with it by resume={home}, or name another by sweep.study=..."
        )
    for key, value in (asked | {"folder": str(folder)}).items():
        if known.get(key) != value:
            study.set_user_attr(key, value)
    record = {"storage": place, "study": name, "pruner": settings.pruner, "warmup": settings.warmup}
    write_text(folder / FILE, json.dumps(record | {"monitor": target.monitor}, indent=2))
    return study


def read_study(folder: Path) -> tuple[optuna.Study, str] | None:
    """The study of a sweep folder as its search.json has it, and the figure that it watches; None where it has none.

    Raises:
        UserError: it cannot be opened, or may be a database of somebody else's choice.
    """
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    _check_chosen(folder, record["storage"])
    study = optuna.load_study(
        study_name=record["study"],
        storage=open_storage(record["storage"], folder, create=False),
        sampler=optuna.samplers.RandomSampler(),  # never asked: the search alone proposes
        pruner=build_pruner(record["pruner"], record["warmup"]),
    )
    return study, str(record["monitor"])


def _check_same(name: str, known: dict[str, Any], asked: dict[str, Any], study: optuna.Study, target: Target) -> None:
    """Raises ConfigError where the trials present would not be comparable with the next ones."""
    direction = study.direction.name.lower()
    if (known["monitor"], direction) != (target.monitor, target.direction):
        raise ConfigError(
            f"The study {name} has the aim to {direction} {known['monitor']}, found {target.direction} "
            f"{target.monitor}. Begin a new search."
        )
    if known["space"] != asked["space"]:
        changed = sorted(
            key for key in known["space"] | asked["space"] if known["space"].get(key) != asked["space"].get(key)
        )
        raise ConfigError(
            f"The study {name} has another space: {', '.join(changed)} changed. Go on with the same spaces, or begin a "
            "new search (another folder, or sweep.study=...)."
        )
    if known["overrides"] != asked["overrides"]:
        raise ConfigError(
            f"The trials of the study {name} were made with other values: {' '.join(known['overrides']) or 'none'}, "
            f"found {' '.join(asked['overrides']) or 'none'}. Go on with the same, or begin a new search."
        )


def _check_chosen(folder: Path, place: str | None) -> None:
    """Raises RunError where search.json names a database that neither a running search nor sweep.yaml has chosen."""
    if is_own(place) or in_sweep():
        return
    words = Sweep(folder).record()["overrides"] if Sweep(folder).is_one else []
    chosen = [word.partition("=")[2].strip("'\"") for word in words if word.lstrip("+").startswith("sweep.storage=")]
    if place not in [absolute(one) for one in chosen[-1:]]:
        raise RunError(
            f"{folder / FILE} names the database {place}, which is not in {folder} and not in its sweep.yaml: go on "
            f"by resume={folder}."
        )


def _check_place(folder: Path, place: str | None) -> None:
    """Raises ConfigError where the sweep folder has its study elsewhere."""
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    if record.get("storage") != place:
        shown = record.get("storage") or "study.db"
        raise ConfigError(f"The search in {folder} keeps its study in {shown}: leave sweep.storage as it was.")
