"""Where probability maps come from: trained networks, or a folder that another program has filled."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.progress import track
from torch import Tensor

from unet_lightning.crossvalidation import folds_of
from unet_lightning.data.fundus import FundusDataset
from unet_lightning.errors import ConfigError, DataError, RunError
from unet_lightning.files import write_text
from unet_lightning.inference.maps import read_probability
from unet_lightning.inference.predictor import Ensemble, Predictor, choose_device
from unet_lightning.launch import instantiate
from unet_lightning.metrics.threshold import best_threshold
from unet_lightning.runfolder import RunFolder, Trained

USUAL_THRESHOLD = 0.5
CHOSEN = "the threshold was chosen on"  # a reason for LEAK


@dataclass(frozen=True)
class Passing:
    """How a photograph passes through networks; see `Predictor`."""

    device: str = "auto"
    tile: str | int = "auto"
    blend: str = "crop"
    tta: str = "none"
    scale: str | float = "auto"

    def predictor(self, networks: Sequence[Trained]) -> Predictor | Ensemble:
        """The predictor of one network, or of several as one."""
        options: dict[str, Any] = {name: getattr(self, name) for name in ("tile", "blend", "tta", "scale")}
        device = choose_device(self.device)
        predictors = [
            Predictor(trained.network, trained.mean, trained.std, device, diameter=trained.diameter, **options)
            for trained in networks
        ]
        return predictors[0] if len(predictors) == 1 else Ensemble(predictors)


@dataclass(frozen=True)
class Maps:
    """Probability maps of the photographs of one split.

    Attributes:
        dataset: the photographs.
        split: their name in the protocol.
        probabilities: `(C - 1, H, W)` float32 for each photograph, of each class but the background.
        leak: why figures of an image prove nothing: reason to image ids.
    """

    dataset: FundusDataset
    split: str
    probabilities: list[Tensor]
    leak: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold:
    """From which probability on a pixel is a vessel, for each photograph, and where that was taken from."""

    values: list[float]
    source: str

    @property
    def shown(self) -> float | str:
        """One number, or the range of several."""
        low, high = min(self.values), max(self.values)
        return low if low == high else f"{low} to {high}"


class Source(Protocol):
    """Gives maps, thresholds and what a protocol says of them."""

    folder: Path

    def splits(self, split: str | None) -> list[str]:
        """The splits to measure where the command names one, or none."""

    def maps(self, split: str) -> Maps:
        """The maps of a split."""

    def threshold(self, maps: Maps, given: float | str | None) -> Threshold:
        """The threshold for `maps`: a number, `val` or None, the usual one."""

    def stamp(self) -> dict[str, Any]:
        """What the protocol says of where the maps come from."""


def load_networks(folder: Path, checkpoint: str | None) -> list[Trained]:
    """The network of a run, or those of a cross-validation, fold 0 first.

    Folds give their last checkpoints: no epoch is chosen on the images that they hold out, so that out-of-fold
    figures are clean.

    Args:
        folder: of the run, or of the sweep.
        checkpoint: `best`, `last` or None, the usual one.

    Raises:
        RunError: neither, or a checkpoint is missing or broken.
    """
    run = RunFolder(folder)
    if run.config_file.is_file() or not run.jobs():
        return [run.load(checkpoint)]
    return [fold.load(checkpoint or "last") for fold in folds_of(run)]


class NetworkSource:
    """A network, or the networks of a cross-validation: one ensemble, but for the images that a fold has held out.

    Args:
        folder: of the run, or of the cross-validation.
        given: what the command says of the data: a whole `data` section, or values that change the run's own.
        checkpoint: see `load_networks`.
        passing: how photographs pass.
    """

    def __init__(self, folder: Path, given: Mapping[str, Any], checkpoint: str | None, passing: Passing) -> None:
        self.folder, self.passing = folder, passing
        self.networks = load_networks(folder, checkpoint)
        self.predictor = passing.predictor(self.networks)
        first = (RunFolder(folder).jobs() or [RunFolder(folder)])[0]
        trained_with = first.read_config()["data"]
        self.own = trained_with if "_target_" in given else trained_with | given
        self.data = dict(given) if "_target_" in given else self.own

    @property
    def folds(self) -> bool:
        """Whether this is a cross-validation."""
        return len(self.networks) > 1

    def splits(self, split: str | None) -> list[str]:
        """A cross-validation measures the images that it held out and the test images, a run the test images."""
        if split is not None:
            return [split]
        return ["val", "test"] if self.folds and self.data is self.own else ["test"]

    def maps(self, split: str) -> Maps:
        """Maps of a split; of a cross-validation's own images, each by the network that held it out."""
        dataset = open_photographs(self.data, split) if not (self.folds and split == "val") else self._held_out()
        return self._predict(dataset, split)

    def threshold(self, maps: Maps, given: float | str | None) -> Threshold:
        """The threshold for `maps`; one chosen on validation images is stored in the folder.

        In a cross-validation it is chosen by default, and the images of each fold get the one of the other folds.
        """
        if given != "val" and not (given is None and self.folds):
            return fixed_threshold(given, len(maps.dataset))
        check_two_classes(maps.dataset)
        ids = [image_id for trained in self.networks for image_id in trained.val_ids]
        if not ids:
            raise RunError(f"{self.folder} had no validation images to choose from: give threshold a number.")
        own = maps.dataset.name == self.networks[0].dataset
        watched = maps
        if not (own and maps.split == "val" and set(maps.dataset.image_ids) == set(ids)):
            watched = self._predict(self._held_out(), "val")
        value = choose(watched, watched.dataset.image_ids)
        self._store(value, watched)
        if self.folds and watched is maps:
            values: dict[str, float] = {}
            for trained in self.networks:
                others = [image_id for image_id in ids if image_id not in trained.val_ids]
                values |= dict.fromkeys(trained.val_ids, choose(maps, others))
            return Threshold([values[image_id] for image_id in maps.dataset.image_ids], "the images of the other folds")
        if both := [image_id for image_id in maps.dataset.image_ids if own and image_id in ids]:
            maps.leak[CHOSEN] = both
        said = "out-of-fold images" if self.folds else f"validation images {', '.join(watched.dataset.image_ids)}"
        return Threshold([value] * len(maps.dataset), said)

    def stamp(self) -> dict[str, Any]:
        """What the protocol says of the networks and of how photographs passed."""
        first = self.networks[0]
        return {
            "networks": [trained.stamp() for trained in self.networks],
            "trained_on": first.dataset,
            "initial_weights": first.initial_weights,
            "tta": self.passing.tta,
            "scale": self.passing.scale,
            "tiles": self.predictor.describe(),
        }

    def _held_out(self) -> FundusDataset:
        """The validation images of the networks, in the order of the data set."""
        config = self.own | {"val_ids": None, "folds": None, "fold": None}
        ids = {image_id for trained in self.networks for image_id in trained.val_ids}
        dataset = open_photographs(config, "train")
        return dataset.subset([image_id for image_id in dataset.image_ids if image_id in ids])

    def _predict(self, dataset: FundusDataset, split: str) -> Maps:
        """Maps by the ensemble, or by the one network that held an image out."""
        check_classes(dataset, self.networks[0].classes)
        own = dataset.name == self.networks[0].dataset
        alone: dict[str, Trained] = {}
        if self.folds and own and split == "val":
            for trained in self.networks:
                alone |= dict.fromkeys(trained.val_ids, trained)
        maps = []
        for index in shown(range(len(dataset)), f"{dataset.name} {split}"):
            held_out_by = alone.get(dataset.image_ids[index])
            predictor = self.predictor if held_out_by is None else self.passing.predictor([held_out_by])
            maps.append(predictor(dataset.photo(index), dataset.field_of_view(index)))
        leak: dict[str, list[str]] = {}
        for image_id in dataset.image_ids if own else []:
            by = self.networks if image_id not in alone else [alone[image_id]]
            if any(image_id in trained.trained_ids for trained in by):
                leak.setdefault("trained on", []).append(image_id)
            elif any(trained.selected and image_id in trained.val_ids for trained in by):
                leak.setdefault("the epoch was selected on", []).append(image_id)
        return Maps(dataset, split, maps, leak)

    def _store(self, value: float, watched: Maps) -> None:
        """Keeps a chosen threshold with the run, for `predict --threshold val`."""
        stored = {"threshold": value, "images": watched.dataset.image_ids, "tta": self.passing.tta}
        write_text(self.folder / "threshold.json", json.dumps(stored, indent=2))


class FolderSource:
    """Probability maps of another program: `<image id or name of the photograph>.png` or `.npy` in a folder.

    Args:
        folder: with the maps.
        given: the `data` section.

    Raises:
        ConfigError: the folder does not exist, or no data set is named.
    """

    def __init__(self, folder: Path, given: Mapping[str, Any]) -> None:
        if not folder.is_dir():
            raise ConfigError(f"No folder of probability maps: {folder}.")
        if "_target_" not in given:
            raise ConfigError("predictions needs the data set that the maps belong to, such as data=drive.")
        self.folder, self.given = folder, given

    def splits(self, split: str | None) -> list[str]:
        """The split named, or test."""
        return [split or "test"]

    def maps(self, split: str) -> Maps:
        """The maps of every photograph of a split."""
        dataset = open_photographs(self.given, split)
        check_two_classes(dataset)
        probabilities = []
        for index, record in enumerate(dataset.records):
            names = [f"{stem}{suffix}" for stem in (record.image_id, record.photo.stem) for suffix in (".png", ".npy")]
            found = [name for name in dict.fromkeys(names) if (self.folder / name).is_file()]
            if len(found) != 1:
                raise DataError(
                    f"{'Two maps' if found else 'No map'} of image {record.image_id} in {self.folder}: looked for "
                    f"{', '.join(dict.fromkeys(names))}, expected one of them."
                )
            probability = read_probability(self.folder / found[0])
            expected = dataset.photo(index).shape[1:]
            if probability.shape != expected:
                raise DataError(
                    f"The map {self.folder / found[0]} is {tuple(probability.shape)}, the photograph of image "
                    f"{record.image_id} {tuple(expected)} (height, width): both must have one size."
                )
            probabilities.append(probability.unsqueeze(0))
        return Maps(dataset, split, probabilities)

    def threshold(self, maps: Maps, given: float | str | None) -> Threshold:
        """A number: there is no validation to choose on."""
        return fixed_threshold(given, len(maps.dataset))

    def stamp(self) -> dict[str, Any]:
        """The protocol knows no more than the folder."""
        unknown = dict.fromkeys(("trained_on", "initial_weights"))
        return {"networks": [], "predictions": self.folder.name, "tta": "-", "scale": "-", "tiles": "-"} | unknown


def open_photographs(config: Mapping[str, Any], split: str) -> FundusDataset:
    """The photographs of a split of a `data` section.

    Raises:
        ConfigError: there is none.
    """
    dataset: FundusDataset = instantiate(dict(config), "data").photographs(split)
    if not len(dataset):
        raise ConfigError(f"The {split} split of {dataset.name} has no image.")
    return dataset


def check_classes(dataset: FundusDataset, classes: Sequence[str]) -> None:
    """Raises ConfigError where a network knows another number of classes than the labels have."""
    if len(dataset.classes) != len(classes):
        raise ConfigError(
            f"The network knows {len(classes)} classes ({', '.join(classes)}), the labels of {dataset.name} have "
            f"{len(dataset.classes)} ({', '.join(dataset.classes)})."
        )


def check_two_classes(dataset: FundusDataset) -> None:
    """Raises ConfigError where there is no single class that a threshold could decide on."""
    if len(dataset.classes) > 2:
        raise ConfigError(
            f"A threshold decides between two classes, {dataset.name} has {len(dataset.classes)}: each pixel gets its "
            "most probable class, leave threshold out."
        )


def fixed_threshold(given: float | str | None, images: int) -> Threshold:
    """The number given, or the usual one."""
    value = USUAL_THRESHOLD if given is None else float(given)
    return Threshold([value] * images, "default" if given is None else "given")


def choose(maps: Maps, image_ids: Iterable[str]) -> float:
    """The threshold with the best Dice on some of the images."""
    chosen = [maps.dataset.image_ids.index(image_id) for image_id in image_ids]
    targets = [maps.dataset.samples[index].target for index in chosen]
    return best_threshold([maps.probabilities[index][0] for index in chosen], targets)[0]


def shown(items: Sequence[int], what: str) -> Iterable[int]:
    """The items with a progress bar."""
    return track(items, description=what, transient=True)
