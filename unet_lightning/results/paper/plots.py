"""Pictures of figures: by method and image, calibration, confusion, agreement with observers, and learning."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from unet_lightning.metrics.agreement import Agreement, bland_altman
from unet_lightning.metrics.calibration import ReliabilityBin
from unet_lightning.metrics.comparison import Values
from unet_lightning.metrics.statistics import Groups
from unet_lightning.results.paper.records import CURVES
from unet_lightning.results.style import BLACK, GREY, LOOKS, Sizes, grid, legend_below

ROW = 7  # millimetres of a method in a box plot
AXIS = 12  # and of an axis with its label
MARKS = 8  # of a curve
FAINT = 0.35  # opacity of single images
SQUARE = 58  # millimetres: height of a panel as wide as a third of a page


@dataclass(frozen=True)
class Box:
    """A method in a box plot."""

    label: str
    values: Values  # of the figure, by image
    mean: float
    low: float  # ends of the mean's interval; NaN where it has none
    high: float


def box_plot(panels: Mapping[str, Sequence[Box]], figure_name: str, sizes: Sizes) -> Figure:
    """Quartiles and images of each method, from the top; a line joins the same image; a panel a class."""
    number, rows = len(panels), max(map(len, panels.values()))
    figure, axes = grid(number, sizes, AXIS + ROW * rows + 4 * (number > 1), sharey=True)
    for panel, (title, boxes) in zip(axes, panels.items(), strict=True):
        known = [[value for value in box.values.values() if not math.isnan(value)] for box in boxes]
        panel.boxplot(
            known,
            positions=range(len(boxes)),
            orientation="horizontal",
            widths=0.55,
            showfliers=False,  # every image is a point
            boxprops={"linewidth": 0.8},
            medianprops={"color": BLACK, "linewidth": 1.4},
        )
        for image in dict.fromkeys(image for box in boxes for image in box.values):
            line = [box.values.get(image, math.nan) for box in boxes]
            panel.plot(line, range(len(boxes)), color=GREY, alpha=FAINT, linewidth=0.5, zorder=0)
        for place, (box, values) in enumerate(zip(boxes, known, strict=True)):
            colour, _, marker = LOOKS[place % len(LOOKS)]
            panel.plot(values, [place] * len(values), marker, color=colour, ms=2.5, alpha=0.6, mew=0)
            panel.hlines(place + 0.38, box.low, box.high, color=colour, linewidth=1.2)
            panel.plot(box.mean, place + 0.38, marker, color=colour, ms=4, mec=BLACK, mew=0.5)
        panel.set_yticks(range(len(boxes)), [box.label for box in boxes])
        panel.set(ylim=(len(boxes) - 0.4, -0.5), xlabel=figure_name, title=title)
        panel.grid(axis="y", visible=False)
        panel.xaxis.set_major_locator(MaxNLocator(4 if number > 1 else 6))
    return figure


def reliability_plot(panels: Mapping[str, Mapping[str, Sequence[ReliabilityBin]]], thing: str, sizes: Sizes) -> Figure:
    """The share of a class over its probability, a line a method; a panel a class."""
    one = len(panels) == 1
    rows = 7 * max(map(len, panels.values())) if one else 0  # of the legend
    figure, axes = grid(len(panels), sizes, SQUARE + 8 + rows)
    for panel, (title, methods) in zip(axes, panels.items(), strict=True):
        panel.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, label="calibrated")
        for (colour, style, marker), (label, bins) in zip(LOOKS, methods.items(), strict=False):
            filled = [place for place in bins if place.pixels]
            points = [place.probability for place in filled], [place.share for place in filled]
            panel.plot(*points, linestyle=style, marker=marker, color=colour, ms=3, label=label)
        panel.set(xlim=(0, 1), ylim=(0, 1), xlabel=f"probability of {title or thing}", ylabel="share in the label")
        panel.set_aspect("equal")
    legend_below(figure, axes[0], 1 if one else 3)
    return figure


def confusion_plot(methods: Mapping[str, Sequence[Sequence[float]]], classes: Sequence[str], sizes: Sizes) -> Figure:
    """The share of each true class that was called each; a panel a method. A class that is in no label has no row."""
    few = len(classes) <= 3
    figure, axes = grid(len(methods), sizes, SQUARE)
    for panel, (label, shares) in zip(axes, methods.items(), strict=True):
        panel.imshow([[*line] for line in shares], cmap="Blues", vmin=0, vmax=1)
        for row, line in enumerate(shares):
            for column, share in enumerate(line):
                ink = "white" if share > 0.6 else BLACK
                text = "-" if math.isnan(share) else f"{share:.1%}" if few else f"{100 * share:.0f}"
                panel.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)
        panel.set_xticks(range(len(classes)), classes, rotation=0 if few else 90)
        panel.set_yticks(range(len(classes)), classes, rotation=90 if few else 0, va="center")
        panel.set(xlabel="called", title=label)
        panel.grid(visible=False)
        panel.spines[:].set_visible(False)
    axes[0].set_ylabel("in the label")
    return figure


def agreement_plot(
    panels: Mapping[str, tuple[Sequence[float], Sequence[float]]], what: str, sizes: Sizes, groups: Groups = None
) -> tuple[Figure, dict[str, Agreement]]:
    """Bland-Altman: differences over means of two who measure the same images; bands are 95 % intervals."""
    columns = 2 if len(panels) in (2, 4) else 3
    figure, axes = grid(len(panels), sizes, SQUARE, columns)
    found = {}
    for panel, (title, (first, second)) in zip(axes, panels.items(), strict=True):
        found[title] = agreement = bland_altman(first, second, groups)
        pairs = list(zip(first, second, strict=True))
        middles, differences = [(one + other) / 2 for one, other in pairs], [one - other for one, other in pairs]
        panel.plot(middles, differences, "o", color=LOOKS[0][0], ms=3)
        panel.axhline(0, color=BLACK, linewidth=0.5)
        for name, value, (low, high) in _lines(agreement):
            if math.isnan(value):
                continue
            panel.axhline(value, color=LOOKS[1][0], linestyle="--" if "limit" in name else "-", linewidth=0.9)
            if not math.isnan(low):
                panel.axhspan(low, high, color=LOOKS[1][0], alpha=0.12, linewidth=0)
            panel.annotate(f"{value:+.2f}", (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom")
        panel.margins(x=0.08, y=0.15)
        panel.xaxis.set_major_locator(MaxNLocator(5))
        panel.set(xlabel=f"mean {what}", ylabel="difference", title=title)
    return figure, found


def learning_plot(methods: Mapping[str, Sequence[pd.DataFrame]], sizes: Sizes) -> Figure:
    """Losses and validation Dice by epoch: the mean of a method's runs, and a band from the lowest to the highest."""
    columns = [name for name in CURVES if any(name in run for runs in methods.values() for run in runs)]
    figure, axes = grid(len(columns), sizes, SQUARE, sharex=True)
    for panel, name in zip(axes, columns, strict=True):
        for (colour, style, marker), (label, runs) in zip(LOOKS, methods.items(), strict=False):
            table = pd.concat([run[name] for run in runs if name in run] or [pd.Series(dtype=float)], axis=1)
            table = table.dropna(how="all").sort_index()
            looks = {"linestyle": style, "color": colour, "marker": marker, "ms": 3}
            panel.plot(table.index, table.mean(axis=1), label=label, markevery=-(-len(table) // MARKS) or 1, **looks)
            if table.shape[1] > 1:
                ends = table.min(axis=1), table.max(axis=1)
                panel.fill_between(table.index, *ends, color=colour, alpha=0.2, linewidth=0)
        panel.set(xlabel="epoch", ylabel=name.replace("/", " ").replace("_", " "))
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    legend_below(figure, axes[0], 3)
    return figure


def in_words(agreements: Mapping[str, Agreement]) -> str:
    """Bias and limits of each panel with their intervals, for a caption."""
    said = []
    for title, agreement in agreements.items():
        parts = (
            f"{name} {value:+.2f}" + ("" if math.isnan(low) else f" ({low:+.2f} to {high:+.2f})")
            for name, value, (low, high) in _lines(agreement)
        )
        said.append(f"{title}: {', '.join(parts)}")
    return "; ".join(said)


def _lines(one: Agreement) -> list[tuple[str, float, tuple[float, float]]]:
    """Bias and limits, each with its name and its interval."""
    return [
        ("mean difference", one.bias, one.bias_interval),
        ("lower limit", one.lower, one.lower_interval),
        ("upper limit", one.upper, one.upper_interval),
    ]
