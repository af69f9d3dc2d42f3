"""An evaluation as trackers show it: figures with intervals, two curves, a table."""

import math
from pathlib import Path
from typing import Any

import torch

from unet_lightning.data.labels import one_against_rest
from unet_lightning.metrics.calibration import reliability
from unet_lightning.metrics.ranking import precision_recall_curve
from unet_lightning.metrics.summary import FIGURES
from unet_lightning.results.scores import Evaluation
from unet_lightning.training.trackers.tracker import Curve, Results

POINTS = 200  # of a curve


def results_of(evaluation: Evaluation, protocol: dict[str, Any], prefix: str, checkpoint: Path | None) -> Results:
    """An evaluation as trackers take it.

    Args:
        evaluation: the figures.
        protocol: what was measured how.
        prefix: of the names: `best`, or the split.
        checkpoint: that was measured.
    """
    figures: dict[str, float] = {}
    curves: list[Curve] = []
    for number, name in enumerate(evaluation.names):
        home = prefix if len(evaluation.names) == 1 else f"{prefix}/{name.removeprefix('model: ')}"
        summary = evaluation.observers[name]
        for figure in (one for one in FIGURES if one in summary.mean):
            shown = f"{home}/{'dice_per_image' if figure == 'dice' else figure}"
            low, high = summary.interval[figure]
            figures |= {shown: summary.mean[figure], f"{shown}_low": low, f"{shown}_high": high}
        figures[f"{home}/dice_pooled"] = summary.pooled["dice"]
        curves += curves_of(evaluation, number, home)
    if checkpoint is not None:
        figures[f"{prefix}/epoch"] = protocol["networks"][0]["epoch"]
    rows = [
        {"observer": observer, "image": image_id, "leak": image_id in protocol["leak"]} | row
        for observer, summary in evaluation.observers.items()
        for image_id, row in zip(evaluation.maps.dataset.image_ids, summary.per_image, strict=True)
    ]
    figures = {name: value for name, value in figures.items() if not math.isnan(value)}
    return Results(figures, curves, f"{prefix}/per_image", rows, protocol, checkpoint)


def curves_of(evaluation: Evaluation, number: int, home: str) -> list[Curve]:
    """Precision over recall, and calibration, over all counted pixels; none for maps that are decisions."""
    if "auroc" not in evaluation.observers[evaluation.names[number]].pooled:
        return []
    maps = evaluation.maps
    probability = torch.cat([one[number].flatten() for one in maps.probabilities])
    target = torch.cat([one_against_rest(sample.target, number + 1).flatten() for sample in maps.dataset.samples])
    recall, precision = precision_recall_curve(probability, target, POINTS)
    bins = [one for one in reliability(probability, target) if one.pixels]
    return [
        Curve(
            f"{home}/precision_recall",
            "Precision and recall",
            ("recall", "precision"),
            list(zip(recall.tolist(), precision.tolist(), strict=True)),
        ),
        Curve(
            f"{home}/calibration",
            "Calibration",
            ("probability of a vessel", "share of vessels"),
            [(one.probability, one.share) for one in bins],
        ),
    ]
