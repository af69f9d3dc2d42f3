"""The report of an evaluation: one HTML file with figures, curves and pictures, that opens without a network."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import ImageColor
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL
from unet_lightning.data.shown import shown
from unet_lightning.files import write_text
from unet_lightning.inference.colours import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from unet_lightning.metrics.statistics import METHOD
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.charts import draw_charts
from unet_lightning.results.html import embed, render
from unet_lightning.results.protocol import Protocol
from unet_lightning.results.scores import MeasuredImage, pooled
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
NOT_LISTED = (
    "leak",
    "leak_reasons",
    "leak_by_names",
    "seen_as",
    "near_duplicates",
    "same_patient",
    "own_scale",
    "watched",
    "unknown_training",
    "content",
    "label_doubts",
    "thresholds",
)
BESIDE_PICTURES = ("dice", "sensitivity", "precision", "specificity", "mcc", "auroc", "cldice")
LEGEND = {
    TRUE_POSITIVE: "found (true positive)",
    FALSE_POSITIVE: "called falsely (false positive)",
    FALSE_NEGATIVE: "missed (false negative)",
}
DIMMED = 0.5  # light that the photograph keeps below the colours
IGNORED = 0.2  # and outside the field of view, where nothing counts


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
    pictures = [pictures_of(image, thing) for image in images]
    charts = draw_charts(observers, *pooled(images), protocol.threshold, thing)
    image_ids = [image.image_id for image in images]
    write_page(path, title, protocol, observers, image_ids, pictures, LEGEND, charts, thing, trivial=trivial)


def write_page(
    path: Path,
    title: str,
    protocol: Protocol,
    observers: Mapping[str, Summary],
    image_ids: Sequence[str],
    pictures: Sequence[list[dict[str, Any]]],
    legend: Mapping[str, str],
    charts: Sequence[Mapping[str, str]] = (),
    thing: str = "vessel",
    classes: Mapping[str, Any] | None = None,
    trivial: pd.DataFrame | None = None,
) -> None:
    """Writes a report from its parts.

    Args:
        path: of the page.
        title: see `write_report`.
        protocol: see `write_report`.
        observers: see `write_report`.
        image_ids: in the order of `per_image`.
        pictures: of each image, see `pictures_of`.
        legend: meanings of the colours in the pictures.
        charts: see `draw_charts`.
        thing: the class that the figures are of.
        classes: of more than two: see `by_class.page_parts`.
        trivial: the network beside maps that look at no photograph.
    """
    rows = zip(image_ids, pictures, next(iter(observers.values())).per_image, strict=True)
    # An image without a Dice comes last.
    worst_first = sorted(rows, key=lambda row: math.inf if math.isnan(row[2]["dice"]) else row[2]["dice"])
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
        classes=classes,
        trivial=trivial,
        charts=charts,
        legend=legend,
        images=[
            {
                "image_id": image_id,
                "leak": image_id in protocol.leak,
                "figures": {readable_name(name): readable(row[name]) for name in BESIDE_PICTURES if name in row},
                "pictures": shown,
            }
            for image_id, shown, row in worst_first
        ],
    )
    write_text(path, page)


def table_rows(summaries: Sequence[Summary], thing: str = "vessel") -> list[dict[str, Any]]:
    """A row a figure, with its `name` and `cells`, one a summary: `mean` (SD), `pooled`, and the intervals of both."""
    rows = []
    for name in dict.fromkeys(name for summary in summaries for name in (*summary.mean, *summary.pooled)):
        cells = []
        for summary in summaries:
            interval = interval_of(summary, name) if name in summary.mean else ""
            in_all = {
                "pooled": readable(summary.pooled.get(name), name),
                "pooled_interval": pooled_interval_of(summary, name),
            }
            cells.append({"mean": mean_and_sd(summary, name), "interval": interval} | in_all)
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
