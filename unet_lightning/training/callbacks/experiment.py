"""The values that make a run what it is, kept in its checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from unet_lightning.training.changes import check_changes, experiment_of
from unet_lightning.training.config import ABSENT, differences


class Experiment(Callback):
    """Refuses to go on where a value of the run is another one than it was trained with, as in an edited config.yaml.

    Args:
        values: of the run's config, by dotted fields.
        folder: of the run.
    """

    def __init__(self, values: Mapping[str, Any], folder: Path) -> None:
        self.values, self.folder = experiment_of(values), folder

    def state_dict(self) -> dict[str, Any]:
        """The values."""
        return {"values": self.values}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Compares.

        Raises:
            ConfigError: a value is another one.
        """
        before, now = state_dict.get("values"), self.values
        if isinstance(before, Mapping):
            # A field of a later version is null where it changes nothing.
            other = [key for key in differences(before, now) if (before.get(key), now.get(key)) != (None, None)]
            check_changes({key: (before.get(key, ABSENT), now.get(key, ABSENT)) for key in other}, self.folder)
