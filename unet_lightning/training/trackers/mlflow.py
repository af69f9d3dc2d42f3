"""MLflow, by default with one SQLite file for all runs."""

import logging
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger

from unet_lightning.errors import RunError
from unet_lightning.training.trackers.tracker import About, Picture, Results, Tracker, keep_id, kept_id

SQLITE = "sqlite:///"
ID_FILE = "mlflow-id"
STOPPED = 128  # exit codes from here on are signals


class MLflowTracker(Tracker, MLFlowLogger):
    """Lightning's MLFlowLogger with one MLflow run a run folder, which ends as the run did.

    A `tracking_uri` of `sqlite:///` and a file makes the file; its pictures are kept beside it, or where
    `artifact_location` says.
    """

    def __init__(self, tracking_uri: str, artifact_location: str | None = None, **arguments: Any) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves the machine unasked
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)  # they tell of every table of a new file
        if tracking_uri.startswith(SQLITE):
            file = Path(tracking_uri.removeprefix(SQLITE)).absolute()
            file.parent.mkdir(parents=True, exist_ok=True)
            tracking_uri = f"{SQLITE}{file}"
            artifact_location = artifact_location or str(file.with_suffix("")) + "-artifacts"
        super().__init__(tracking_uri=tracking_uri, artifact_location=artifact_location, **arguments)

    def begin(self, about: About) -> None:
        """Starts the MLflow run, or goes on with that of the folder; RunError where MLflow does not have it."""
        from mlflow.exceptions import MlflowException

        self._run_id = kept_id(about.folder, ID_FILE) if about.resumable else None
        if self._run_id is not None:
            try:
                self.experiment.update_run(self._run_id, status="RUNNING")
            except MlflowException as error:
                raise RunError(
                    f"{about.folder / ID_FILE} names the MLflow run {self._run_id}, which is not in "
                    f"{self._tracking_uri}. Set logger.mlflow.tracking_uri to where it is, or remove that file to "
                    "begin a new MLflow run."
                ) from error
            return  # its parameters cannot be changed
        self._run_name = self._run_name or about.name
        # MLflow would send the user's name and the path of the program.
        person = {"mlflow.user": "", "mlflow.source.name": "unet_lightning"}
        self.tags = {"group": about.group, "job_type": about.job_type} | person | (self.tags or {})
        if about.trained is not None and (parent := kept_id(about.trained, ID_FILE)):
            self.tags["mlflow.parentRunId"] = parent
        self.log_hyperparams(dict(about.config))
        if about.resumable:
            keep_id(about.folder, ID_FILE, str(self.run_id))

    def show(self, pictures: Sequence[Picture], step: int) -> None:
        """Photograph, ground truth and prediction side by side."""
        for one in pictures:
            strip = one.strip().permute(1, 2, 0).numpy()  # (H, 3 W, 3)
            self.experiment.log_image(self.run_id, strip, key=f"val images {key_of(one.image_id)}", step=step)

    def publish(self, results: Results, step: int) -> None:
        """The figures as metrics, and the protocol."""
        # The name of a class may be a part of a figure's name.
        named = {"/".join(map(key_of, name.split("/"))): value for name, value in results.figures.items()}
        self.log_metrics(named, step)
        self.experiment.log_dict(self.run_id, results.protocol, "protocol.json")

    def end(self, exit_code: int) -> None:
        """FINISHED, FAILED, or KILLED by a signal."""
        if self._initialized:
            failed = "KILLED" if exit_code >= STOPPED else "FAILED"
            self.experiment.set_terminated(self.run_id, failed if exit_code else "FINISHED")


def key_of(name: str) -> str:
    """What MLflow takes as the key of an image or class: letters of ASCII, digits and few signs; another for each."""
    key = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return key if key == name else f"{key}-{zlib.crc32(name.encode()):08x}"
