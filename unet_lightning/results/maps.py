"""Probability maps of a split and what makes vessels of them: by trained networks, or by another program."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import OmegaConf

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.form import Form
from unet_lightning.data.seen import Findings, Seen, find, images_of, nearest
from unet_lightning.errors import ConfigError, DataError, RunError
from unet_lightning.inference.predictor import PredictionOptions, make_predictor
from unet_lightning.progress import counted
from unet_lightning.results.decided import USUAL_THRESHOLD, Maps, choose_threshold, chosen_on, with_threshold
from unet_lightning.results.places import evaluation_name
from unet_lightning.specs import SECTIONS, build
from unet_lightning.text import shown
from unet_lightning.training.config import without_drawing
from unet_lightning.training.folds import first_run, load_networks
from unet_lightning.training.loose import TUTORIAL, assumed, shown_moments
from unet_lightning.training.measurable import command_of, why_no_test
from unet_lightning.training.origin import made_by, origin_of
from unet_lightning.training.threshold import chosen_threshold, fingerprint, store_threshold
from unet_lightning.training.trained import Trained, joint_form


def open_photographs(data: Mapping[str, Any], split: str, form: Form | None = None) -> SegmentationDataset:
    """The photographs of a split of a `data` section, read as networks take them where a form is given.

    Raises:
        ConfigError: there is none, or they have other channels than the networks take.
    """
    dataset: SegmentationDataset = build(data, SECTIONS["data"]).photographs(split)
    if not len(dataset):
        raise ConfigError(f"The {split} split of {dataset.name} has no image.")
    if form is not None:
        dataset.read_as(form)
    return dataset


class NetworkSource:
    """A network, or the networks of a cross-validation: one ensemble, but for the images that a fold has held out.

    Args:
        folder: of the run, or of the cross-validation.
        data: a whole `data` section, or values that change the run's own; null leaves one as it was.
        checkpoint: see `load_networks`.
        options: how photographs pass through a network.
        networks: those to measure, where the folder is that of no run; then `data` must be a whole section.
    """

    def __init__(
        self,
        folder: Path,
        data: Mapping[str, Any],
        checkpoint: str | None,
        options: PredictionOptions,
        networks: Sequence[Trained] = (),
    ) -> None:
        self.folder, self.options, self.checkpoint = folder, options, checkpoint
        self.networks = list(networks) or load_networks(folder, checkpoint)
        self.folds, self.form = len(self.networks) > 1, joint_form(self.networks)
        self.held_out = {image_id: trained for trained in self.networks for image_id in trained.val_ids}
        self.predictor = make_predictor(self.networks, self.options)
        self.own = dict(data) if networks else first_run(folder).read_config()["data"]
        section = "_target_" in data
        same = not section or data["dataset"] == self.own["dataset"]
        if same:  # the files may have moved since training
            changes = {"root": data["root"]} if section else {k: v for k, v in data.items() if v is not None}
            self.own = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.merge(self.own, changes)))
        self.own = self.own if data.get("root") else without_drawing(self.own)
        self.data = self.own if not section or (same and self.folds) else dict(data)

    def splits(self, split: str | None) -> list[str]:
        """A cross-validation measures the images that it held out, and the test images where there are some.

        A run measures the test images; ConfigError where there are none.
        """
        if split is not None:
            return [split]
        data: SegmentationDataModule = build(self.data, SECTIONS["data"])
        own, why = self.data is self.own, why_no_test(data)
        if self.folds and own:
            if why:
                print(f"Out-of-fold figures alone, and none of test images: {shown(why)}.")
            return ["val"] if why else ["val", "test"]
        if why:
            instead = own and command_of(data, self.folder)
            other = "Add split=all for all images, with LEAK where they were seen."
            remedy = f"Its validation images: {instead}" if instead else other
            raise ConfigError(f"Nothing can be measured on test images: {why}. {remedy}")
        return ["test"]

    def name(self, split: str, threshold: float | str | None = None, **measured: Any) -> str:
        """The name of the evaluation of a split: the data set, the split, and the settings that are not the usual.

        What is `measured` in another way than the usual one is added.
        """
        usual = ("last", "val") if self.folds else ("best", USUAL_THRESHOLD)
        given = zip(("checkpoint", "threshold"), (self.checkpoint, threshold), usual, strict=True)
        settings = self.options.unusual() | {name: value for name, value, own in given if value not in (None, own)}
        if (said := assumed(self.networks[0])) != shown_moments(**TUTORIAL):
            settings |= said
        return evaluation_name(open_photographs(self.data, split).name, split, settings | measured)

    def maps(self, split: str, threshold: float | str | None = None) -> Maps:
        """Maps of `val`, `test` or `all`; of a cross-validation's own images, each by the network that held it out.

        The threshold is a number, `val` (chosen on validation images, and stored in the folder), or None: the usual
        one, which of a cross-validation is chosen.
        """
        classes = self.networks[0].classes
        if threshold is not None and len(classes) > 2:
            raise ConfigError(
                f"A threshold decides between two classes, the network knows {len(classes)} ({', '.join(classes)}): "
                "leave threshold out, each pixel gets its most probable class."
            )
        if self.folds and split == "val" and self.data is self.own:
            maps = self.validation_maps
        else:
            maps = self.predict(open_photographs(self.data, split, self.form), split)
        if threshold == "val" or (threshold is None and self.folds and len(maps.dataset.classes) == 2):
            return self._with_chosen_threshold(maps)
        maps = with_threshold(maps, None if threshold is None else float(threshold))
        chosen = threshold is not None and threshold == chosen_threshold(self.folder)
        return chosen_on(self._watched, maps) if chosen else maps

    @property
    def _watched(self) -> list[Seen]:
        """The networks' own validation images."""
        return [image for trained in self.networks for image in trained.watched]

    @cached_property
    def validation_maps(self) -> Maps:
        """Maps of the networks' own validation images, in the order of the data set."""
        dataset = open_photographs(self.own | {"val_ids": None, "folds": None, "fold": None}, "train", self.form)
        return self.predict(dataset.subset([one for one in dataset.image_ids if one in self.held_out]), "val")

    def _with_chosen_threshold(self, maps: Maps) -> Maps:
        """The maps with the threshold that is best on validation images; held-out ones get that of the other folds."""
        image_ids = maps.dataset.image_ids
        if not self.held_out:
            raise RunError(f"{self.folder} had no validation images to choose from: give threshold a number.")
        images = images_of(maps.dataset)
        held_out = [one.image_id for one in images if find(one, self._watched)]
        validates = maps.split == "val" and held_out == image_ids and set(image_ids) == set(self.held_out)
        watched = maps if validates else self.validation_maps
        watched_ids = watched.dataset.image_ids
        value = choose_threshold(watched, watched_ids)
        store_threshold(self.folder, value, watched_ids, fingerprint(self.networks, self.options))
        if self.folds and validates:
            values: dict[str, float] = {}
            for own in dict.fromkeys(tuple(trained.val_ids) for trained in self.networks):  # once for all seeds
                others = [image_id for image_id in self.held_out if image_id not in own]
                values |= dict.fromkeys(own, choose_threshold(maps, others))
            thresholds = [values[image_id] for image_id in image_ids]
            return replace(maps, thresholds=thresholds, threshold_source="the images of the other folds")
        words = "out-of-fold images" if self.folds else f"validation images {', '.join(watched_ids)}"
        maps = chosen_on(images_of(watched.dataset), maps)
        return replace(maps, thresholds=[value] * len(image_ids), threshold_source=words)

    def _held_out_by(self) -> str:
        """Which networks answer for an out-of-fold image, in words."""
        seeds = list(dict.fromkeys(trained.seed for trained in self.networks))
        if len(seeds) == 1:
            return "each image by the network that held it out"
        return f"each image by the {len(seeds)} networks that held it out, of the seeds {', '.join(map(str, seeds))}"

    def predict(self, dataset: SegmentationDataset, split: str) -> Maps:
        """Maps by the ensemble, or by the one network that held an image out."""
        first = self.networks[0]
        if len(dataset.classes) != len(first.classes):
            raise ConfigError(
                f"The network knows {len(first.classes)} classes ({', '.join(first.classes)}), the labels of "
                f"{dataset.name} have {len(dataset.classes)} ({', '.join(dataset.classes)})."
            )
        tta, scale, tiles = self.options.tta, self.options.scale, self.predictor.describe()
        origin = replace(origin_of(self.networks, tta, scale, tiles), assumed=assumed(first))
        maps, said, found = [], [], Findings()
        for index, image in enumerate(counted(images_of(dataset), f"{dataset.name} {split}")):
            folds = self.networks if self.folds and split == "val" else []
            networks = [one for one in folds if find(image, one.watched)] or self.networks
            predictor = self.predictor if networks is self.networks else make_predictor(networks, self.options)
            try:
                photo, field = dataset.photo(index), dataset.field_of_view(index)
                if field is None and not dataset.terms.finds_field:  # by which scale=auto looks for no disc
                    field = torch.ones(photo.shape[1:], dtype=torch.bool)
                prediction = predictor.predict(photo, field)
            except DataError as error:
                raise DataError(f"Image {image.image_id} of {dataset.name}: {error}") from error
            maps.append(prediction.probabilities)
            if prediction.doubt is not None:
                found.own_scale.setdefault(prediction.doubt, []).append(image.image_id)
            found.look(image, networks, partial(nearest, dataset.photo(index), networks))
            said.append(made_by(networks, origin, found.near_duplicates.get(image.image_id)))
        if self.folds and split == "val":  # out-of-fold images, which chose nothing
            found.watched.clear()
            if self.held_out.keys() >= {*dataset.image_ids}:
                origin = replace(origin, out_of_fold=self._held_out_by())
        return Maps(dataset, split, maps, origin, found, said, frequent=first.frequent)
