"""The pictures of a set of methods, each with what its caption begins with; UserError where one cannot be drawn."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from matplotlib.figure import Figure

from unet_lightning.errors import DataError
from unet_lightning.metrics.agreement import WORDS
from unet_lightning.metrics.statistics import LEAST
from unet_lightning.metrics.summary import LOWER_IS_BETTER
from unet_lightning.results.leaderboard.choices import shortened
from unet_lightning.results.leaderboard.entries import Entry
from unet_lightning.results.paper.methods import NAME, Methods, run_with
from unet_lightning.results.paper.montage import Shown, montage, worst_median_best
from unet_lightning.results.paper.pixels import Pixels
from unet_lightning.results.paper.plots import (
    Box,
    agreement_plot,
    box_plot,
    confusion_plot,
    in_words,
    learning_plot,
    reliability_plot,
)
from unet_lightning.results.paper.records import bins_of, confusion_of, epochs_of
from unet_lightning.results.stored import MODEL, of_class
from unet_lightning.results.style import Sizes
from unet_lightning.results.tables import readable_name
from unet_lightning.text import published

SIDE_BY_SIDE = 3  # methods as panels beside one another
Drawn = tuple[Figure, str]


def per_image(methods: Methods, sizes: Sizes) -> Drawn:
    """Boxes and paired lines of the figure; of several classes the mean and each."""
    boards = {"": (methods.board, {entry.name: entry for entry in methods.entries})}
    if len(methods.panels) > 1:
        boards = {"mean": boards[""]} | {str(name): methods.ranked(name) for name in methods.panels}
    panels: dict[str, list[Box]] = {title: [] for title in boards}
    for title, (board, entries) in boards.items():
        lines = board.lines.set_index("entry")
        for name in (entry.name for entry in methods.entries):
            ends = [lines[f"{methods.figure}_{end}"].get(name, math.nan) for end in ("per_image", "low", "high")]
            values = entries[name].counting(methods.figure) if name in entries else {}
            panels[title].append(Box(methods.labels[name], values, *ends))
    words = (
        f"{methods.named} by method. Boxes: quartiles and median; points: images, the same one joined by grey lines; "
        "below each box the mean with its 95 % interval."
    )
    return box_plot(panels, methods.named, sizes), words


def examples(methods: Methods, sizes: Sizes, pixels: Pixels) -> Drawn:
    """The worst, the middle and the best image."""
    models, figure = methods.models[:SIDE_BY_SIDE], methods.figure
    values = [entry.counting(figure) for entry in models]
    images = []
    for word, image in worst_median_best(values, figure in LOWER_IS_BETTER).items():
        called = {methods.labels[one.name]: pixels.called(run_with(one, image), image) for one in models}
        figures = {methods.labels[one.name]: its[image] for one, its in zip(models, values, strict=True)}
        title = published(f"{word}: {shortened(image, NAME)}")
        images.append(Shown(title, pixels.photo(image), pixels.target(image), called, figures))
    if not images:
        raise DataError(f"no image has {figure} of all methods")
    classes = list(pixels.dataset.classes) if methods.class_name is None else ["", methods.class_name]
    words = (
        f"The images with the worst, the middle and the best {methods.named}, by its mean over the methods shown. Of "
        "several runs of a method the first is shown, beside the mean figure of all."
    )
    return montage(images, classes, readable_name(figure), sizes), words


def confusion(methods: Methods, sizes: Sizes, names: Sequence[str]) -> Drawn:
    """The share of the pixels of each class that was called each."""
    found = {methods.labels[entry.name]: confusion_of(entry) for entry in methods.models[:SIDE_BY_SIDE]}
    classes = next(iter(found.values()))[0]
    if len(classes) == 2:
        classes = list(names)
    if not classes:
        raise DataError(f"of {methods.class_name} alone there is none: leave --class out")
    words = "Share of the counted pixels of each class of the labels (rows) that was called each class (columns)."
    return confusion_plot({label: shares for label, (_, shares) in found.items()}, classes, sizes), words


def reliability(methods: Methods, sizes: Sizes, names: Sequence[str]) -> Drawn:
    """Calibration, a panel a class."""
    panels = {}
    for name in methods.panels:
        observer = MODEL if name is None else of_class(name)
        bins = {methods.labels[entry.name]: bins_of(entry, observer) for entry in methods.models}
        panels[name or ""] = {label: its for label, its in bins.items() if its}
    if not all(panels.values()):
        raise DataError("the maps are decisions, without probabilities")
    words = "Reliability: the share of the pixels that are of the class, over the probability that they were given."
    return reliability_plot(panels, names[1], sizes), words


def agreement(methods: Methods, sizes: Sizes, every: Pixels) -> Drawn:
    """Bland-Altman of areas, a panel a method and observer; of several classes the first method's, a panel a class."""
    images, panels, terms = list(every.places), {}, methods.board.terms
    for name in methods.panels:
        pixels = replace(every, class_name=name)
        observers = {terms.reference: [pixels.share(pixels.target(image), image) for image in images]}
        drawn = [pixels.second(image) for image in images]
        second = [pixels.share(one, image) for one, image in zip(drawn, images, strict=True) if one is not None]
        if len(second) == len(images):
            observers[terms.second] = second
            panels[f"{terms.second}\nless {terms.reference}"] = (second, observers[terms.reference])
        for entry in methods.models[: SIDE_BY_SIDE if len(methods.panels) == 1 else 1]:
            areas = [_mean_share(pixels, entry, image) for image in images]
            label = methods.labels[entry.name].partition("\n")[0] + (f", {name}" if name else "")
            panels |= {f"{label}\nless {observer}": (areas, its) for observer, its in observers.items()}
    figure, found = agreement_plot(panels, "area, % of the counted pixels", sizes, methods.groups(images))
    few = f" (none below {LEAST} images)" * (len(images) < LEAST)
    words = f"Bland-Altman plots of the area in percent of the counted pixels: mean difference and {WORDS}{few}."
    return figure, f"{words} {in_words(found)}.".replace("\n", " ")


def learning(methods: Methods, sizes: Sizes) -> Drawn:
    """Losses and validation Dice by epoch."""
    found = {methods.labels[entry.name]: epochs_of(entry) for entry in methods.models}
    found = {label: runs for label, runs in found.items() if runs}
    if not found:
        raise DataError("no run has a metrics.csv")
    number = ", ".join(f"{label} {len(runs)}".replace("\n", " ") for label, runs in found.items())
    words = f"Losses and validation Dice by epoch; mean, and band from the lowest to the highest, of runs: {number}."
    return learning_plot(found, sizes), words


def _mean_share(pixels: Pixels, entry: Entry, image: str) -> float:
    """The area that an entry found in an image: the mean over its runs."""
    runs = [run for run in entry.runs if image in run.evaluation.images]
    return fmean(pixels.share(pixels.called(run, image), image) for run in runs)
