"""The curves of an evaluation, over the pooled pixels of its images, as charts for its report."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.metrics.calibration import reliability
from unet_lightning.metrics.ranking import precision_recall_curve, roc_curve
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.charts import Point, calibration_chart, precision_recall_chart, roc_chart
from unet_lightning.results.wording import readable

HUMAN = "second observer"


class Chart(NamedTuple):
    """A chart with its heading, its caption and its picture."""

    title: str
    caption: str
    svg: str


def draw_charts(
    observers: Mapping[str, Summary],
    probabilities: Sequence[Tensor],
    targets: Sequence[Tensor],
    threshold: float | str,
) -> list[Chart]:
    """ROC, precision over recall, and calibration.

    None of them where the pixels are all vessel or all background, or where the network has no figures of probability,
    as of maps that are decisions.

    Args:
        observers: figures by name, the network first; `second observer` becomes a point where it is there.
        probabilities: the network's, `(H, W)` float32 in [0, 1], one an image.
        targets: `(H, W)` integer, one an image: BACKGROUND, VESSEL or IGNORE.
        threshold: a probability, or what stands for one, such as `argmax`.
    """
    name, model = next(iter(observers.items()))
    probability = torch.cat([one.flatten() for one in probabilities])
    target = torch.cat([one.flatten() for one in targets])
    prevalence = float((target == VESSEL).sum() / (target != IGNORE).sum())
    if not 0 < prevalence < 1 or "auroc" not in model.pooled:
        return []
    labels = {
        figure: f"{name}, {short} {readable(model.pooled.get(figure))}"
        for figure, short in (("auroc", "AUROC"), ("average_precision", "AP"), ("ece", "ECE"))
    }
    marked = [(f"{name}, threshold {threshold}", model.pooled, False)]
    if HUMAN in observers:
        marked.append((HUMAN, observers[HUMAN].pooled, True))
    roc = [Point(1 - p["specificity"], p["sensitivity"], label, human) for label, p, human in marked]
    ranked = [Point(p["sensitivity"], p["precision"], label, human) for label, p, human in marked]
    return [
        Chart(
            "ROC curve",
            f"Receiver operating characteristic: {labels['auroc']}"
            + _in_words(roc, "false positive rate", "sensitivity"),
            roc_chart(roc_curve(probability, target), labels["auroc"], roc),
        ),
        Chart(
            "Precision and recall",
            f"Precision over recall: {labels['average_precision']}"
            + _in_words(ranked, "recall", "precision")
            + f" Chance has the precision {prevalence:.4f}, the share of vessels.",
            precision_recall_chart(
                precision_recall_curve(probability, target), labels["average_precision"], ranked, prevalence
            ),
        ),
        Chart(
            "Calibration",
            f"The share of vessels among the pixels of a probability, and how many pixels have it: {labels['ece']}.",
            calibration_chart(
                reliability(probability, target), labels["ece"], None if isinstance(threshold, str) else threshold
            ),
        ),
    ]


def _in_words(points: Sequence[Point], x: str, y: str) -> str:
    """The marks for who cannot see them."""
    return "".join(f"; {point.label}: {x} {point.x:.4f}, {y} {point.y:.4f}" for point in points) + "."
