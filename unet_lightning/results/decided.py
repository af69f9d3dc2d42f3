"""Probability maps of a split with the thresholds that make vessels of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.seen import Findings, Leak, Seen, find, images_of
from unet_lightning.metrics.threshold import best_threshold
from unet_lightning.training.origin import MadeBy, Origin

USUAL_THRESHOLD = 0.5


@dataclass(frozen=True)
class Maps:
    """Probability maps of the photographs of one split."""

    dataset: SegmentationDataset
    split: str  # its name in the protocol
    probabilities: list[Tensor]  # (C - 1, H, W) float32 each, of each class but the background
    origin: Origin
    found: Findings = field(default_factory=Findings)  # of its images
    made_by: Sequence[MadeBy | None] = ()  # of each map what is known of its networks
    thresholds: Sequence[float] = ()  # of each photograph: the probability from which on a pixel is a vessel
    threshold_source: str = ""  # for the protocol
    frequent: int | None = None  # number of the most frequent class of the training labels, where it is known


def with_threshold(maps: Maps, value: float | None) -> Maps:
    """The maps with one threshold for all photographs; None is the usual one."""
    values = [USUAL_THRESHOLD if value is None else float(value)] * len(maps.dataset)
    return replace(maps, thresholds=values, threshold_source="default" if value is None else "given")


def chosen_on(images: Sequence[Seen], maps: Maps) -> Maps:
    """The maps, of whose images those leak that are among the images which chose the threshold."""
    ids = [one.image_id for one in images_of(maps.dataset) if find(one, images)]
    reasons = {**maps.found.leak_reasons, Leak.THRESHOLD: ids}
    return replace(maps, found=replace(maps.found, leak_reasons=reasons)) if ids else maps


def choose_threshold(maps: Maps, image_ids: Iterable[str]) -> float:
    """The threshold with the best Dice on some of the images."""
    chosen = [maps.dataset.image_ids.index(image_id) for image_id in image_ids]
    targets = [maps.dataset[index].target for index in chosen]
    return best_threshold([maps.probabilities[index][0] for index in chosen], targets)[0]
