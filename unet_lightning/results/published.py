"""An evaluation as trackers show it: beside the run that was trained, or as a run of its own."""

import logging
import math
from pathlib import Path
from typing import Any

from unet_lightning.inference.predictor import PredictionOptions
from unet_lightning.metrics.calibration import reliability
from unet_lightning.metrics.ranking import precision_recall_curve
from unet_lightning.metrics.summary import FIGURES
from unet_lightning.results.evaluation import dice_with_interval, write_evaluation
from unet_lightning.results.networks import NetworkSource
from unet_lightning.results.scores import Evaluation, MeasuredImage, evaluate_maps, pooled
from unet_lightning.results.stored import MODEL
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.folds import first_run
from unet_lightning.training.loggers import begin, build_loggers, described, end, group_of, show_results
from unet_lightning.training.trackers.tracker import About, Curve, Results

POINTS = 200  # of a curve

log = logging.getLogger(__name__)


def score_best(run: RunFolder, trainer: Any) -> None:
    """Measures the best network on the validation images, as `evaluate split=val` does, for sweeps and dashboards.

    Args:
        run: that has just been trained; nothing is done where it has no validation.
        trainer: Lightning's, whose loggers show the figures.
    """
    if not run.best.is_file():
        return
    device = "cpu" if trainer.strategy.root_device.type == "cpu" else "auto"
    source = NetworkSource(run.path, {}, "best", PredictionOptions(device=device))
    evaluation = evaluate_maps(source.maps("val"))
    write_evaluation(evaluation, run.path, report=False, terminal=False)
    found = dice_with_interval(evaluation, mark_leak=False)
    log.info(f"Best network on {len(evaluation.dataset)} validation images: {found} Dice per image")
    show_results(trainer.loggers, tracker_results(evaluation, "best", run.best), max(trainer.global_step - 1, 0))


def publish_evaluation(loggers: dict[str, Any], folder: Path, evaluation: Evaluation, source: Path) -> None:
    """Makes an evaluation a run of its own, in the group of the run that it measures.

    Args:
        loggers: the `logger` section of the config.
        folder: of the evaluation.
        evaluation: the figures.
        source: the run, the sweep of a cross-validation, or the maps.

    Raises:
        UserError: a logger cannot start.
    """
    built = build_loggers(loggers, folder)
    if not built:
        return
    source, run = source.resolve(), first_run(source)
    name = run.read_config()["name"] if run.config_file.is_file() else source.name
    config = described({"protocol": evaluation.protocol, "run": str(source)}, folder.resolve())
    title = f"{'/'.join(source.parts[-2:])} {folder.name}"
    about = About(folder, config, title, group_of(source, name), "evaluate", resumable=False, trained=source)
    code = 1
    try:
        begin(built, about)
        show_results(built, tracker_results(evaluation, evaluation.protocol["split"]), 0)
        code = 0
    finally:
        end(built, code)


def tracker_results(evaluation: Evaluation, prefix: str, checkpoint: Path | None = None) -> Results:
    """Figures with intervals, two curves, and a table of the images.

    Args:
        evaluation: the figures.
        prefix: of the names: `best`, or the split.
        checkpoint: that was measured.
    """
    figures: dict[str, float] = {}
    curves: list[Curve] = []
    for name, images in evaluation.images.items():
        home = prefix if name == MODEL else f"{prefix}/{name.removeprefix(f'{MODEL}: ')}"
        summary = evaluation.observers[name]
        for figure in (one for one in FIGURES if one in summary.mean):
            key = f"{home}/{'dice_per_image' if figure == 'dice' else figure}"
            low, high = summary.interval[figure]
            figures |= {key: summary.mean[figure], f"{key}_low": low, f"{key}_high": high}
        figures[f"{home}/dice_pooled"] = summary.pooled["dice"]
        if "auroc" in summary.pooled:  # else the maps are decisions
            curves += curves_of(images, home)
    if checkpoint is not None:
        figures[f"{prefix}/epoch"] = evaluation.protocol["networks"][0]["epoch"]
    rows = [
        {"observer": observer, "image": image_id, "leak": image_id in evaluation.protocol["leak"]} | row
        for observer, summary in evaluation.observers.items()
        for image_id, row in zip(evaluation.dataset.image_ids, summary.per_image, strict=True)
    ]
    figures = {name: value for name, value in figures.items() if not math.isnan(value)}
    return Results(figures, curves, f"{prefix}/per_image", rows, evaluation.protocol, checkpoint)


def curves_of(images: list[MeasuredImage], home: str) -> list[Curve]:
    """Precision over recall, and calibration, over all counted pixels."""
    probability, target = pooled(images)
    recall, precision = precision_recall_curve(probability, target, POINTS)
    ranked = list(zip(recall.tolist(), precision.tolist(), strict=True))
    calibrated = [(one.probability, one.share) for one in reliability(probability, target) if one.pixels]
    return [
        Curve(f"{home}/precision_recall", "Precision and recall", ("recall", "precision"), ranked),
        Curve(f"{home}/calibration", "Calibration", ("probability of a vessel", "share of vessels"), calibrated),
    ]
