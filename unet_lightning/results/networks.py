"""Maps of trained networks: a run, or a cross-validation."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.errors import ConfigError, RunError
from unet_lightning.files import write_text
from unet_lightning.inference.predictor import Ensemble, PredictionOptions, Predictor, make_predictor
from unet_lightning.metrics.threshold import best_threshold
from unet_lightning.results.crossvalidation import folds_of
from unet_lightning.results.maps import Maps, Threshold, check_two_classes, fixed_threshold, open_photographs
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.trained import Trained

# Reasons for LEAK.
CHOSEN, SELECTED, TRAINED = "the threshold was chosen on", "the epoch was selected on", "trained on"


class Passing(PredictionOptions):
    """How a photograph passes through networks; see `Predictor`."""

    def predictor(self, networks: Sequence[Trained]) -> Predictor | Ensemble:
        """The predictor of one network, or of several as one."""
        return make_predictor(networks, self)


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
        self.own = first.read_config()["data"]
        same = "_target_" not in given or given.get("dataset") == self.own["dataset"]
        if same:  # the files may have moved since
            self.own = merged(self.own, given if "_target_" not in given else {"root": given["root"]})
        self.data = self.own if "_target_" not in given or (same and self.folds) else dict(given)
        self._watched: Maps | None = None

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
        if self.folds and split == "val" and self.data is self.own:
            return self._held_out()
        return self._predict(open_photographs(self.data, split), split)

    def threshold(self, maps: Maps, given: float | str | None) -> Threshold:
        """The threshold for `maps`; one chosen on validation images is stored in the folder.

        In a cross-validation it is chosen by default, and the images of each fold get the one of the other folds.
        """
        several = len(maps.dataset.classes) > 2
        if given is not None:
            check_two_classes(maps.dataset)
        if given != "val" and not (given is None and self.folds and not several):
            return fixed_threshold(given, len(maps.dataset))
        ids = [image_id for trained in self.networks for image_id in trained.val_ids]
        if not ids:
            raise RunError(f"{self.folder} had no validation images to choose from: give threshold a number.")
        own = maps.dataset.name == self.networks[0].dataset
        watched = maps
        if not (own and maps.split == "val" and set(maps.dataset.image_ids) == set(ids)):
            watched = self._held_out()
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
            "initial_weights_saw": first.initial_ids,
            "tta": self.passing.tta,
            "scale": self.passing.scale,
            "tiles": self.predictor.describe(),
        }

    def _held_out(self) -> Maps:
        """Maps of the networks' own validation images, in the order of the data set."""
        if self._watched is None:
            config = self.own | {"val_ids": None, "folds": None, "fold": None}
            ids = {image_id for trained in self.networks for image_id in trained.val_ids}
            dataset = open_photographs(config, "train")
            chosen = dataset.subset([image_id for image_id in dataset.image_ids if image_id in ids])
            self._watched = self._predict(chosen, "val")
        return self._watched

    def _predict(self, dataset: SegmentationDataset, split: str) -> Maps:
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
        for image_id in dataset.image_ids:
            by = self.networks if image_id not in alone else [alone[image_id]]
            if any(image_id in trained.trained_ids.get(dataset.name, []) for trained in by):
                leak.setdefault(TRAINED, []).append(image_id)
            elif own and any(trained.selected and image_id in trained.val_ids for trained in by):
                leak.setdefault(SELECTED, []).append(image_id)
        return Maps(dataset, split, maps, leak)

    def _store(self, value: float, watched: Maps) -> None:
        """Keeps a chosen threshold with the run, for `predict --threshold val`."""
        stored = {"threshold": value, "images": watched.dataset.image_ids} | fingerprint(self.networks, self.passing)
        write_text(self.folder / "threshold.json", json.dumps(stored, indent=2))


def fingerprint(networks: Sequence[Trained], passing: PredictionOptions) -> dict[str, Any]:
    """What a threshold was chosen for: another network, or another way through it, has another threshold."""
    digests = [trained.stamp()["sha256"] for trained in networks]
    return {"networks": digests, "tta": passing.tta, "scale": passing.scale}


def merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The config with values, also nested ones, changed."""
    result = dict(config)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if nested else value
    return result


def check_classes(dataset: SegmentationDataset, classes: Sequence[str]) -> None:
    """Raises ConfigError where a network knows another number of classes than the labels have."""
    if len(dataset.classes) != len(classes):
        raise ConfigError(
            f"The network knows {len(classes)} classes ({', '.join(classes)}), the labels of {dataset.name} have "
            f"{len(dataset.classes)} ({', '.join(dataset.classes)})."
        )


def choose(maps: Maps, image_ids: Iterable[str]) -> float:
    """The threshold with the best Dice on some of the images."""
    chosen = [maps.dataset.image_ids.index(image_id) for image_id in image_ids]
    targets = [maps.dataset.samples[index].target for index in chosen]
    return best_threshold([maps.probabilities[index][0] for index in chosen], targets)[0]


def shown(items: Sequence[int], what: str) -> Iterable[int]:
    """The items with a progress bar."""
    return track(items, description=what, transient=True)
