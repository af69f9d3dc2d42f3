"""metrics.csv and curves.png of a run, from rows that travel in the checkpoint."""

import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from unet_lightning.errors import RunError
from unet_lightning.files import write_rows


class History(Callback):
    """Writes one row an epoch into metrics.csv, and draws curves.png when training ends.

    The rows are part of the checkpoint: a resumed run has the rows up to where it goes on from, each once.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.started = 0.0
        self.validated = False

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on after the rows of the checkpoint.

        Raises:
            RunError: there are none.
        """
        rows = state_dict.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and _is_plain(row) for row in rows):
            raise RunError("The checkpoint has no rows of metrics.csv: begin a new run with model.weights set to it.")
        self.rows = list(rows)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock of the epoch."""
        self.started, self.validated = time.monotonic(), False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Notes that the val/ figures of this epoch are new."""
        self.validated = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Adds a row; checkpoints are saved after it, as Lightning runs them last."""
        row: dict[str, float] = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        for name, value in trainer.callback_metrics.items():
            old = name.startswith("val/") and not self.validated  # Lightning keeps the figures of the last validation
            if ("/" in name or name == "lr") and not old:
                row[name] = float(value)
        self.rows.append(row | {"seconds": round(time.monotonic() - self.started, 3)})
        if trainer.is_global_zero:
            write_rows(self.rows, Path(trainer.default_root_dir) / "metrics.csv")

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the curves."""
        if trainer.is_global_zero and self.rows:
            from unet_lightning.training.curves import draw_curves  # Matplotlib takes a second to import

            draw_curves(self.rows, Path(trainer.default_root_dir) / "curves.png")


def _is_plain(row: dict[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(value, int | float) for name, value in row.items())
