"""Where an evaluation goes: its folder with figures, maps, table and report, the terminal, and trackers."""

import contextlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from unet_lightning.errors import OtherRun
from unet_lightning.files import write_text
from unet_lightning.inference.maps import save_probability
from unet_lightning.inference.predictor import PredictionOptions
from unet_lightning.metrics.calibration import reliability
from unet_lightning.metrics.ranking import precision_recall_curve
from unet_lightning.metrics.statistics import METHOD
from unet_lightning.results.by_class import beside_trivial, table_text
from unet_lightning.results.maps import NetworkSource
from unet_lightning.results.places import held, place_of, put_in_place
from unet_lightning.results.report import write_class_report, write_report
from unet_lightning.results.scores import Evaluation, MeasuredImage, evaluate_maps, pooled
from unet_lightning.results.stored import MODEL, PEOPLE, PROBABILITIES, TABLE, ending_of, image_rows, write_stored
from unet_lightning.results.tables import interval_of, many_of, markdown, one_of, readable, show
from unet_lightning.text import published, shown, without_secrets
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.folds import first_run
from unet_lightning.training.loggers import begin, build_loggers, end, group_of, show_results, title_of
from unet_lightning.training.trackers.tracker import About, Curve, Results

POINTS = 200  # of a curve in a tracker

log = logging.getLogger(__name__)


def write_evaluation(evaluation: Evaluation, folder: Path, report: bool = True) -> tuple[Path, str]:
    """Writes an evaluation as a folder that is complete or absent; with more classes, a report each.

    Args:
        evaluation: what was measured.
        folder: that is `held` for it; an earlier evaluation there of the same protocol is replaced.
        report: whether pages are drawn.

    Returns:
        where it is, and that in words.
    """
    protocol, observers = evaluation.protocol, evaluation.observers
    title = f"{'/'.join(folder.resolve().parents[1].parts[-2:])}: {protocol.dataset} {protocol.split}"
    people = {name: summary for name, summary in observers.items() if name in PEOPLE}

    def build(new: Path) -> None:
        calibration = {}
        for name, images in evaluation.images.items():
            for one, said in zip_longest(images, evaluation.maps.made_by):
                path = new / PROBABILITIES / f"{one.image_id}{ending_of(name)}.png"
                save_probability(one.probability, path, said.written() if said else None)
            calibration[name] = [asdict(one) for one in reliability(*pooled(images))]
        confusion = None if evaluation.classes is None else evaluation.classes.confusion.tolist()
        write_stored(
            new, protocol, observers | evaluation.trivial, evaluation.dataset.image_ids, calibration, confusion
        )
        write_text(new / TABLE, table_text(evaluation))
        if report:
            build_pages(new)

    def build_pages(new: Path) -> None:
        pages = {name: f"report{ending_of(name)}.html" for name in evaluation.images}
        for (name, images), thing in zip(evaluation.images.items(), evaluation.dataset.classes[1:], strict=True):
            beside = beside_trivial(evaluation) if name == MODEL else None
            write_report(new / pages[name], title, protocol, {name: observers[name]} | people, images, thing, beside)
        if evaluation.classes is not None:
            write_class_report(new / "report.html", title, evaluation, evaluation.classes, pages)

    place = place_of(folder, protocol, evaluation.dataset.image_ids)
    with held(folder.parents[1], place.name) if place != folder else contextlib.nullcontext():
        earlier = put_in_place(place, build)
    words = f"Written to {place}" + ", in place of the earlier one of this protocol" * earlier
    if place != folder:
        words += f", as {folder.name} is of other photographs or labels, or of another region, threshold or TTA"
    return place, words


def write_matrix(done: Mapping[Path, Sequence[Evaluation]]) -> None:
    """Writes the Dice of runs (down) on data sets (across) into each run as evaluation/matrix.md, and prints it."""
    cells = {
        str(run): {f"{one.protocol.dataset} {one.protocol.split}": dice_with_interval(one) for one in evaluations}
        for run, evaluations in done.items()
    }
    caption = (
        f"Dice per image with its 95 % interval ({METHOD}); the protocol of each cell is in its evaluation folder."
    )
    table = pd.DataFrame(cells).T.fillna("-")
    for run in done:
        write_text(run / "evaluation" / "matrix.md", markdown(table, caption))
    show(table, caption)


def dice_with_interval(evaluation: Evaluation, mark_leak: bool = True) -> str:
    """Mean Dice of the model: `0.8177 [0.8101 to 0.8254]`."""
    summary = evaluation.observers[MODEL]
    mark = evaluation.protocol.mark if mark_leak else ""
    return f"{readable(summary.mean['dice'])} [{interval_of(summary, 'dice')}] {mark}".rstrip()


def score_best(run: RunFolder, trainer: Any) -> None:
    """Measures the best network on the validation images, as `evaluate split=val` does, for sweeps and dashboards.

    The trainer's loggers show the figures.
    """
    device = "cpu" if trainer.strategy.root_device.type == "cpu" else "auto"
    source = NetworkSource(run.path, {}, "best", PredictionOptions(device=device))
    evaluation = evaluate_maps(source.maps("val"))
    try:
        with held(run.path, source.name("val")) as place:
            write_evaluation(evaluation, place, report=False)
    except OtherRun as error:  # which measures the same
        log.warning(f"Not kept: {error}")
    found = dice_with_interval(evaluation, mark_leak=False)
    several = evaluation.classes and f", the mean over {len(evaluation.images)} classes but the background"
    images = f"{len(evaluation.dataset)} validation images, which chose it"
    log.info(f"Best network on {images}: {found} Dice per image{several or ''}")
    show_results(trainer.loggers, tracker_results(evaluation, "best", run.best), max(trainer.global_step - 1, 0))


def publish_evaluation(loggers: dict[str, Any], folder: Path, evaluation: Evaluation, source: Path) -> None:
    """Makes an evaluation a run of its own in trackers, in the group of the run that it measures.

    `loggers` is a section of the config, `folder` that of the evaluation, `source` that of the run, sweep or maps.
    """
    built = build_loggers(loggers, folder)
    if not built:
        return
    source, run = source.resolve(), first_run(source)
    name = run.read_config()["name"] if run.config_file.is_file() else source.name
    config = {"protocol": evaluation.protocol.written, "run": title_of(source)}
    title, group = f"{title_of(source)} {shown(folder.name)}", group_of(source, name)
    about = About(folder.resolve(), config, title, group, "evaluate", resumable=False, trained=source)
    code = 1
    try:
        begin(built, about)
        show_results(built, tracker_results(evaluation, evaluation.protocol.split), 0)
        code = 0
    finally:
        end(built, code)


def tracker_results(evaluation: Evaluation, prefix: str, checkpoint: Path | None = None) -> Results:
    """Figures with intervals, two curves, and a table of the images; `prefix` begins their names: `best`, or a split.

    `checkpoint` is the file that was measured, where trackers may keep it.
    """
    figures: dict[str, float] = {}
    curves: list[Curve] = []
    for name in [name for name in evaluation.observers if name not in PEOPLE]:
        home = prefix + name.removeprefix(MODEL).replace(": ", "/", 1)
        summary = evaluation.observers[name]
        for figure, mean in summary.mean.items():
            key = f"{home}/{'dice_per_image' if figure == 'dice' else figure}"
            low, high = summary.interval[figure]
            figures |= {key: mean, f"{key}_low": low, f"{key}_high": high}
        figures[f"{home}/dice_pooled"] = summary.pooled["dice"]
        ends = summary.pooled_interval.get("dice", ())
        figures |= {f"{home}/dice_pooled_{end}": value for end, value in zip(("low", "high"), ends, strict=False)}
        if name == MODEL and evaluation.classes is not None:
            figures[f"{home}/miou_with_background"] = summary.pooled["miou_with_background"]
        if name in evaluation.images and "auroc" in summary.pooled:  # else the maps are decisions
            thing = evaluation.dataset.classes[1 + [*evaluation.images].index(name)]
            curves += curves_of(evaluation.images[name], home, thing)
    if checkpoint is not None:
        figures[f"{prefix}/epoch"] = evaluation.protocol.networks[0].epoch
    figures = {name: value for name, value in figures.items() if not math.isnan(value)}
    rows = image_rows(evaluation.observers, evaluation.dataset.image_ids, evaluation.protocol, "image")
    protocol: dict[str, Any] = without_secrets(evaluation.protocol.written, published)
    return Results(figures, curves, f"{prefix}/per_image", rows, protocol, checkpoint)


def curves_of(images: list[MeasuredImage], home: str, thing: str) -> list[Curve]:
    """Precision over recall, and calibration, over all counted pixels."""
    probability, target = pooled(images)
    ranked = torch.stack(precision_recall_curve(probability, target, POINTS), dim=1).tolist()
    calibrated = [(one.probability, one.share) for one in reliability(probability, target) if one.pixels]
    names = (f"probability of {one_of(thing)}", f"share of {many_of(thing)}")
    return [
        Curve(f"{home}/precision_recall", "Precision and recall", ("recall", "precision"), ranked),
        Curve(f"{home}/calibration", "Calibration", names, calibrated),
    ]
