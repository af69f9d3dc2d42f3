"""Figures of probability maps, with the protocol that they stand under."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.labels import VESSEL, one_against_rest
from unet_lightning.data.shares import doubts, shares_of
from unet_lightning.metrics.instances import WORDS
from unet_lightning.metrics.several import ClassFigures, summarise_classes
from unet_lightning.metrics.summary import Summary, summarise
from unet_lightning.metrics.surface import TOLERANCE
from unet_lightning.metrics.threshold import decide
from unet_lightning.progress import counted
from unet_lightning.results.decided import Maps
from unet_lightning.results.protocol import Protocol
from unet_lightning.results.stored import MODEL, of_class
from unet_lightning.results.trivial import trivial_maps
from unet_lightning.training.provenance import commit, versions


@dataclass(frozen=True)
class MeasuredImage:
    """A photograph with what was found of one class, and what is there."""

    image_id: str
    photo: Tensor  # (C, H, W) uint8 or float32
    probability: Tensor  # of the class, (H, W) float32 in [0, 1]
    vessels: Tensor  # (H, W) bool, what was called the class
    target: Tensor  # (H, W) integer: VESSEL where the class is, BACKGROUND or IGNORE


@dataclass(frozen=True)
class Evaluation:
    """The figures of one split: of the model and, where there is a second observer, of them and against them.

    With more than two classes `model` has the means over the classes but the background, and each class its own.
    """

    maps: Maps  # what was measured
    images: dict[str, list[MeasuredImage]]  # `model`, or with more than two classes each `model: <class>`
    observers: dict[str, Summary]  # figures by the name of who drew, the model's first
    protocol: Protocol
    classes: ClassFigures | None  # where there are more than two
    trivial: dict[str, Summary]  # of maps that look at no photograph, by their names

    @property
    def dataset(self) -> SegmentationDataset:
        """The photographs, with their labels."""
        return self.maps.dataset

    @property
    def figures(self) -> Summary:
        """Those of the model."""
        return self.observers[MODEL]


def evaluate_maps(maps: Maps, tolerance: float = TOLERANCE, instances: bool = False) -> Evaluation:
    """Scores maps inside the field of view, at the photographs' own resolution.

    Args:
        maps: with their thresholds.
        tolerance: of the normalised surface distance, pixels.
        instances: whether objects are matched one by one, too: see `metrics.instances`.
    """
    dataset, classes = maps.dataset, maps.dataset.classes
    terms = dataset.terms
    how: dict[str, Any] = {"groups": dataset.groups, "tolerance": tolerance, "instances": instances}
    how |= {"shape": terms.shape, "watch": partial(counted, words=f"{dataset.name} {maps.split}, measuring")}
    protocol, trivial = protocol_of(maps, instances), trivial_maps(dataset, maps.frequent)
    names = [MODEL] if len(classes) == 2 else [of_class(name) for name in classes[1:]]
    images: dict[str, list[MeasuredImage]] = {name: [] for name in names}
    for sample, probability, threshold in zip(dataset, maps.probabilities, maps.thresholds, strict=True):
        vessels = decide(probability, threshold)
        for number, name in enumerate(names):
            target = one_against_rest(sample.target, number + 1)
            one = MeasuredImage(sample.image_id, sample.image, probability[number], vessels[number], target)
            images[name].append(one)
    if len(classes) > 2:
        if any(one.second_label is not None for one in dataset.files):
            print(f"No figures of the {terms.second}: they are measured with two classes alone.")
        called = [called_of(one) for one in zip(*images.values(), strict=True)]
        targets = [sample.target.as_subclass(Tensor) for sample in dataset]
        figures = summarise_classes(called, targets, maps.probabilities, len(classes), **how)
        each = {of_class(name): one for name, one in zip(classes, figures.each, strict=True)}
        return Evaluation(maps, images, {MODEL: figures.mean} | each, protocol, figures, trivial)
    first = [one.target for one in images[MODEL]]
    observers = {MODEL: figures_of(images[MODEL], first, **how)}
    if second := second_observer(dataset):
        observers[terms.second] = summarise([target == VESSEL for target in second], first, **how)
        observers[terms.against_second] = figures_of(images[MODEL], second, **how)
    return Evaluation(maps, images, observers, protocol, None, trivial)


def called_of(of_classes: Sequence[MeasuredImage]) -> Tensor:
    """The class that each pixel of a photograph was called, `(H, W)` uint8."""
    called = torch.zeros(of_classes[0].vessels.shape, dtype=torch.uint8)
    for number, one in enumerate(of_classes, start=1):
        called.masked_fill_(one.vessels, number)
    return called


def figures_of(images: Sequence[MeasuredImage], targets: Sequence[Tensor], **how: Any) -> Summary:
    """The figures of the model against an observer's targets; `how`: see `summarise`."""
    probabilities = [one.probability for one in images]
    # Two-valued maps are decisions: ranking and calibration would be of no probability.
    soft = any(len(torch.unique(one)) > 2 for one in probabilities)
    return summarise([one.vessels for one in images], targets, probabilities if soft else [], **how)


def second_observer(dataset: SegmentationDataset) -> list[Tensor]:
    """What the second observer drew; empty where an image has none, with a word on it where others have one."""
    targets = {image_id: dataset.second_target(index) for index, image_id in enumerate(dataset.image_ids)}
    found = [target for target in targets.values() if target is not None]
    if found and len(found) < len(targets):
        lacking = ", ".join(image_id for image_id, target in targets.items() if target is None)
        print(f"No row for the {dataset.terms.second}: no label of theirs for {lacking}.")
        return []
    return found


def pooled(images: Sequence[MeasuredImage]) -> tuple[Tensor, Tensor]:
    """Probability and target of the pixels of all images, `(N,)` each."""
    return torch.cat([one.probability.flatten() for one in images]), torch.cat([one.target.flatten() for one in images])


def protocol_of(maps: Maps, instances: bool = False) -> Protocol:
    """What was measured how; `instances`: whether objects are matched one by one."""
    dataset, low, high = maps.dataset, min(maps.thresholds), max(maps.thresholds)
    two, leaks = len(dataset.classes) == 2, {one for ids in maps.found.leak_reasons.values() for one in ids}
    by_image = dict(zip(dataset.image_ids, maps.thresholds, strict=True)) if two and low != high else None
    labels, label_doubts = labels_of(dataset)
    return Protocol(
        **vars(maps.origin),
        **vars(maps.found),
        dataset=dataset.name,
        split=maps.split,
        images=len(dataset),
        reference=dataset.terms.reference,
        region=dataset.region,
        resolution="the photographs' own",
        task=None if dataset.task == "vessels" else "regions",
        threshold="argmax" if not two else low if low == high else f"{low} to {high}",
        threshold_source=maps.threshold_source if two else "the most probable class",
        thresholds=by_image,
        classes=None if two else list(dataset.classes),
        instances=WORDS if instances else None,
        commit=commit(),
        versions=versions(),
        content=contents_of(dataset),
        labels=labels,
        label_doubts=label_doubts,
        leak=[image_id for image_id in dataset.image_ids if image_id in leaks],
    )


def labels_of(dataset: SegmentationDataset) -> tuple[str, list[str]]:
    """What the labels hold, and what is doubtful about them; DataError where nothing counts in one."""
    first = shares_of(dataset.image_ids, dataset.classes, [sample.target for sample in dataset])
    doubtful = doubts(first, dataset.most_foreground)
    if second := [target for index in range(len(dataset)) if (target := dataset.second_target(index)) is not None]:
        if len(second) == len(dataset):
            found = doubts(shares_of(dataset.image_ids, dataset.classes, second), dataset.most_foreground)
            doubtful += [f"Of the {dataset.terms.second}: {doubt}" for doubt in found]
    return str(first), doubtful


def contents_of(dataset: SegmentationDataset) -> dict[str, dict[str, str]]:
    """What each image is, whatever it is called: digests of `photograph` and `label`, and its `group` if it has one."""
    found = {}
    for index, image_id in enumerate(dataset.image_ids):
        content = dataset.content(index)
        found[image_id] = {name: content[name] for name in ("photograph", "label") if name in content}
        if dataset.groups is not None:
            found[image_id]["group"] = dataset.patient_of(image_id)
    return found
