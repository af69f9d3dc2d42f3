"""TensorBoard, from a folder within the run's."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger

from unet_lightning.training.trackers.tracker import About, Picture, Results, Tracker


class TensorBoardTracker(Tracker, TensorBoardLogger):
    """Lightning's TensorBoardLogger with pictures, and with the results beside the config in its HPARAMS."""

    def __init__(self, save_dir: str, name: str = "tensorboard", version: str = "", **arguments: Any) -> None:
        super().__init__(save_dir, name=name, version=version, **arguments)

    def begin(self, about: About) -> None:
        """Keeps the config, as hparams.yaml and for the end."""
        self.config = dict(about.config)
        self.log_hyperparams(self.config)

    def show(self, pictures: Sequence[Picture], step: int) -> None:
        """Photograph, ground truth and prediction side by side."""
        for one in pictures:
            self.experiment.add_image(f"val/images/{one.image_id}", one.strip(), step)

    def publish(self, results: Results, step: int) -> None:
        """The figures as scalars, and as HPARAMS with the config."""
        self.log_hyperparams(self.config, results.figures, step)
