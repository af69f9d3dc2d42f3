"""Ends a trial that is worse than others were at its age.

optuna-integration's callback for this needs the Trial object of the process that searches, where jobs of a launcher are
other processes; under DDP it works with SQL alone; and it raises before the row of metrics.csv is written.
"""

import logging
import math
from pathlib import Path

import lightning as L
import optuna
from lightning.pytorch.callbacks import Callback

from unet_lightning.errors import Pruned
from unet_lightning.sweeps.jobs import in_sweep
from unet_lightning.sweeps.record import read
from unet_lightning.sweeps.search.study import open_study

log = logging.getLogger(__name__)


class Pruning(Callback):
    """Reports the monitored figure after each validation, and ends training where the study's pruner says so.

    Training ends with its epoch: checkpoint, metrics.csv and curves are those of a complete run. Only the first process
    knows the study. A study that cannot be reached is no reason to lose a training: it goes on, and is not pruned.
    """

    def __init__(self, folder: str | Path, storage: str | None = None) -> None:
        self.folder, self.storage = Path(folder), storage
        self.trial: optuna.Trial | None = None
        self.monitor = ""
        self.is_compared = True
        self.pruned: int | None = None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Reports, and lets training end with this epoch where it is not worth going on."""
        if trainer.sanity_checking or self.pruned is not None:
            return
        worse = trainer.is_global_zero and self._is_worse(trainer)
        last = trainer.current_epoch + 1 == trainer.max_epochs  # there is nothing left to save
        if trainer.strategy.broadcast(worse) and not last:
            self.pruned = trainer.current_epoch
            trainer.should_stop = True

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Raises Pruned where this run was ended early."""
        if self.pruned is not None:
            if trainer.is_global_zero:
                log.info(f"Pruned after epoch {self.pruned}: other trials were better by then.")
            raise Pruned(f"worse than other trials after epoch {self.pruned}")

    def _is_worse(self, trainer: L.Trainer) -> bool:
        """What the pruner says, on the first process."""
        if not self.is_compared:
            return False
        try:
            if self.trial is None:
                search = read(self.folder.parent, own=not in_sweep()).search or {}
                self.monitor = search["monitor"]
                study = open_study({**search, "storage": self.storage or search["storage"]}, self.folder.parent)
                self.trial = optuna.Trial(study, study.trials[int(self.folder.name)]._trial_id)
            known = self.trial.study.get_trials(deepcopy=False)[self.trial.number]
            value = trainer.callback_metrics.get(self.monitor)
            if known.state.is_finished() or value is None or not math.isfinite(float(value)):
                return False  # a finished trial is trained by itself
            if trainer.current_epoch not in known.intermediate_values:  # a run that goes on repeats the last one
                self.trial.report(float(value), trainer.current_epoch)
            return self.trial.should_prune()
        except Exception as error:  # each storage has errors of its own
            log.warning(f"From here on this run is not compared with other trials: {type(error).__name__}: {error}")
            self.is_compared = False
            return False
