"""Weights & Biases; the one module that knows it."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from unet_lightning.errors import ConfigError
from unet_lightning.training.trackers.tracker import About, Picture, Results, Tracker, keep_id, kept_id

log = logging.getLogger(__name__)

MODES = ("online", "offline", "disabled")
ID_FILE = "wandb-id"
# Ends after which the run is started again: SIGUSR2, which clusters send before a time limit.
PREEMPTED = (140,)
NOT_COUNTED = "not counted"


class WandbTracker(Tracker, WandbLogger):
    """Lightning's WandbLogger with one W&B run a run folder, and pictures, curves, tables and the best checkpoint.

    Args:
        mode: `online`, `offline` or `disabled`.
        artifact: whether the best checkpoint is kept as an artifact.
        name: of the run; None takes the run's own, as with `group` and `job_type`.
        group: of runs that belong together.
        job_type: train or evaluate.
        arguments: of WandbLogger and of wandb.init.

    Raises:
        ConfigError: an unknown mode; online without an account.
    """

    def __init__(
        self,
        mode: str = "online",
        artifact: bool = True,
        name: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        **arguments: Any,
    ) -> None:
        if mode not in MODES:
            raise ConfigError(f"logger.wandb.mode must be one of {', '.join(MODES)}, found {mode}.")
        if arguments.keys() & {"offline", "log_model"}:
            raise ConfigError("logger.wandb.offline and log_model: say logger.wandb.mode and logger.wandb.artifact.")
        if mode == "online":
            check_account()
        super().__init__(name=name, mode=mode, group=group, job_type=job_type, **arguments)
        self._wandb_init.pop("anonymous")  # W&B warns of it, whatever its value
        self.artifact = artifact

    @rank_zero_only
    def begin(self, about: About) -> None:
        """Starts the W&B run, or goes on with that of the folder."""
        known = kept_id(about.folder, ID_FILE) if about.resumable else None
        given = {key: self._wandb_init.get(key) for key in ("name", "group", "job_type", "id")}
        own = {"name": about.name, "group": about.group, "job_type": about.job_type, "id": known}
        self._wandb_init |= {key: given[key] or own[key] for key in given}
        self.log_hyperparams(dict(about.config))
        if about.resumable:
            keep_id(about.folder, ID_FILE, self.experiment.id)
        if known and self.experiment.offline:
            # When parts of one offline run are uploaded the last one replaces the others: it tells everything.
            for row in about.past:
                figures = {name: value for name, value in row.items() if name not in ("step", "seconds")}
                self.log_metrics(figures, int(row["step"]) - 1)
        if about.trained is not None and (run_id := kept_id(about.trained, ID_FILE)) and not self.experiment.offline:
            self._link(f"model-{run_id}:best")

    def _link(self, artifact: str) -> None:
        """Says that the run uses an artifact, where it has been uploaded."""
        try:
            self.experiment.use_artifact(artifact)
        except (wandb.Error, ValueError) as error:
            log.info(f"Not linked to {artifact}: {error}")

    @rank_zero_only
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

    @rank_zero_only
    def publish(self, results: Results, step: int) -> None:
        """Figures and intervals into the summary, curves and table, and the checkpoint with its protocol."""
        run = self.experiment
        media: dict[str, Any] = {}
        for curve in results.curves:
            points = wandb.Table(columns=list(curve.axes), data=[list(point) for point in curve.points])
            media[curve.name] = wandb.plot.line(points, *curve.axes, title=curve.title)
        columns: list[str | int] = list(dict.fromkeys(name for row in results.rows for name in row))
        cells = [[known(row.get(str(name))) for name in columns] for row in results.rows]
        media[results.table] = wandb.Table(columns=columns, data=cells)
        self.log_metrics(media, step)
        run.summary.update(results.figures)
        if results.checkpoint is not None and self.artifact:
            artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=results.protocol)
            # A copy would go into the home folder, one a run.
            artifact.add_file(str(results.checkpoint), policy="immutable")
            run.log_artifact(artifact, aliases=["best"])

    @rank_zero_only
    def end(self, exit_code: int) -> None:
        """Ends the W&B run, so that the next job of a sweep gets its own."""
        run, self._experiment = self._experiment, None
        if run is None:
            return
        if exit_code in PREEMPTED:
            run.mark_preempting()
        run.finish(exit_code=exit_code)


def check_account() -> None:
    """Raises ConfigError where W&B would ask for an account, or knows that the key is wrong; asks no network."""
    out = (
        "Log in by `wandb login` or the environment variable WANDB_API_KEY, or do without: logger.wandb.mode=offline "
        "keeps the run here, logger=csv has no W&B."
    )
    try:
        if wandb.login(prompt=False, verify=False):
            return
    except wandb.Error as error:
        raise ConfigError(f"W&B refuses its key: {error} {out}") from error
    raise ConfigError(f"W&B has no account here. {out}")


def masks(picture: Picture) -> dict[str, dict[str, Any]]:
    """Ground truth and prediction for wandb.Image: small integers with their names."""
    labels = dict(enumerate([*picture.classes, NOT_COUNTED]))
    return {
        "ground_truth": {"mask_data": picture.truth.numpy(), "class_labels": labels},
        "prediction": {"mask_data": picture.prediction.numpy(), "class_labels": labels},
    }


def known(value: Any) -> Any:
    """A cell of a table: empty for NaN, which JSON has not."""
    return None if isinstance(value, float) and math.isnan(value) else value
