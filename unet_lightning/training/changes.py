"""What a run that goes on may have otherwise than it began: how and for how long it is trained, never what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unet_lightning.commands import value_path
from unet_lightning.errors import ConfigError
from unet_lightning.text import shown
from unet_lightning.training.config import within

# Of a file of conf/trainer: where it is trained.
DEVICES = ("accelerator", "devices", "num_nodes", "strategy", "sync_batchnorm")
# Fields and sections. The checkpoint tells whether the number of processes, the planned steps and the photographs are
# those it began with.
FREE = (
    *("name", "score", "deterministic", "logger", "callbacks.panels", "callbacks.gradients"),
    *("data.root", "data.num_workers", "data.cache"),
    *(f"trainer.{name}" for name in ("max_epochs", "max_steps", "max_time")),
    *(f"trainer.{name}" for name in DEVICES if name != "sync_batchnorm"),
    *(f"trainer.{name}" for name in ("benchmark", "deterministic", "num_sanity_val_steps", "log_every_n_steps")),
    *(f"trainer.{name}" for name in ("enable_progress_bar", "enable_model_summary", "profiler", "detect_anomaly")),
)


def experiment_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a run's values, dotted, that stay as long as it is trained.

    Where files lie is none of them: they may be moved.
    """
    sections = ("seed", "data", "model", "loss", "optimizer", "scheduler", "trainer")
    found = {key: value for key, value in values.items() if key.split(".")[0] in sections and not _is_free(key)}
    found = {key: value for key, value in found.items() if not (isinstance(value, str) and Path(value).is_absolute())}
    for name in ("model.weights", "model.weights_skip"):
        found.pop(name, None)
    if found.get("data.seed") is None:
        found["data.seed"] = found["seed"]
    return found


def check_changes(changes: Mapping[str, tuple[Any, Any]], run: Path) -> None:
    """Raises ConfigError where values would make another experiment of a run: it names them and what to do."""
    other = {key: values for key, values in changes.items() if not _is_free(key)}
    if not other:
        return
    place, more = value_path(run), ", ..." if len(other) > 8 else ""
    said = [f"{key} was {_shown(was)}, now {_shown(now)}" for key, (was, now) in list(other.items())[:8]]
    raise ConfigError(
        f"resume goes on as the run began, and these values make another experiment: {'; '.join(said)}{more}. Leave "
        f"them out, or give them to a new run: rerun={place} instead of resume={place}, with model.weights={place} "
        "where it is to begin from the weights of this one."
    )


def said(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Changes in words."""
    return ", ".join(f"{key} {_shown(was)} -> {_shown(now)}" for key, (was, now) in changes.items())


def _is_free(key: str) -> bool:
    return any(within(key, one) for one in FREE)


def _shown(value: Any) -> str:
    text = shown(value)
    return text if len(text) <= 100 else text[:100] + "..."
