"""What is told of more than two classes: a table with a row a class, the confusion matrix, and what has no figure."""

import math
from itertools import accumulate

import pandas as pd
from rich.console import Console

from unet_lightning.metrics.several import ClassFigures
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.scores import Evaluation
from unet_lightning.results.stored import MODEL, TRUE_BY_CALLED
from unet_lightning.results.tables import markdown, mean_and_sd, readable, results_table, show, words_of
from unet_lightning.results.trivial import trivial_table, words_of_trivial

# Of the pooled pixels, in the order of the columns; then whatever else is measured of single images.
OVERLAP = ("iou", "sensitivity", "precision", "specificity")
POOLED_ALONE = ("accuracy", "mcc", "auroc", "average_precision", "ece", "brier")
HEADLINE = (
    "Figures of the model are means over the classes but the background, of each image first and then over images; a "
    "class that is in neither label nor map of an image is left out of that image, and an image that has none is left "
    "out. accuracy is the share of the pixels that have their class; miou_with_background is the mean over the classes "
    "with the background, of the pooled pixels. hd95, in pixels, and nsd, whose tolerance is in its name, are of "
    "outlines and means over images; where label or map alone has the class they are the diagonal of the image and 0."
)


def tables_of(evaluation: Evaluation) -> list[tuple[pd.DataFrame, str]]:
    """The tables of an evaluation with what stands below each; the last has a row a class where there are several."""
    protocol, figures = evaluation.protocol, evaluation.classes
    beside, words = beside_trivial(evaluation), words_of(protocol)
    of_trivial = words_of_trivial(evaluation.dataset, evaluation.maps.frequent)
    if figures is None:
        return [(results_table(evaluation.observers, protocol.mark), ""), (beside, f"{of_trivial} {words}")]
    headline, caption = results_table({MODEL: figures.mean}, protocol.mark), [*left_out(evaluation, figures), words]
    return [(headline, HEADLINE), (beside, of_trivial), (class_table(evaluation, figures), " ".join(caption))]


def table_text(evaluation: Evaluation) -> str:
    """The tables as Markdown."""
    return "\n".join(markdown(*one) for one in tables_of(evaluation))


def show_tables(evaluation: Evaluation) -> None:
    """Prints the tables, of a row a class the columns that fit."""
    *first, (table, caption) = tables_of(evaluation)
    for one in first:
        show(*one)
    if evaluation.classes is not None:
        Console().print()
        table = fitting(table, Console().width)
    show(table, caption)


def beside_trivial(evaluation: Evaluation) -> pd.DataFrame:
    """The model beside maps that look at no photograph, a row each."""
    name = f"{MODEL} {evaluation.protocol.mark}".rstrip()
    return trivial_table({name: evaluation.figures}, evaluation.trivial)


def class_table(evaluation: Evaluation, figures: ClassFigures) -> pd.DataFrame:
    """A row a class, the background first: its share of the pixels of the labels, and its figures, as text."""
    rows = {}
    for name, share, summary in zip(evaluation.dataset.classes, figures.shares, figures.each, strict=True):
        cells = {"dice_per_image": mean_and_sd(summary, "dice"), "share": readable(share)}
        cells |= {figure: readable(summary.pooled.get(figure)) for figure in OVERLAP}
        cells |= {"dice_pooled": readable(summary.pooled.get("dice")), "images": str(images_with(summary))}
        further = [figure for figure in figures.each[1].mean if figure not in ("dice", *OVERLAP, *POOLED_ALONE)]
        further.sort(key=lambda figure: not figure.startswith(("hd95", "nsd_")))  # outlines first
        cells |= {figure: mean_and_sd(summary, figure) for figure in further}
        rows[name] = cells
    return pd.DataFrame(rows).T


def images_with(summary: Summary) -> int:
    """The number of images in whose label or map a class is, so that it has a Dice there."""
    return sum(not math.isnan(row["dice"]) for row in summary.per_image)


def fitting(table: pd.DataFrame, width: int) -> pd.DataFrame:
    """The first columns of a table that fit into a terminal, at least two."""
    widths = [max(map(len, map(str, table.index))) + 4, *(max(map(len, (name, *table[name]))) + 3 for name in table)]
    return table.iloc[:, : max(2, sum(end <= width for end in accumulate(widths)) - 1)]


def left_out(evaluation: Evaluation, figures: ClassFigures) -> list[str]:
    """Sentences on classes and images that figures say nothing of."""
    names, ids = evaluation.dataset.classes, evaluation.dataset.image_ids
    said = []
    if nowhere := [name for name, one in zip(names, figures.each, strict=True) if not images_with(one)]:
        said.append(f"In no label and no map, and left out of all means: {', '.join(nowhere)}.")
    known = zip(names, figures.shares, figures.each, strict=True)
    if called := [name for name, share, one in known if share == 0 and images_with(one)]:
        said.append(f"In no label, and called falsely: {', '.join(called)}.")
    rows = evaluation.figures.per_image
    if empty := [image_id for image_id, row in zip(ids, rows, strict=True) if math.isnan(row["dice"])]:
        said.append(
            f"Of background alone, in label and map, and left out of the {len(ids)} images: {', '.join(empty)}."
        )
    return said


def confusion_table(evaluation: Evaluation, figures: ClassFigures) -> pd.DataFrame:
    """A row a true class, a column a class that its pixels were called, as text with their share of the row."""
    names, counts = list(evaluation.dataset.classes), figures.confusion
    totals = counts.sum(dim=1).tolist()
    rows = [
        [f"{pixels:,}" + (f" ({pixels / total:.1%})" if total else "") for pixels in row]
        for row, total in zip(counts.tolist(), totals, strict=True)
    ]
    return pd.DataFrame(rows, names, names).rename_axis(TRUE_BY_CALLED)
