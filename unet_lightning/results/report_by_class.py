"""The report of more than two classes: their table, the confusion matrix, and labels and maps in colours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from unet_lightning.data.labels import IGNORE
from unet_lightning.data.shown import shown
from unet_lightning.inference.colours import class_colours, in_colours
from unet_lightning.metrics.several import ClassFigures
from unet_lightning.results.by_class import HEADLINE, beside_trivial, class_table, confusion_table, left_out
from unet_lightning.results.html import embed
from unet_lightning.results.report import write_page
from unet_lightning.results.scores import Evaluation, called_of
from unet_lightning.results.stored import MODEL

NOT_COUNTED = "#404040"


def write_class_report(
    path: Path, title: str, evaluation: Evaluation, figures: ClassFigures, pages: Mapping[str, str]
) -> None:
    """Writes the page of all classes, worst mean first; `pages` has the name of the file of each single class."""
    classes = evaluation.dataset.classes
    colours = [*class_colours(len(classes)), NOT_COUNTED]
    pictures = [
        _pictures_of(sample.image_id, sample.image, sample.target, called_of(of_classes), colours)
        for sample, of_classes in zip(
            evaluation.dataset.samples, zip(*evaluation.images.values(), strict=True), strict=True
        )
    ]
    parts = {
        "table": class_table(evaluation, figures),
        "notes": [*left_out(evaluation, figures), HEADLINE],
        "confusion": confusion_table(evaluation, figures),
        "pages": pages,
    }
    legend = dict(zip(colours, [*classes, "not counted"], strict=True))
    mean = {MODEL: figures.mean}
    ids = evaluation.dataset.image_ids
    write_page(
        path, title, evaluation.protocol, mean, ids, pictures, legend, (), "class", parts, beside_trivial(evaluation)
    )


def _pictures_of(
    image_id: str, photo: Tensor, target: Tensor, called: Tensor, colours: list[str]
) -> list[dict[str, Any]]:
    """Photograph, label and map of an image."""
    nothing, number = target == IGNORE, len(colours) - 1
    label, found = (in_colours(one.masked_fill(nothing, number), colours) for one in (target, called))
    pictures = (("Photograph", shown(photo)), ("Label", label), ("Most probable class", found))
    return [{"caption": name, "alt": f"{name} of image {image_id}"} | embed(picture, 85) for name, picture in pictures]
