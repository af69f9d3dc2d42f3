"""The report of an evaluation: one HTML file that opens from disk, without a network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.files import write_text
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.curves import HUMAN, draw_charts
from unet_lightning.results.embedded import Embedded, embed
from unet_lightning.results.html import render
from unet_lightning.results.overlay_errors import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    IGNORED,
    TRUE_POSITIVE,
    overlay_errors,
)
from unet_lightning.results.wording import readable, readable_name, table_rows

BELOW_TITLE = ("images", "reference", "region", "threshold", "threshold_source", "tta")
BESIDE_PICTURES = ("dice", "sensitivity", "precision", "specificity", "mcc", "auroc", "cldice")
LEGEND = {
    TRUE_POSITIVE: "found (true positive)",
    FALSE_POSITIVE: "called falsely (false positive)",
    FALSE_NEGATIVE: "missed (false negative)",
}


@dataclass(frozen=True)
class Picture:
    """An image of the evaluation.

    Attributes:
        image_id: the data set's name for it.
        photo: `(3, H, W)` uint8.
        probability: of a vessel, `(H, W)` float32 in [0, 1].
        vessels: `(H, W)` bool, what was called vessel.
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE.
    """

    image_id: str
    photo: Tensor
    probability: Tensor
    vessels: Tensor
    target: Tensor


class Panel(NamedTuple):
    """A picture on the page: what it shows, for everyone and for who cannot see it."""

    caption: str
    alt: str
    image: Embedded


class Row(NamedTuple):
    """An image on the page: its figures by name and its pictures."""

    image_id: str
    leak: bool
    figures: dict[str, str]
    panels: list[Panel]


def write_report(
    path: Path, title: str, protocol: Mapping[str, Any], observers: Mapping[str, Summary], pictures: Sequence[Picture]
) -> None:
    """Writes the figures, the curves and the pictures of an evaluation, worst Dice first.

    Args:
        path: of the HTML file.
        title: names the run, the data set and the split.
        protocol: what was measured how: `threshold`, `leak` (images whose figures prove nothing), `leak_reasons`
            (reason to such images) and whatever else is to be shown.
        observers: figures by name. The first is the network whose pictures are given; `second observer` is shown as
            a point on the curves.
        pictures: the images, in the order of the network's `per_image`.

    Raises:
        UserError: the file cannot be written.
    """
    figures = next(iter(observers.values())).per_image
    worst_first = sorted(zip(pictures, figures, strict=True), key=lambda pair: _rank(pair[1]["dice"]))
    page = render(
        "report.html.j2",
        title=title,
        leak=protocol["leak_reasons"],
        measured={readable_name(key): protocol[key] for key in BELOW_TITLE if key in protocol},
        protocol={readable_name(key): value for key, value in protocol.items() if not key.startswith("leak")},
        observers=list(observers),
        human=HUMAN,
        table=table_rows(list(observers.values())),
        charts=draw_charts(
            observers, [one.probability for one in pictures], [one.target for one in pictures], protocol["threshold"]
        ),
        legend=LEGEND,
        rows=[_row(picture, row, picture.image_id in protocol["leak"]) for picture, row in worst_first],
    )
    write_text(path, page)


def _rank(dice: float) -> float:
    """Sorts a figure that does not exist behind the others."""
    return math.inf if math.isnan(dice) else dice


def _row(picture: Picture, figures: Mapping[str, float], leak: bool) -> Row:
    """An image with its three pictures: sizes of JPEG quality that keep 20 images below 10 MB."""
    name = f"image {picture.image_id}"
    light = torch.where(picture.target == IGNORE, 255 * IGNORED, 255.0)
    grey = (picture.probability * light).round().to(torch.uint8)
    errors = overlay_errors(picture.photo, picture.vessels, picture.target)
    panels = [
        Panel("Photograph", f"Photograph of {name}", embed(picture.photo, 85)),
        Panel("Probability of a vessel", f"Probability of a vessel in {name}: white is 1", embed(grey, 75)),
        Panel("Errors", f"Errors in {name}: found is green, called falsely orange, missed blue", embed(errors, 80)),
    ]
    shown = {readable_name(figure): readable(figures[figure]) for figure in BESIDE_PICTURES if figure in figures}
    return Row(picture.image_id, leak, shown, panels)
