"""Figures of a set of images: a row for each image, mean and standard deviation over images, and pooled pixels."""

import functools
import math
import operator
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from unet_lightning.data.terms import SHAPE
from unet_lightning.metrics.calibration import (
    ReliabilityBin,
    brier_score,
    expected_calibration_error,
    reliability,
)
from unet_lightning.metrics.calibre import CalibreCounts, count_by_calibre
from unet_lightning.metrics.instances import NAMES as INSTANCES
from unet_lightning.metrics.instances import count_instances, sources_of
from unet_lightning.metrics.overlap import Counts, count
from unet_lightning.metrics.pooled import Source, of_counts, of_probabilities
from unet_lightning.metrics.ranking import area_under_roc, average_precision
from unet_lightning.metrics.statistics import Groups, mean_interval, pooled_interval, why_unknown
from unet_lightning.metrics.surface import TOLERANCE, names, surface_distances
from unet_lightning.metrics.topology import centreline_dice, component_error

# The figures in the order of every table.
RATES = ("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "mcc")
RANKINGS = ("auroc", "average_precision")  # need probabilities
CALIBRATION = ("ece", "brier")  # need probabilities
TOPOLOGY = {"cldice": centreline_dice, "component_error": component_error}  # of single images: they cannot be pooled
SURFACE = names()  # of single images; of another tolerance the second has another name
CALIBRES = ("sensitivity_thin", "sensitivity_thick")
FIGURES = (*RATES, *RANKINGS, *CALIBRATION, *TOPOLOGY, *SURFACE, *CALIBRES)
PARTIAL = (*CALIBRES, "instance_sq")  # of which an image may have none: it is left out of their means
LOWER_IS_BETTER = frozenset({"ece", "brier", "component_error", "hd95", "count_error"})
# Lowest and highest value; of all others 0 and 1.
BOUNDS = {"mcc": (-1.0, 1.0)} | dict.fromkeys(("component_error", "count_error", "hd95"), (0.0, math.inf))
Pairs = Sequence[tuple[Tensor, Tensor]]  # map and target of each image


@dataclass(frozen=True)
class Summary:
    """Figures by name.

    For an image without thin (or thick) vessels, the sensitivity for them is NaN, as is the overlap of matched objects
    where none is matched: mean, SD and interval of such a figure are over the images that have it. Any other NaN, such
    as the AUROC of an image without vessels, makes the mean of its figure NaN, since an image that should count could
    not be measured. Of one class among several, or of their mean, every NaN is left out: see `metrics.several`.
    """

    per_image: list[dict[str, float]]  # a row for each image
    mean: dict[str, float]  # over images
    sd: dict[str, float]  # sample standard deviation over images; NaN for a single one
    interval: dict[str, tuple[float, float]]  # 95 % interval of the mean; NaN where `why_unknown` has an entry
    pooled: dict[str, float]  # over the pixels of all images; has no figures of topology
    why_unknown: dict[str, str] = field(default_factory=dict)  # of figures whose mean has no interval, such as too few
    pooled_interval: dict[str, tuple[float, float]] = field(default_factory=dict)  # 95 % interval; NaN as of the mean


def summarise(
    vessels: Sequence[Tensor],
    targets: Sequence[Tensor],
    probabilities: Sequence[Tensor] = (),
    one_of_several: bool = False,
    groups: Groups = None,
    tolerance: float = TOLERANCE,
    instances: bool = False,
    shape: Collection[str] = SHAPE,
    watch: Callable[[Pairs], Iterable[tuple[Tensor, Tensor]]] = iter,
) -> Summary:
    """Figures of vessel maps, and of the probabilities that they come from; a human observer has none.

    There must be an image.

    Args:
        vessels: `(H, W)` bool each.
        targets: `(H, W)` integer each: BACKGROUND, VESSEL or IGNORE.
        probabilities: `(H, W)` float32 in [0, 1] each; none of a human.
        one_of_several: of several classes figures without a meaning in an image are NaN: all but those of pixels that
            are of other classes where neither map nor target has it.
        groups: the group of each image, such as its patient, for the intervals; None: each image is its own.
        tolerance: of the normalised surface distance, pixels.
        instances: whether connected components are matched one by one, too: see `metrics.instances`.
        shape: which of the figures of TOPOLOGY and CALIBRES have a meaning: see `Terms`.
        watch: passes the images one by one while what takes long is measured, such as beside a bar.
    """
    pairs = list(zip(vessels, targets, strict=True))
    counts = [count(*pair) for pair in pairs]
    per_image = [_rates(one, RATES) for one in counts]
    whole = functools.reduce(operator.add, counts)
    pooled = _rates(whole, RATES)
    sources = {name: of_counts(counts, functools.partial(_rate, name, one_of_several)) for name in RATES}
    if probabilities:
        bins = [reliability(*pair) for pair in zip(probabilities, targets, strict=True)]
        for row, probability, target, its in zip(per_image, probabilities, targets, bins, strict=True):
            row |= _of_probabilities(probability, target, its)
        soft, there = (torch.cat([image.flatten() for image in images]) for images in (probabilities, targets))
        pooled |= _of_probabilities(soft, there, reliability(soft, there))
        sources |= of_probabilities(probabilities, targets, bins)
    for row, pair in zip(per_image, watch(pairs), strict=True):
        row |= {name: figure(*pair) for name, figure in TOPOLOGY.items() if name in shape}
        row |= surface_distances(*pair, tolerance).named(tolerance)
    if wanted := [name for name in CALIBRES if name in shape]:
        calibres = [count_by_calibre(*pair) for pair in pairs]
        for row, calibre in zip(per_image, calibres, strict=True):
            row |= _rates(calibre, wanted)
        pooled |= _rates(functools.reduce(operator.add, calibres), wanted)
        sources |= {name: of_counts(calibres, operator.attrgetter(name)) for name in wanted}
    if instances:
        matches = [count_instances(*pair) for pair in pairs]
        for row, one in zip(per_image, matches, strict=True):
            row |= {name: getattr(one, name) for name in INSTANCES}
        objects = sources_of(matches)
        pooled |= {name: figure(parts.sum(axis=0)) for name, (parts, figure) in objects.items()}
        sources |= objects
    if one_of_several:
        for row, found in zip([*per_image, pooled], [*counts, whole], strict=True):
            absent = without_meaning(found)
            absent |= {*names(tolerance)} if "hd95" in absent else set()
            row |= dict.fromkeys(row.keys() & absent, math.nan)
    return summary_of(per_image, pooled, one_of_several, groups, sources)


def without_meaning(counts: Counts) -> set[str]:
    """The figures that counts say nothing of: 0 divided by 0, or both map and target empty."""
    there, called = counts.true_positive + counts.false_negative, counts.true_positive + counts.false_positive
    others = counts.true_negative + counts.false_positive
    needed = {
        "accuracy": there + others,
        "sensitivity": there,
        "precision": called,
        "specificity": others,
    }
    return {name for name in (*FIGURES, *INSTANCES) if name not in CALIBRATION and not needed.get(name, there + called)}


def summary_of(
    per_image: list[dict[str, float]],
    pooled: dict[str, float],
    one_of_several: bool = False,
    groups: Groups = None,
    sources: Mapping[str, Source] = MappingProxyType({}),
) -> Summary:
    """Mean, standard deviation and intervals of the figures of each image; `sources` are what is pooled, by figure."""
    summary = Summary(per_image, {}, {}, {}, pooled)
    for name, source in sources.items():
        summary.pooled_interval[name] = pooled_interval(pooled[name], *source, groups, bounds_of(name))
    for name in per_image[0]:
        partial = one_of_several or name in PARTIAL
        kept = [at for at, row in enumerate(per_image) if not partial or not math.isnan(row[name])]
        values = [per_image[at][name] for at in kept]
        unknown = len(values) < 2 or any(map(math.isnan, values))
        summary.mean[name] = statistics.fmean(values) if values else math.nan
        summary.sd[name] = math.nan if unknown else statistics.stdev(values)
        their = None if groups is None else [groups[at] for at in kept]
        summary.interval[name] = mean_interval(values, their, bounds_of(name))
        if reason := why_unknown(values, their):
            summary.why_unknown[name] = reason
    return summary


def of_images_alone(figure: str) -> bool:
    """Whether a figure is of single images, so that pooled pixels have none."""
    return figure in (*TOPOLOGY, *SURFACE, "count_error") or figure.startswith("nsd_")


def bounds_of(figure: str) -> tuple[float, float]:
    """The lowest and the highest value that a figure can have."""
    return BOUNDS.get(figure, (0.0, 1.0))


def _rates(counts: Counts | CalibreCounts, names: Sequence[str]) -> dict[str, float]:
    return {name: getattr(counts, name) for name in names}


def _rate(name: str, with_meaning: bool, counts: Counts) -> float:
    return math.nan if with_meaning and name in without_meaning(counts) else float(getattr(counts, name))


def _of_probabilities(probability: Tensor, target: Tensor, bins: Sequence[ReliabilityBin]) -> dict[str, float]:
    rankings = (area_under_roc(probability, target), average_precision(probability, target))
    calibration = (expected_calibration_error(bins), brier_score(probability, target))
    return dict(zip(RANKINGS + CALIBRATION, rankings + calibration, strict=True))
