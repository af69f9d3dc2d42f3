"""Figures of probability maps, with the protocol that they stand under."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.labels import VESSEL, one_against_rest
from unet_lightning.metrics.summary import Summary, summarise
from unet_lightning.metrics.threshold import decide
from unet_lightning.results.maps import Maps
from unet_lightning.results.stored import AGAINST_SECOND, MODEL, SECOND
from unet_lightning.training.provenance import commit, versions


@dataclass(frozen=True)
class MeasuredImage:
    """A photograph with what was found of one class, and what is there.

    Attributes:
        image_id: the data set's name for it.
        photo: `(3, H, W)` uint8.
        probability: of the class, `(H, W)` float32 in [0, 1].
        vessels: `(H, W)` bool, what was called the class.
        target: `(H, W)` integer: VESSEL where the class is, BACKGROUND or IGNORE.
    """

    image_id: str
    photo: Tensor
    probability: Tensor
    vessels: Tensor
    target: Tensor


@dataclass(frozen=True)
class Evaluation:
    """The figures of one split.

    Attributes:
        dataset: what was measured on.
        images: by the name of the model: `model`, or with more than two classes `model: <class>` for each.
        observers: figures by the name of who drew: those of the model, then, where the data set has a second observer,
            theirs, and the model's against them.
        protocol: what was measured how.
    """

    dataset: SegmentationDataset
    images: dict[str, list[MeasuredImage]]
    observers: dict[str, Summary]
    protocol: dict[str, Any]


def evaluate_maps(maps: Maps) -> Evaluation:
    """Scores maps inside the field of view, at the photographs' own resolution."""
    dataset, classes = maps.dataset, maps.dataset.classes
    names = [MODEL] if len(classes) == 2 else [f"{MODEL}: {name}" for name in classes[1:]]
    found = [decide(*pair) for pair in zip(maps.probabilities, maps.thresholds, strict=True)]
    images = {
        name: [
            MeasuredImage(
                sample.image_id,
                dataset.photo(index),
                maps.probabilities[index][number],
                found[index][number],
                one_against_rest(sample.target, number + 1),
            )
            for index, sample in enumerate(dataset.samples)
        ]
        for number, name in enumerate(names)
    }
    observers = {name: figures_of(measured, [one.target for one in measured]) for name, measured in images.items()}
    second = second_observer(dataset)
    if second and len(classes) == 2:
        first = [one.target for one in images[MODEL]]
        observers[SECOND] = summarise([target == VESSEL for target in second], first)
        observers[AGAINST_SECOND] = figures_of(images[MODEL], second)
    return Evaluation(dataset, images, observers, protocol_of(maps))


def figures_of(images: Sequence[MeasuredImage], targets: Sequence[Tensor]) -> Summary:
    """The figures of the model against an observer's targets."""
    probabilities = [one.probability for one in images]
    # Two-valued maps are decisions: ranking and calibration would be of no probability.
    soft = any(len(torch.unique(one)) > 2 for one in probabilities)
    return summarise([one.vessels for one in images], targets, probabilities if soft else [])


def second_observer(dataset: SegmentationDataset) -> list[Tensor]:
    """What the second observer drew; empty where an image has none, with a word on it where others have one."""
    targets = [dataset.second_target(index) for index in range(len(dataset))]
    found = [target for target in targets if target is not None]
    if found and len(found) < len(targets):
        lacking = [image_id for image_id, target in zip(dataset.image_ids, targets, strict=True) if target is None]
        print(f"No row for the second observer: no label of theirs for {', '.join(lacking)}.")
        return []
    return found


def pooled(images: Sequence[MeasuredImage]) -> tuple[Tensor, Tensor]:
    """Probability and target of the pixels of all images, `(N,)` each."""
    return torch.cat([one.probability.flatten() for one in images]), torch.cat([one.target.flatten() for one in images])


def protocol_of(maps: Maps) -> dict[str, Any]:
    """What was measured how: stands on every table, and beside the figures on disk."""
    dataset = maps.dataset
    low, high = min(maps.thresholds), max(maps.thresholds)
    two = len(dataset.classes) == 2
    return {
        "dataset": dataset.name,
        "split": maps.split,
        "images": len(dataset),
        "reference": "first observer",
        "region": dataset.region,
        "resolution": "the photographs' own",
        "threshold": "argmax" if not two else low if low == high else f"{low} to {high}",
        "threshold_source": maps.threshold_source if two else "the most probable class",
        **maps.origin,
        "commit": commit(),
        "versions": versions(),
        "leak": [image_id for image_id in dataset.image_ids if any(image_id in ids for ids in maps.leak.values())],
        "leak_reasons": {reason.value: ids for reason, ids in maps.leak.items()},
    }
