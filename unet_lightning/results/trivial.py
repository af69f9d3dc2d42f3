"""Maps that look at no photograph, beside those of a network: so its figures are seen for what they are."""

from collections.abc import Mapping

import pandas as pd
from torch import Tensor

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.shares import shares_of
from unet_lightning.metrics.summary import Summary
from unet_lightning.metrics.trivial import constant_map
from unet_lightning.results.stored import ALL
from unet_lightning.results.tables import mean_and_sd, readable

POOLED = ("iou", "sensitivity", "specificity", "precision")  # of the pooled pixels, behind accuracy and Dice
WORDS = "Maps called all one class look at no photograph: what a network is worth is what it has beyond them."
OF_TRAINING = " The class is the most frequent one of the training labels."
OF_THESE = " The class is the most frequent one of these labels, as nothing says which was in training."


def trivial_maps(dataset: SegmentationDataset, frequent: int | None) -> dict[str, Summary]:
    """Figures of maps of one class, by names such as `all background`.

    With two classes of either; with more of the most `frequent` one of the training labels, by its number (None where
    that is not known: of the labels measured).
    """
    targets = [sample.target.as_subclass(Tensor) for sample in dataset]
    if len(dataset.classes) > 2 and frequent is None:
        frequent = int(shares_of(dataset.image_ids, dataset.classes, targets).counts.sum(0).argmax())
    size = len(dataset.classes)
    numbers = (0, 1) if size == 2 else (frequent or 0,)
    return {ALL + dataset.classes[one]: constant_map(targets, size, one, dataset.groups) for one in numbers}


def words_of_trivial(dataset: SegmentationDataset, frequent: int | None) -> str:
    """What stands below the table."""
    return WORDS + ("" if len(dataset.classes) == 2 else OF_THESE if frequent is None else OF_TRAINING)


def trivial_table(model: Mapping[str, Summary], trivial: Mapping[str, Summary]) -> pd.DataFrame:
    """A row a map, the model's first and the others dim; a column a figure, as text."""
    rows = {}
    for name, summary in {**model, **trivial}.items():
        cells = {"accuracy": readable(summary.pooled["accuracy"]), "dice_per_image": mean_and_sd(summary, "dice")}
        cells |= {"dice_pooled": readable(summary.pooled["dice"])}
        rows[name] = cells | {figure: readable(summary.pooled.get(figure)) for figure in POOLED}
    table = pd.DataFrame(rows).T.rename_axis("Map")
    table.attrs["dim"] = list(trivial)
    return table
