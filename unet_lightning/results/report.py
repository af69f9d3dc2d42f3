"""The report of an evaluation: one HTML file that opens from disk, without a network."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.files import write_text
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.charts import draw_charts
from unet_lightning.results.html import embed, render
from unet_lightning.results.overlay_errors import FALSE_NEGATIVE, FALSE_POSITIVE, IGNORED, TRUE_POSITIVE, overlay_errors
from unet_lightning.results.scores import MeasuredImage, pooled
from unet_lightning.results.stored import SECOND, Leak
from unet_lightning.results.tables import DECIMALS, mean_and_sd, readable, readable_name

BELOW_TITLE = ("images", "reference", "region", "threshold", "threshold_source", "tta")
BESIDE_PICTURES = ("dice", "sensitivity", "precision", "specificity", "mcc", "auroc", "cldice")
LEGEND = {
    TRUE_POSITIVE: "found (true positive)",
    FALSE_POSITIVE: "called falsely (false positive)",
    FALSE_NEGATIVE: "missed (false negative)",
}


def write_report(
    path: Path,
    title: str,
    protocol: Mapping[str, Any],
    observers: Mapping[str, Summary],
    images: Sequence[MeasuredImage],
) -> None:
    """Writes the figures, the curves and the pictures of an evaluation, worst Dice first.

    Args:
        path: of the HTML file.
        title: names the run, the data set and the split.
        protocol: what was measured how: `threshold`, `leak`, `leak_reasons` and whatever else is to be told.
        observers: figures by name, the network's first; the second observer is a point on the curves.
        images: of the network, in the order of its `per_image`.
    """
    rows = zip(images, next(iter(observers.values())).per_image, strict=True)
    # An image without a Dice comes last.
    worst_first = sorted(rows, key=lambda row: math.inf if math.isnan(row[1]["dice"]) else row[1]["dice"])
    page = render(
        "report.html.j2",
        title=title,
        leak={Leak(reason).words: ids for reason, ids in protocol["leak_reasons"].items()},
        measured={readable_name(key): protocol[key] for key in BELOW_TITLE if key in protocol},
        protocol={readable_name(key): value for key, value in protocol.items() if not key.startswith("leak")},
        observers=list(observers),
        human=SECOND,
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
            ends = [readable(value, DECIMALS.get(name, 4)) for value in summary.interval.get(name, (None, None))]
            interval = "" if "-" in ends else " to ".join(ends)
            pooled_figure = readable(summary.pooled.get(name), DECIMALS.get(name, 4))
            cells.append({"mean": mean_and_sd(summary, name), "interval": interval, "pooled": pooled_figure})
        rows.append({"name": readable_name(name), "cells": cells})
    return rows


def pictures_of(image: MeasuredImage) -> list[dict[str, Any]]:
    """The three pictures of an image, in a quality of JPEG that keeps a page of 20 images below 10 MB."""
    light = torch.where(image.target == IGNORE, 255 * IGNORED, 255.0)
    grey = (image.probability * light).round().to(torch.uint8)
    errors = overlay_errors(image.photo, image.vessels, image.target)
    name = f"image {image.image_id}"
    return [
        {"caption": caption, "alt": alt} | embed(picture, quality)
        for caption, alt, picture, quality in (
            ("Photograph", f"Photograph of {name}", image.photo, 85),
            ("Probability of a vessel", f"Probability of a vessel in {name}: white is 1", grey, 75),
            ("Errors", f"Errors in {name}: found is green, called falsely orange, missed blue", errors, 80),
        )
    ]
