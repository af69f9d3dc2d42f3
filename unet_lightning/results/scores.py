"""Figures of probability maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.labels import VESSEL, one_against_rest
from unet_lightning.metrics.summary import Summary, summarise
from unet_lightning.metrics.threshold import decide
from unet_lightning.results.curves import HUMAN
from unet_lightning.results.maps import Maps, Threshold

AGAINST_SECOND = "model against second observer"


@dataclass(frozen=True)
class Evaluation:
    """The figures of one split.

    Attributes:
        maps: what was measured.
        threshold: what made vessels of it.
        vessels: `(C - 1, H, W)` bool for each photograph.
        observers: figures by the name of who drew: `model` (with more than two classes `model: <class>`), the second
            observer, and the model against the second observer where the data set has one.
    """

    maps: Maps
    threshold: Threshold
    vessels: list[Tensor]
    observers: dict[str, Summary]

    @property
    def names(self) -> list[str]:
        """The names of the model, one for each class but the background."""
        return model_names(self.maps.dataset.classes)


def evaluate_maps(maps: Maps, threshold: Threshold) -> Evaluation:
    """Scores maps inside the field of view, at the photographs' own resolution."""
    dataset = maps.dataset
    vessels = [decide(*pair) for pair in zip(maps.probabilities, threshold.values, strict=True)]
    first = [sample.target for sample in dataset.samples]
    second = second_observer(dataset)
    observers: dict[str, Summary] = {}
    for number, name in enumerate(model_names(dataset.classes)):
        drawn = [one[number] for one in vessels]
        soft = [one[number] for one in maps.probabilities]
        # Two-valued maps are decisions: ranking and calibration would be of no probability.
        soft = soft if any(len(torch.unique(one)) > 2 for one in soft) else []
        observers[name] = summarise(drawn, [one_against_rest(target, number + 1) for target in first], soft)
    if second and len(dataset.classes) == 2:
        observers[HUMAN] = summarise([target == VESSEL for target in second], first)
        observers[AGAINST_SECOND] = summarise([one[0] for one in vessels], second, soft)
    return Evaluation(maps, threshold, vessels, observers)


def model_names(classes: Sequence[str]) -> list[str]:
    """`model`, or one name for each class but the background."""
    return ["model"] if len(classes) == 2 else [f"model: {name}" for name in classes[1:]]


def second_observer(dataset: SegmentationDataset) -> list[Tensor]:
    """What the second observer drew; empty where an image has none, with a word on it where others have one."""
    targets = [dataset.second_target(index) for index in range(len(dataset))]
    found = [target for target in targets if target is not None]
    if found and len(found) < len(targets):
        lacking = [image_id for image_id, target in zip(dataset.image_ids, targets, strict=True) if target is None]
        print(f"No row for the second observer: no label of theirs for {', '.join(lacking)}.")
        return []
    return found
