"""The package in Python, for notebooks: load what was trained, predict arrays, measure them, train objects of your own.

`from unet_lightning.api import load, measure, train`; see docs/api.md.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.errors import ConfigError
from unet_lightning.inference.photographs import as_photograph
from unet_lightning.inference.predictor import Ensemble, PredictionOptions, Predictor, make_predictor
from unet_lightning.metrics.summary import Summary, summarise
from unet_lightning.task import SegmentationTask
from unet_lightning.training.folder import followed
from unet_lightning.training.folds import load_networks
from unet_lightning.training.run import train

__all__ = ["Model", "load", "measure", "model_of", "train"]

Array = npt.NDArray[Any] | Tensor


@dataclass(frozen=True)
class Model:
    """A trained network, or the networks of a cross-validation as one.

    Attributes:
        predictor: of photographs as tensors.
        classes: names, background first.
    """

    predictor: Predictor | Ensemble
    classes: Sequence[str]

    def predict(self, image: Array, fov: Array | None = None) -> npt.NDArray[np.float32]:
        """The probability of each class but the background at each pixel.

        Args:
            image: a photograph, `(H, W, C)`, `(C, H, W)` or `(H, W)`, uint8, uint16, or floats in [0, 1].
            fov: `(H, W)` bool, the field of view, by which scale=auto measures; where None, it is found in the
                photograph, unless training was on whole images. Nothing is set to 0 outside it.

        Returns:
            `(H, W)` float32 in [0, 1]; with more than two classes `(C - 1, H, W)`.

        Warns:
            UserWarning: scale=auto has left the photograph at its own scale, as its field of view is not clear.

        Raises:
            ConfigError: the array is not a photograph.
        """
        field = None if fov is None else torch.as_tensor(fov).bool()
        prediction = self.predictor.predict(as_photograph(image, self.predictor.channels), field)
        if prediction.doubt is not None:
            warnings.warn(f"The photograph passed at its own scale: {prediction.doubt}.", stacklevel=2)
        found = prediction.probabilities.numpy()  # (C - 1, H, W)
        return found[0] if len(found) == 1 else found


def load(folder: str | Path, checkpoint: str | None = None, **options: Any) -> Model:
    """The network of a run folder, or those of a cross-validation.

    Args:
        folder: that training printed, such as `outputs/quick/latest`.
        checkpoint: `best`, `last` or None: the best, of a cross-validation the last.
        options: of `PredictionOptions`, such as `tta="d4"`.

    Raises:
        RunError: not a run folder, or a checkpoint is missing or broken.
        ConfigError: an option out of range.
    """
    networks = load_networks(followed(Path(folder)), checkpoint)
    return Model(make_predictor(networks, PredictionOptions(**options)), networks[0].classes)


def model_of(task: SegmentationTask, data: SegmentationDataModule, **options: Any) -> Model:
    """The network of a task that was trained here, as `load` gives one of a run.

    Args:
        task: trained.
        data: that it was trained on.
        options: of `PredictionOptions`.

    Raises:
        ConfigError: the data was not read yet, or an option out of range.
    """
    state = data.state_dict()
    if state["mean"] is None:
        raise ConfigError("The data was not read yet: train first, or call data.setup('fit').")
    predictor = Predictor(task.network, state["mean"], state["std"], PredictionOptions(**options), state["diameter"])
    return Model(predictor, state["classes"])


def measure(predictions: Array | Sequence[Array], labels: Array | Sequence[Array], threshold: float = 0.5) -> Summary:
    """Figures of predictions of one class, as `evaluate` has them: of each image, their means, and pooled.

    Args:
        predictions: `(H, W)` each, one or several: probabilities in [0, 1], or bool.
        labels: `(H, W)` each: bool, or 0, 1 and, where pixels do not count, 255.
        threshold: of the class from this probability on.

    Raises:
        ConfigError: sizes or values that do not go together.
    """
    maps, targets = [torch.as_tensor(one) for one in _several(predictions)], [_target(one) for one in _several(labels)]
    found = [[tuple(one.shape) for one in some] for some in (maps, targets)]
    if found[0] != found[1] or any(len(shape) != 2 for shape in found[0]):
        raise ConfigError(
            f"Expected a label (H, W) for each prediction, of its size; found predictions {found[0]} and labels "
            f"{found[1]}."
        )
    if not all(one.dtype == torch.bool or (0 <= float(one.min()) and float(one.max()) <= 1) for one in maps):
        raise ConfigError("Predictions must be bool, or probabilities from 0 to 1, without NaN.")
    soft = [one.float() for one in maps if one.dtype != torch.bool]
    return summarise(
        [one if one.dtype == torch.bool else one >= threshold for one in maps],
        targets,
        soft if len(soft) == len(maps) else (),
    )


def _several(given: Any) -> list[Any]:
    """One array, or several, as a list."""
    return [given] if isinstance(given, np.ndarray | Tensor) else list(given)


def _target(label: Array) -> Tensor:
    """A label as a target."""
    found = torch.as_tensor(label)
    values = {int(value) for value in torch.unique(found)}
    if not values <= {0, VESSEL, IGNORE} or values == {0, IGNORE}:
        raise ConfigError(
            f"A label holds 0, 1 and, where pixels do not count, {IGNORE}; found {sorted(values)[:5]}. A mask of 0 and "
            "255 is meant as label > 0."
        )
    return found.to(torch.uint8)
