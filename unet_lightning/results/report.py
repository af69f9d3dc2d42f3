"""The report of an evaluation: one HTML file with figures, curves and pictures, that opens without a network."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter
from PIL import ImageColor
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL
from unet_lightning.files import write_text
from unet_lightning.metrics.calibration import ReliabilityBin, reliability
from unet_lightning.metrics.ranking import precision_recall_curve, roc_curve
from unet_lightning.metrics.statistics import METHOD
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.html import HUMAN_COLOUR, INK, MODEL_COLOUR, STYLE, embed, inline_svg, render
from unet_lightning.results.scores import MeasuredImage, pooled
from unet_lightning.results.stored import SECOND
from unet_lightning.results.tables import doubts_of, interval_of, mark_of, mean_and_sd, readable, readable_name

BELOW_TITLE = ("images", "reference", "region", "threshold", "threshold_source", "tta")
# What the sentences above the table say, and digests.
NOT_LISTED = ("leak", "leak_reasons", "leak_by_names", "seen_as", "near_duplicates", "unknown_training", "content")
BESIDE_PICTURES = ("dice", "sensitivity", "precision", "specificity", "mcc", "auroc", "cldice")
# Okabe and Ito's palette: told apart by colour-blind readers. The two errors are an orange and a blue, the pair that
# every kind of colour blindness keeps apart, and both are bright; what is right is darker and stands back.
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "#009E73", "#E69F00", "#56B4E9"
LEGEND = {
    TRUE_POSITIVE: "found (true positive)",
    FALSE_POSITIVE: "called falsely (false positive)",
    FALSE_NEGATIVE: "missed (false negative)",
}
DIMMED = 0.5  # light that the photograph keeps below the colours
IGNORED = 0.2  # and outside the field of view, where nothing counts
SIZE = (4.2, 4.2)  # inches, of a chart
GUIDE: dict[str, Any] = {"color": INK, "alpha": 0.5, "linewidth": 0.8, "linestyle": "--"}  # lines to compare with


def write_report(
    path: Path, title: str, protocol: Mapping[str, Any], observers: Mapping[str, Summary], images: list[MeasuredImage]
) -> None:
    """Writes the figures, the curves and the pictures of an evaluation, worst Dice first.

    The `title` names the run, the data set and the split; the `protocol` has `threshold`, `leak`, `leak_reasons` and
    whatever else is to be told. The network is the first of `observers`; `images` are in the order of its `per_image`.
    """
    rows = zip(images, next(iter(observers.values())).per_image, strict=True)
    # An image without a Dice comes last.
    worst_first = sorted(rows, key=lambda row: math.inf if math.isnan(row[1]["dice"]) else row[1]["dice"])
    page = render(
        "report.html.j2",
        title=title,
        mark=mark_of(protocol),
        doubts=doubts_of(protocol),
        measured={readable_name(key): protocol[key] for key in BELOW_TITLE if key in protocol},
        protocol={readable_name(key): value for key, value in protocol.items() if key not in NOT_LISTED},
        observers=list(observers),
        human=SECOND,
        method=METHOD,
        table=table_rows(list(observers.values())),
        charts=draw_charts(observers, *pooled(images), protocol["threshold"]),
        legend=LEGEND,
        images=[
            {
                "image_id": image.image_id,
                "leak": image.image_id in protocol["leak"],
                "figures": {readable_name(name): readable(row[name]) for name in BESIDE_PICTURES if name in row},
                "pictures": pictures_of(image),
            }
            for image, row in worst_first
        ],
    )
    write_text(path, page)


def table_rows(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """A row a figure, with its `name` and `cells`, one a summary: `mean` (SD), `interval` if any, `pooled`."""
    rows = []
    for name in dict.fromkeys(name for summary in summaries for name in (*summary.mean, *summary.pooled)):
        cells = []
        for summary in summaries:
            interval = interval_of(summary, name) if name in summary.mean else ""
            in_all = readable(summary.pooled.get(name), name)
            cells.append({"mean": mean_and_sd(summary, name), "interval": interval, "pooled": in_all})
        rows.append({"name": readable_name(name), "cells": cells})
    return rows


def pictures_of(image: MeasuredImage) -> list[dict[str, Any]]:
    """The three pictures of an image, in a quality of JPEG that keeps a page of 20 images below 10 MB."""
    light = torch.where(image.target == IGNORE, 255 * IGNORED, 255.0)
    grey = (image.probability * light).round().to(torch.uint8)
    errors = overlay_errors(image.photo, image.vessels, image.target)
    colours = "found is green, called falsely orange, missed blue"
    return [
        {"caption": caption, "alt": f"{caption} {words}"} | embed(picture, quality)
        for caption, words, picture, quality in (
            ("Photograph", f"of image {image.image_id}", image.photo, 85),
            ("Probability of a vessel", f"in image {image.image_id}: white is 1", grey, 75),
            ("Errors", f"in image {image.image_id}: {colours}", errors, 80),
        )
    ]


def overlay_errors(photo: Tensor, vessels: Tensor, target: Tensor) -> Tensor:
    """The photograph in dim grey, with vessels found, called falsely and missed in three colours: `(3, H, W)` uint8.

    Args:
        photo: `(3, H, W)` uint8.
        vessels: `(H, W)` bool, what was called vessel.
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE; ignored pixels are never coloured.
    """
    light = torch.where(target == IGNORE, IGNORED, DIMMED)
    painted: Tensor = (rgb_to_grayscale(photo, num_output_channels=3) * light).round().to(torch.uint8)
    for pixels, colour in (
        (vessels & (target == VESSEL), TRUE_POSITIVE),
        (vessels & (target == BACKGROUND), FALSE_POSITIVE),
        (~vessels & (target == VESSEL), FALSE_NEGATIVE),
    ):
        painted[:, pixels] = torch.tensor(ImageColor.getrgb(colour), dtype=torch.uint8)[:, None]
    return painted


def draw_charts(
    observers: Mapping[str, Summary], probability: Tensor, target: Tensor, threshold: float | str
) -> list[dict[str, str]]:
    """ROC, precision over recall, and calibration; none where the pixels are of one class, or the maps decisions.

    Each has a `title`, a `caption`, which says what it shows to who cannot see it, and its `svg`.

    Args:
        observers: figures by name, the network first; the second observer becomes a point where they are there.
        probability: the network's, `(N,)` float32 in [0, 1], of the pixels of all images.
        target: `(N,)` integer: BACKGROUND, VESSEL or IGNORE.
        threshold: a probability, or what stands for one, such as `argmax`.
    """
    name, model = next(iter(observers.items()))
    prevalence = float((target == VESSEL).sum() / (target != IGNORE).sum())
    if not 0 < prevalence < 1 or "auroc" not in model.pooled:
        return []
    auroc, precision, error = (
        f"{name}, {short} {readable(model.pooled.get(figure))}"
        for figure, short in (("auroc", "AUROC"), ("average_precision", "AP"), ("ece", "ECE"))
    )
    rates = {f"{name}, threshold {threshold}": model.pooled}
    if SECOND in observers:
        rates[SECOND] = observers[SECOND].pooled
    marks = {label: (1 - found["specificity"], found["sensitivity"]) for label, found in rates.items()}
    names = ("false positive rate (1 - specificity)", "sensitivity")
    words, curve = f"Receiver operating characteristic: {auroc}", (auroc, *roc_curve(probability, target))
    roc = _curve_chart("ROC curve", words, names, curve, marks, (0, 1), loc="lower right")
    marks = {label: (found["sensitivity"], found["precision"]) for label, found in rates.items()}
    names = ("recall (sensitivity)", "precision")
    words, curve = f"Precision over recall: {precision}", (precision, *precision_recall_curve(probability, target))
    # Between the curve, which is high where recall is low, and the line of chance.
    legend = {"loc": "lower left", "bbox_to_anchor": (0, min(prevalence, 0.5))}
    ranked = _curve_chart("Precision and recall", words, names, curve, marks, (prevalence, prevalence), **legend)
    ranked["caption"] += f" Chance has the precision {prevalence:.4f}, the share of vessels."
    words = f"The share of vessels among the pixels of a probability, and how many pixels have it: {error}."
    svg = calibration_svg(reliability(probability, target), error, None if isinstance(threshold, str) else threshold)
    return [roc, ranked, {"title": "Calibration", "caption": words, "svg": svg}]


def calibration_svg(bins: Sequence[ReliabilityBin], label: str, threshold: float | None) -> str:
    """The share of vessels over the probability, without empty bins; below it how many pixels have that probability."""
    filled = [one for one in bins if one.pixels]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], label="calibrated", **GUIDE)
        line = ([one.probability for one in filled], [one.share for one in filled])
        upper.plot(*line, "o-", color=MODEL_COLOUR, ms=3, label=label)
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of vessels")
        widths = [b.high - b.low for b in bins]
        lower.bar([b.low for b in bins], [b.pixels for b in bins], widths, align="edge", color=MODEL_COLOUR, alpha=0.7)
        lower.set(xlabel="probability of a vessel", ylabel="pixels", yscale="log")
        lower.yaxis.set_major_formatter(EngFormatter(sep=""))  # 100k, 1M
        lower.yaxis.set_minor_formatter(NullFormatter())
        if threshold is not None:
            below_legend = {"ymax": 0.65, "color": INK, "linestyle": ":"}
            upper.axvline(threshold, **below_legend, label=f"threshold {threshold:g}")
            lower.axvline(threshold, color=INK, linestyle=":")
        upper.legend(loc="upper left")
        return inline_svg(figure, "calibration")


def _curve_chart(
    title: str,
    words: str,
    names: Sequence[str],
    curve: tuple[str, Tensor, Tensor],
    points: Mapping[str, tuple[float, float]],
    chance: tuple[float, float],
    **legend: Any,
) -> dict[str, str]:
    """A curve with its label, and points with theirs, on a square from 0 to 1; chance at the left and right edge."""
    label, x, y = curve
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=names[0], ylabel=names[1])
        axes.plot([0, 1], chance, label="chance", **GUIDE)
        axes.plot(x.tolist(), y.tolist(), color=MODEL_COLOUR, label=label)
        for name, point in points.items():
            colour, shape = (HUMAN_COLOUR, "D") if name == SECOND else (MODEL_COLOUR, "o")  # not colour alone
            axes.plot(*point, shape, color=colour, ms=5, label=name, clip_on=False)
        axes.legend(**legend)
        svg = inline_svg(figure, title)
    x_name, y_name = (name.partition(" (")[0] for name in names)
    marks = (f"; {name}: {x_name} {one:.4f}, {y_name} {other:.4f}" for name, (one, other) in points.items())
    return {"title": title, "caption": f"{words}{''.join(marks)}.", "svg": svg}
