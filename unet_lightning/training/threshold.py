"""threshold.json: the threshold that was chosen on the validation images of a run, and what it was chosen for."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unet_lightning.errors import ConfigError
from unet_lightning.files import write_text
from unet_lightning.inference.predictor import PredictionOptions
from unet_lightning.training.measurable import evaluate_command
from unet_lightning.training.trained import Trained

FILE = "threshold.json"


def fingerprint(networks: Sequence[Trained], options: PredictionOptions) -> dict[str, Any]:
    """What a threshold is chosen for: another network, or another way through it, has another threshold."""
    digests = [trained.sha256 for trained in networks]
    return {"networks": digests, "tta": options.tta, "scale": options.scale}


def store_threshold(run: Path, value: float, image_ids: Sequence[str], made_for: Mapping[str, Any]) -> None:
    """Keeps a threshold that was chosen on some images in the folder of a run, or of a cross-validation."""
    write_text(run / FILE, json.dumps({"threshold": value, "images": list(image_ids)} | dict(made_for), indent=2))


def chosen_threshold(run: Path) -> float | None:
    """The threshold that validation images of a run have chosen; None where they chose none, or none can be read."""
    try:
        return float(json.loads((run / FILE).read_text(encoding="utf-8"))["threshold"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def stored_threshold(run: Path, made_for: Mapping[str, Any]) -> float:
    """The threshold that is kept with a run.

    Raises:
        ConfigError: there is none, it is broken, or it was chosen for something else than the fingerprint says.
    """
    path = run / FILE
    choose = evaluate_command(run, "threshold=val")
    if not path.is_file():
        raise ConfigError(f"No threshold was chosen yet: looked for {path}. Choose it on validation: {choose}")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        value = float(stored["threshold"])
        if not 0 <= value <= 1:
            raise ValueError(f"{value} is no probability")
        other = [name for name in made_for if stored[name] != made_for[name]]
    except Exception as error:  # whatever a parser stumbles over
        raise ConfigError(f"{path} is broken ({error}): choose the threshold again: {choose}") from error
    if other:
        raise ConfigError(f"The threshold in {path} was chosen with another {', '.join(other)}: give the same here.")
    return value
