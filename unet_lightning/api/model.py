"""A trained network to use: on photographs, and on photographs with labels."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
from torch import nn

from unet_lightning.data.arrays import several
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.own import Given, GivenImages, Item
from unet_lightning.errors import ConfigError, RunError
from unet_lightning.inference.predictor import Ensemble, PredictionOptions, Predictor, make_predictor
from unet_lightning.metrics.surface import TOLERANCE
from unet_lightning.task import SegmentationTask
from unet_lightning.training.folder import followed
from unet_lightning.training.folds import load_networks
from unet_lightning.training.loose import load_loose, words_of_loose
from unet_lightning.training.trained import NOBODY, Trained, joint_form, trained_of

if TYPE_CHECKING:
    from unet_lightning.results.scores import Evaluation

Map = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """A trained network, or the networks of a cross-validation as one.

    Attributes:
        networks: with what is known of their training.
        options: how photographs pass through them.
    """

    networks: Sequence[Trained]
    options: PredictionOptions

    def __post_init__(self) -> None:
        _ = self.predictor  # what is wrong comes up now

    @cached_property
    def predictor(self) -> Predictor | Ensemble:
        """Of photographs as tensors."""
        return make_predictor(self.networks, self.options)

    @property
    def classes(self) -> list[str]:
        """Their names, background first."""
        return self.networks[0].classes

    @overload
    def predict(self, image: Given, fov: Given | None = None) -> Map: ...
    @overload
    def predict(self, image: list[Given], fov: list[Given] | None = None) -> list[Map]: ...

    def predict(self, image: Given | list[Given], fov: Given | list[Given] | None = None) -> Map | list[Map]:
        """The probability of each class but the background at each pixel.

        Args:
            image: a photograph: the path of a file, which is read as `predict` does; or an array, `(H, W, C)`,
                `(C, H, W)` or `(H, W)`, uint8, uint16, or floats in [0, 1]. Or a list of photographs.
            fov: the field of view, by which scale=auto measures: the path of a mask, or `(H, W)` bool; a list of them
                for a list. Where None, it is found in the photograph, unless training was on whole images. Nothing is
                set to 0 outside it.

        Returns:
            `(H, W)` float32 in [0, 1]; with more than two classes `(C - 1, H, W)`. For a list a list.

        Warns:
            UserWarning: scale=auto has left the photograph at its own scale, as its field of view is not clear.

        Raises:
            ConfigError: an array is not a photograph, or the numbers of photographs and fields of view differ.
            DataError: a file is missing, broken or no photograph, or its mask has another size.
        """
        if isinstance(image, list):
            fovs: list[Any] = fov if isinstance(fov, list) else [fov] * len(image)
            if len(fovs) != len(image) or not isinstance(fov, list | None):
                raise ConfigError(f"Expected a list of a field of view for each of {len(image)} photographs.")
            return [self.predict(*pair) for pair in zip(image, fovs, strict=True)]
        given = GivenImages([Item(image, None, "given", fov)], form=joint_form(self.networks))  # type: ignore[arg-type]  # a list is
        prediction = self.predictor.predict(given.photo(0), given.field_of_view(0))
        if prediction.doubt is not None:
            warnings.warn(f"The photograph passed at its own scale: {prediction.doubt}.", stacklevel=2)
        found: Map = prediction.probabilities.numpy()  # (C - 1, H, W)
        return found[0] if len(found) == 1 else found

    def evaluate(
        self,
        images: Given | list[Given],
        labels: Given | list[Given],
        fov: Given | list[Given] | None = None,
        threshold: float | None = None,
        groups: Sequence[str] | None = None,
        tolerance: float = TOLERANCE,
        instances: bool = False,
    ) -> "Evaluation":
        """The figures of the program `evaluate`, on images with labels.

        Args:
            images: one or several, as `predict` takes them.
            labels: of each: the path of a file, or `(H, W)`: bool, or the numbers of classes and, where pixels do not
                count, 255.
            fov: of each where pixels count: the path of a mask, or `(H, W)` bool; None: it is found in photographs if
                it was in training, else all pixels do.
            threshold: of two classes, the second one from this probability on; None: 0.5.
            groups: whose each image is; None: each stands for itself.
            tolerance: of the normalised surface distance, pixels.
            instances: whether objects are matched one by one, too.

        Returns:
            `figures`, the `protocol` that they stand under, and with more than two classes `classes.each`.

        Warns:
            UserWarning: the network was trained on an image, or its epoch was chosen on it.

        Raises:
            ConfigError: numbers, sizes or values that do not go together.
            DataError: a file is missing, broken or not what is expected.
        """
        from unet_lightning.results.decided import with_threshold
        from unet_lightning.results.maps import NetworkSource
        from unet_lightning.results.scores import evaluate_maps

        if threshold is not None and (len(self.classes) > 2 or not 0 <= threshold <= 1):
            raise ConfigError(f"threshold is from 0 to 1, and of two classes alone, found {threshold}.")
        photos, drawn = several(images), several(labels)
        fields = [None] * len(photos) if fov is None else several(fov)
        people = [None] * len(photos) if groups is None else list(groups)
        if not photos or not len(photos) == len(drawn) == len(fields) == len(people):
            raise ConfigError(
                "Expected a label, and a field of view and a group if you give them, for each of at least one image; "
                f"found {len(photos)} images, {len(drawn)} labels, {len(fields)} fields of view, {len(people)} groups."
            )
        names = [Path(one).stem if isinstance(one, str | Path) else f"image_{at}" for at, one in enumerate(photos)]
        items = [Item(*one) for one in zip(photos, drawn, names, fields, people, strict=True)]
        first = self.networks[0]
        where = "auto" if fov is None and first.looks_for_field else "mask"
        given = GivenImages(items, self.classes, "images", first.task, where, joint_form(self.networks))
        maps = NetworkSource(Path(), {}, None, self.options, self.networks).predict(given, "given")
        found = evaluate_maps(with_threshold(maps, threshold), tolerance, instances)
        if found.protocol.leak:
            warnings.warn(
                f"LEAK: {', '.join(found.protocol.leak)}: the network was trained on them, or they chose its epoch. "
                "Their figures prove nothing.",
                stacklevel=2,
            )
        return found


def load(
    source: str | Path,
    checkpoint: str | None = None,
    normalize: Mapping[str, Sequence[float]] | None = None,
    network: nn.Module | None = None,
    **options: Any,
) -> Model:
    """The network of a run, the networks of a cross-validation, or those of a file.

    Args:
        source: the folder that training printed, such as `outputs/quick/latest`; or a file, a checkpoint or weights of
            the U-Net.
        checkpoint: of a folder, `best`, `last` or None: the best, of a cross-validation the last.
        normalize: of a file of weights alone, `mean` and `std` of each channel in its training, in [0, 1]; None: those
            of the tutorial.
        network: of the checkpoint of a network that was built in Python, one like it; its weights are replaced.
        options: of `PredictionOptions`, such as `tta="d4"`.

    Warns:
        UserWarning: what is taken for granted of a file of weights, which does not say how photographs pass.

    Raises:
        RunError: neither a run nor a file, or a checkpoint is missing, broken or of another network.
        ConfigError: an option out of range, or one that does not go with the source.
    """
    path = followed(Path(source))
    if not path.exists():
        raise RunError(
            f"No trained network: looked for {path} in {Path.cwd()}. Give the folder of a run, such as "
            "outputs/quick/latest, or that of a cross-validation, or a file, a checkpoint or weights of the U-Net. "
            "Networks that have a name do not come with this version."
        )
    useless = {"checkpoint": checkpoint} if path.is_file() else {"normalize": normalize, "network": network}
    if given := [name for name, value in useless.items() if value is not None]:
        kind = "folder, whose run says it" if path.is_dir() else "file, which is it"
        raise ConfigError(f"{given[0]} has no meaning here, leave it out: {path} is a {kind}.")
    networks = load_networks(path, checkpoint) if path.is_dir() else [load_loose(path, {}, normalize, network)]
    if networks[0].loose:
        warnings.warn(words_of_loose(networks[0]), stacklevel=2)
    return Model(networks, PredictionOptions(**options))


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
    # Which epoch it is, and what chose it, is not known: validation images count as seen.
    trained = trained_of(task.network, state, None, selected=True, epoch=NOBODY)
    return Model([trained], PredictionOptions(**options))
