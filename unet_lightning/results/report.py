"""The report of an evaluation: one HTML file with figures, curves and pictures, that opens without a network.

With more than two classes it has their table, the confusion matrix, and labels and maps in colours; each has its own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import ImageColor
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL, Sample
from unet_lightning.data.seen import Findings
from unet_lightning.data.shown import shown
from unet_lightning.files import write_text
from unet_lightning.inference.colours import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, class_colours, in_colours
from unet_lightning.metrics.several import ClassFigures
from unet_lightning.metrics.statistics import METHOD
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.by_class import HEADLINE, beside_trivial, class_table, confusion_table, left_out
from unet_lightning.results.charts import draw_charts
from unet_lightning.results.html import embed, render
from unet_lightning.results.protocol import Protocol
from unet_lightning.results.scores import Evaluation, MeasuredImage, called_of, pooled
from unet_lightning.results.stored import MODEL
from unet_lightning.results.tables import (
    doubts_of,
    interval_of,
    mean_and_sd,
    one_of,
    pooled_interval_of,
    readable,
    readable_name,
)

BELOW_TITLE = ("images", "reference", "region", "threshold", "threshold_source", "tta")
# What the sentences above the table say, and digests.
NOT_LISTED = {field.name for field in fields(Findings)}
NOT_LISTED |= {"leak", "leak_by_names", "unknown_training", "content", "label_doubts", "thresholds"}
BESIDE_PICTURES = ("dice", "sensitivity", "precision", "specificity", "mcc", "auroc", "cldice")
LEGEND = {
    TRUE_POSITIVE: "found (true positive)",
    FALSE_POSITIVE: "called falsely (false positive)",
    FALSE_NEGATIVE: "missed (false negative)",
}
DIMMED = 0.5  # light that the photograph keeps below the colours
IGNORED = 0.2  # and outside the field of view, where nothing counts
NOT_COUNTED = "#404040"


def write_report(
    path: Path,
    title: str,
    protocol: Protocol,
    observers: Mapping[str, Summary],
    images: list[MeasuredImage],
    thing: str = "vessel",
    trivial: pd.DataFrame | None = None,
) -> None:
    """Writes the figures, the curves and the pictures of an evaluation, worst Dice first.

    The `title` names the run, the data set and the split. The network is the first of `observers`; `images` are in the
    order of its `per_image`, and of the class `thing`.
    """
    pictures = {image.image_id: pictures_of(image, thing) for image in images}
    charts = draw_charts(observers, *pooled(images), protocol.threshold, thing)
    write_page(path, title, protocol, observers, pictures, thing, LEGEND, charts=charts, classes=None, trivial=trivial)


def write_class_report(
    path: Path, title: str, evaluation: Evaluation, figures: ClassFigures, pages: Mapping[str, str]
) -> None:
    """Writes the page of all classes, worst mean first; `pages` has the name of the file of each single class."""
    classes = evaluation.dataset.classes
    colours = [*class_colours(len(classes)), NOT_COUNTED]
    called = map(called_of, zip(*evaluation.images.values(), strict=True))
    pictures = {
        sample.image_id: class_pictures_of(sample, numbers, colours)
        for sample, numbers in zip(evaluation.dataset, called, strict=True)
    }
    parts = {
        "table": class_table(evaluation, figures),
        "notes": [*left_out(evaluation, figures), HEADLINE],
        "confusion": confusion_table(evaluation, figures),
        "pages": pages,
    }
    legend = dict(zip(colours, [*classes, "not counted"], strict=True))
    beside = {"charts": (), "classes": parts, "trivial": beside_trivial(evaluation)}
    write_page(path, title, evaluation.protocol, {MODEL: figures.mean}, pictures, "class", legend, **beside)


def write_page(
    path: Path,
    title: str,
    protocol: Protocol,
    observers: Mapping[str, Summary],
    pictures: Mapping[str, list[dict[str, Any]]],
    thing: str,
    legend: Mapping[str, str],
    **parts: Any,
) -> None:
    """Writes a report from its parts; see `write_report`.

    `pictures` are those of each image (see `pictures_of`) in the order of `per_image`, `legend` has the meanings of
    their colours, and `parts` are what the template has beside: `charts` (see `draw_charts`), the tables of more than
    two `classes`, and `trivial`, the network beside maps that look at no photograph.
    """
    rows = zip(pictures.items(), next(iter(observers.values())).per_image, strict=True)
    # An image without a Dice comes last.
    worst_first = sorted(rows, key=lambda row: math.inf if math.isnan(row[1]["dice"]) else row[1]["dice"])
    page = render(
        "report.html.j2",
        title=title,
        mark=protocol.mark,
        doubts=doubts_of(protocol),
        measured={readable_name(key): getattr(protocol, key) for key in BELOW_TITLE},
        protocol={readable_name(key): value for key, value in protocol.written.items() if key not in NOT_LISTED},
        observers=list(observers),
        human=protocol.terms.second,
        field=protocol.terms.field,
        method=METHOD,
        table=table_rows(list(observers.values()), thing),
        legend=legend,
        **parts,
        images=[
            {
                "image_id": image_id,
                "leak": image_id in protocol.leak,
                "figures": {readable_name(name): readable(row[name]) for name in BESIDE_PICTURES if name in row},
                "pictures": shown,
            }
            for (image_id, shown), row in worst_first
        ],
    )
    write_text(path, page)


def table_rows(summaries: Sequence[Summary], thing: str = "vessel") -> list[dict[str, Any]]:
    """A row a figure, with its `name` and `cells`, one a summary: `mean` (SD), `pooled`, and the intervals of both."""
    rows = []
    for name in dict.fromkeys(name for summary in summaries for name in (*summary.mean, *summary.pooled)):
        cells = [
            {
                "mean": mean_and_sd(summary, name),
                "interval": interval_of(summary, name) if name in summary.mean else "",
                "pooled": readable(summary.pooled.get(name), name),
                "pooled_interval": pooled_interval_of(summary, name),
            }
            for summary in summaries
        ]
        rows.append({"name": readable_name(name, thing), "cells": cells})
    return rows


def pictures_of(image: MeasuredImage, thing: str = "vessel") -> list[dict[str, Any]]:
    """The three pictures of an image, in a quality of JPEG that keeps a page of 20 images below 10 MB."""
    light = torch.where(image.target == IGNORE, 255 * IGNORED, 255.0)
    grey = (image.probability * light).round().to(torch.uint8)
    photo = shown(image.photo)
    errors = overlay_errors(photo, image.vessels, image.target)
    colours = "found is green, called falsely orange, missed blue"
    return [
        {"caption": caption, "alt": f"{caption} {words}"} | embed(picture, quality)
        for caption, words, picture, quality in (
            ("Photograph", f"of image {image.image_id}", photo, 85),
            (f"Probability of {one_of(thing)}", f"in image {image.image_id}: white is 1", grey, 75),
            ("Errors", f"in image {image.image_id}: {colours}", errors, 80),
        )
    ]


def class_pictures_of(sample: Sample, called: Tensor, colours: list[str]) -> list[dict[str, Any]]:
    """Photograph, label and map of an image of more than two classes; the last of the colours does not count."""
    nothing, number = sample.target == IGNORE, len(colours) - 1
    label, found = (in_colours(one.masked_fill(nothing, number), colours) for one in (sample.target, called))
    pictures = (("Photograph", shown(sample.image)), ("Label", label), ("Most probable class", found))
    return [
        {"caption": name, "alt": f"{name} of image {sample.image_id}"} | embed(picture, 85)
        for name, picture in pictures
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
