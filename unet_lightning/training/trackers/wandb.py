"""Weights & Biases; the one module that knows it."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger

from unet_lightning.errors import ConfigError
from unet_lightning.training.trackers.tracker import About, Picture, Results, Tracker, keep_id, kept_id

log = logging.getLogger(__name__)

ID_FILE = "wandb-id"
PREEMPTED = 140  # SIGUSR2, which clusters send before a time limit: the run is started again


class WandbTracker(Tracker, WandbLogger):
    """Lightning's WandbLogger with one W&B run a run folder, and pictures, curves, tables and the best checkpoint.

    Args:
        mode: `online`, `offline` or `disabled`.
        artifact: whether the best checkpoint is kept as an artifact.
        arguments: of WandbLogger and of wandb.init; without name, group and job_type these are the run's own.

    Raises:
        ConfigError: an unknown mode; online without an account.
    """

    def __init__(self, mode: str = "online", artifact: bool = True, **arguments: Any) -> None:
        if mode not in ("online", "offline", "disabled"):
            raise ConfigError(f"logger.wandb.mode must be one of online, offline, disabled, found {mode}.")
        if arguments.keys() & {"offline", "log_model"}:
            raise ConfigError("logger.wandb.offline and log_model: say logger.wandb.mode and logger.wandb.artifact.")
        if mode == "online":
            check_account()
        super().__init__(mode=mode, **arguments)
        self._wandb_init.pop("anonymous")  # W&B warns of it, whatever its value
        self.artifact = artifact

    def begin(self, about: About) -> None:
        """Starts the W&B run, or goes on with that of the folder."""
        known = kept_id(about.folder, ID_FILE) if about.resumable else None
        own = {"name": about.name, "group": about.group, "job_type": about.job_type, "id": known}
        self._wandb_init |= {key: self._wandb_init.get(key) or value for key, value in own.items()}
        self.log_hyperparams(dict(about.config))
        if about.resumable:
            keep_id(about.folder, ID_FILE, self.experiment.id)
        if known and self.experiment.offline:
            # When parts of one offline run are uploaded the last one replaces the others: it tells everything.
            for row in about.past:
                figures = {name: value for name, value in row.items() if name not in ("step", "seconds")}
                self.log_metrics(figures, int(row["step"]) - 1)
        if about.trained is not None and (run_id := kept_id(about.trained, ID_FILE)) and not self.experiment.offline:
            try:
                self.experiment.use_artifact(f"model-{run_id}:best")
            except (wandb.Error, ValueError) as error:  # it was not uploaded
                log.info(f"Not linked to model-{run_id}:best: {error}")

    def show(self, pictures: Sequence[Picture], step: int) -> None:
        """Photographs with ground truth and prediction as masks that can be switched on and off."""
        self.log_image(
            "val/images",
            [one.photo.permute(1, 2, 0).numpy() for one in pictures],  # (H, W, 3) uint8: floats would come out black
            step,
            caption=[one.image_id for one in pictures],
            masks=[masks(one) for one in pictures],
            file_type=["jpg"] * len(pictures),
        )

    def publish(self, results: Results, step: int) -> None:
        """Figures and intervals into the summary, curves and table, and the checkpoint with its protocol."""
        run = self.experiment
        media: dict[str, Any] = {}
        for curve in results.curves:
            points = wandb.Table(columns=list(curve.axes), data=[list(point) for point in curve.points])
            media[curve.name] = wandb.plot.line(points, *curve.axes, title=curve.title)
        columns: list[str | int] = list(dict.fromkeys(name for row in results.rows for name in row))
        cells = [[_cell(row.get(str(name))) for name in columns] for row in results.rows]
        media[results.table] = wandb.Table(columns=columns, data=cells)
        self.log_metrics(media, step)
        run.summary.update(results.figures)
        if results.checkpoint is not None and self.artifact:
            artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=results.protocol)
            # A copy would go into the home folder, one a run.
            artifact.add_file(str(results.checkpoint), policy="immutable")
            run.log_artifact(artifact, aliases=["best"])

    def end(self, exit_code: int) -> None:
        """Ends the W&B run, so that the next job of a sweep gets its own."""
        run, self._experiment = self._experiment, None
        if run is not None:
            if exit_code == PREEMPTED:
                run.mark_preempting()
            run.finish(exit_code=exit_code)


def check_account() -> None:
    """Raises ConfigError where W&B would ask for an account, or knows that the key is wrong; asks no network."""
    try:
        wrong = "" if wandb.login(prompt=False, verify=False) else "W&B has no account here."
    except wandb.Error as error:
        wrong = f"W&B refuses its key: {error}"
    if wrong:
        raise ConfigError(
            f"{wrong} Log in by `wandb login` or the environment variable WANDB_API_KEY, or do without: "
            "logger.wandb.mode=offline keeps the run here, logger=csv has no W&B."
        )


def _cell(value: Any) -> Any:
    """Empty for NaN, which JSON has not."""
    return None if isinstance(value, float) and math.isnan(value) else value


def masks(picture: Picture) -> dict[str, dict[str, Any]]:
    """Ground truth and prediction for wandb.Image: small integers with their names."""
    labels = dict(enumerate([*picture.classes, "not counted"]))
    layers = {"ground_truth": picture.truth, "prediction": picture.prediction}
    return {name: {"mask_data": layer.numpy(), "class_labels": labels} for name, layer in layers.items()}
