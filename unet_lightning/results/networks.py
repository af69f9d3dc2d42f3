"""Maps of trained networks: a run, or a cross-validation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf
from rich.progress import track

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.errors import ConfigError, RunError
from unet_lightning.inference.predictor import PredictionOptions, make_predictor
from unet_lightning.metrics.threshold import best_threshold
from unet_lightning.results.maps import Maps, check_two_classes, open_photographs, with_threshold
from unet_lightning.results.stored import Leak
from unet_lightning.training.folds import first_run, load_networks
from unet_lightning.training.threshold import fingerprint, store_threshold
from unet_lightning.training.trained import Trained


class NetworkSource:
    """A network, or the networks of a cross-validation: one ensemble, but for the images that a fold has held out.

    Args:
        folder: of the run, or of the cross-validation.
        data: a whole `data` section, or values that change the run's own; null leaves one as it was.
        checkpoint: see `load_networks`.
        options: how photographs pass through a network.
    """

    def __init__(
        self,
        folder: Path,
        data: Mapping[str, Any],
        checkpoint: str | None = None,
        options: PredictionOptions | None = None,
    ) -> None:
        self.folder, self.options = folder, options or PredictionOptions()
        self.networks = load_networks(folder, checkpoint)
        self.folds = len(self.networks) > 1
        self.predictor = make_predictor(self.networks, self.options)
        self.own = first_run(folder).read_config()["data"]
        section = "_target_" in data
        same = not section or data["dataset"] == self.own["dataset"]
        if same:  # the files may have moved since training
            changes = {"root": data["root"]} if section else {k: v for k, v in data.items() if v is not None}
            self.own = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.merge(self.own, changes)))
        self.data = self.own if not section or (same and self.folds) else dict(data)

    def splits(self, split: str | None) -> list[str]:
        """A cross-validation measures the images that it held out and the test images, a run the test images."""
        if split is not None:
            return [split]
        return ["val", "test"] if self.folds and self.data is self.own else ["test"]

    def maps(self, split: str, threshold: float | str | None = None) -> Maps:
        """Maps of `val`, `test` or `all`; of a cross-validation's own images, each by the network that held it out.

        The threshold is a number, `val` (chosen on validation images, and stored in the folder), or None: the usual
        one, which of a cross-validation is chosen.
        """
        if self.folds and split == "val" and self.data is self.own:
            maps = self.validation_maps
        else:
            maps = self._predict(open_photographs(self.data, split), split)
        if threshold is not None:
            check_two_classes(maps.dataset)
        if threshold == "val" or (threshold is None and self.folds and len(maps.dataset.classes) == 2):
            return self._with_chosen_threshold(maps)
        return with_threshold(maps, None if threshold is None else float(threshold))

    @cached_property
    def validation_maps(self) -> Maps:
        """Maps of the networks' own validation images, in the order of the data set."""
        ids = {image_id for trained in self.networks for image_id in trained.val_ids}
        dataset = open_photographs(self.own | {"val_ids": None, "folds": None, "fold": None}, "train")
        return self._predict(dataset.subset([image_id for image_id in dataset.image_ids if image_id in ids]), "val")

    def _with_chosen_threshold(self, maps: Maps) -> Maps:
        """The maps with the threshold that is best on validation images; held-out ones get that of the other folds."""
        image_ids = maps.dataset.image_ids
        val_ids = [image_id for trained in self.networks for image_id in trained.val_ids]
        if not val_ids:
            raise RunError(f"{self.folder} had no validation images to choose from: give threshold a number.")
        own = maps.dataset.name == self.networks[0].dataset
        validates = own and maps.split == "val" and set(image_ids) == set(val_ids)
        watched = maps if validates else self.validation_maps
        value = choose_threshold(watched, watched.dataset.image_ids)
        store_threshold(self.folder, value, watched.dataset.image_ids, fingerprint(self.networks, self.options))
        if self.folds and validates:
            values: dict[str, float] = {}
            for trained in self.networks:
                others = [image_id for image_id in val_ids if image_id not in trained.val_ids]
                values |= dict.fromkeys(trained.val_ids, choose_threshold(maps, others))
            thresholds = [values[image_id] for image_id in image_ids]
            return replace(maps, thresholds=thresholds, threshold_source="the images of the other folds")
        words = "out-of-fold images" if self.folds else f"validation images {', '.join(watched.dataset.image_ids)}"
        leak = dict(maps.leak)
        if chosen_on := [image_id for image_id in image_ids if own and image_id in val_ids]:
            leak[Leak.THRESHOLD] = chosen_on
        return replace(maps, leak=leak, thresholds=[value] * len(image_ids), threshold_source=words)

    def _predict(self, dataset: SegmentationDataset, split: str) -> Maps:
        """Maps by the ensemble, or by the one network that held an image out."""
        first = self.networks[0]
        if len(dataset.classes) != len(first.classes):
            raise ConfigError(
                f"The network knows {len(first.classes)} classes ({', '.join(first.classes)}), the labels of "
                f"{dataset.name} have {len(dataset.classes)} ({', '.join(dataset.classes)})."
            )
        own = dataset.name == first.dataset
        folds = self.networks if self.folds and own and split == "val" else []
        held_out_by = {image_id: trained for trained in folds for image_id in trained.val_ids}
        maps, leak = [], dict[Leak, list[str]]()
        for index, image_id in enumerate(track(dataset.image_ids, f"{dataset.name} {split}", transient=True)):
            networks = [held_out_by[image_id]] if image_id in held_out_by else self.networks
            predictor = make_predictor(networks, self.options) if image_id in held_out_by else self.predictor
            maps.append(predictor(dataset.photo(index), dataset.field_of_view(index)))
            if reason := why_it_leaks(image_id, dataset.name, networks):
                leak.setdefault(reason, []).append(image_id)
        origin = {
            "networks": [trained.stamp() for trained in self.networks],
            "trained_on": first.dataset,
            "initial_weights": first.initial_weights,
            "initial_weights_saw": first.initial_ids,
            "tta": self.options.tta,
            "scale": self.options.scale,
            "tiles": self.predictor.describe(),
        }
        return Maps(dataset, split, maps, origin, leak)


def why_it_leaks(image_id: str, dataset: str, networks: Sequence[Trained]) -> Leak | None:
    """Why the figures of networks on an image of a data set prove nothing; None where they do."""
    if any(image_id in trained.trained_ids.get(dataset, []) for trained in networks):
        return Leak.TRAINED
    if any(trained.selected and trained.dataset == dataset and image_id in trained.val_ids for trained in networks):
        return Leak.EPOCH
    return None


def choose_threshold(maps: Maps, image_ids: Iterable[str]) -> float:
    """The threshold with the best Dice on some of the images."""
    chosen = [maps.dataset.image_ids.index(image_id) for image_id in image_ids]
    targets = [maps.dataset.samples[index].target for index in chosen]
    return best_threshold([maps.probabilities[index][0] for index in chosen], targets)[0]
