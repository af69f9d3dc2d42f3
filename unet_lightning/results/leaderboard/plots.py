"""What a leaderboard draws into its page: means with intervals, choices over the figure, and the figure over costs."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from unet_lightning.results.html import HUMAN_COLOUR, INK, MODEL_COLOUR, STYLE, inline_svg
from unet_lightning.results.leaderboard.board import COSTS, Leaderboard
from unet_lightning.results.leaderboard.choices import as_number, levels, searched, shortened

ORDERS = 30  # highest over lowest value from which on a scale is logarithmic
FAINTEST = 0.25  # opacity of the line of the worst entry
LABEL, NAME = 18, 40  # characters of a value, and of an entry
WIDTH, ROW = 9.0, 0.24  # inches: of a plot, and of a row in it
REM = 6  # letters of the page, of which an inch is as wide
SECOND: dict[str, Any] = {"color": HUMAN_COLOUR, "linestyle": "--", "linewidth": 1.2}


def draw(board: Leaderboard) -> dict[str, str]:
    """The plots as SVG, by `forest`, `parallel` and `cost`; those with nothing to show are left out."""
    with matplotlib.rc_context(STYLE):
        figures = {"forest": forest(board), "parallel": parallel_coordinates(board), "cost": cost_plot(board)}
        drawn = {name: figure for name, figure in figures.items() if figure is not None}
        sizes = {name: f'<svg style="width: {REM * figure.get_figwidth():.0f}rem" ' for name, figure in drawn.items()}
        return {name: inline_svg(figure, name).replace("<svg ", sizes[name], 1) for name, figure in drawn.items()}


def forest(board: Leaderboard) -> Figure | None:
    """The mean of each entry with its interval, from the best down, and a line at the second observer's mean."""
    lines, mean = board.lines[board.lines["kind"] != "trivial"], f"{board.figure}_per_image"
    if lines[mean].isna().all():
        return None
    figure = Figure(figsize=(WIDTH, 0.7 + ROW * len(lines)), layout="constrained")
    axes = figure.subplots()
    for kind, colour, mark in (("model", MODEL_COLOUR, "o"), ("human", HUMAN_COLOUR, "D"), ("leak", INK, "o")):
        some = lines[lines["kind"] == kind]
        axes.hlines(some.index, some[f"{board.figure}_low"], some[f"{board.figure}_high"], color=colour)
        axes.plot(some[mean], some.index, mark, color=colour, ms=5, mfc="none" if kind == "leak" else colour)
    if not math.isnan(board.human_mean):
        axes.axvline(board.human_mean, zorder=0, **SECOND)
    ranks = ["" if pd.isna(rank) else f"{rank}. " for rank in lines["rank"]]
    names = [shortened(name, NAME) for name in lines["entry"]]
    axes.set_yticks(lines.index, [rank + name for rank, name in zip(ranks, names, strict=True)])
    axes.set(ylim=(len(lines) - 0.5, -0.5), xlabel=mean)
    axes.grid(axis="y", visible=False)
    axes.tick_params(labeltop=len(lines) > 20)
    return figure


def parallel_coordinates(board: Leaderboard) -> Figure | None:
    """Each entry as a line over its choices, the largest effect last, to its figure; None without choices."""
    names = list(board.effects["choice"].unique())[::-1]
    if not names:
        return None
    lines, mean = board.lines.loc[board.choices.index], f"{board.figure}_per_image"
    axes: list[tuple[str, pd.Series, list[str]]] = []  # name; places of the entries, NaN where it is none; its ticks
    for name in names:
        values = board.choices[name]
        texts = {} if searched(values) else levels(values)
        ordinals = {value: place for place, value in enumerate(texts)}
        places = values.map(ordinals.get if texts else as_number, na_action="ignore").astype(float)
        axes.append((name, places, [shortened(text, LABEL) for text in texts.values()]))
    axes.append((mean, lines[mean], []))
    most = max(len(ticks) for _, _, ticks in axes)
    figure = Figure(figsize=(1.8 * len(axes), min(max(3.6, ROW * most), 9)), layout="constrained")
    host = figure.subplots()
    host.set(xlim=(0, 1), ylim=(0, 1))
    host.set_axis_off()
    across = [number / len(names) for number in range(len(axes))]
    heights = [_coordinate(host, place, *one) for place, one in zip(across, axes, strict=True)]
    for number in reversed(range(len(lines))):  # the best are drawn over the others
        opacity = 1 - (1 - FAINTEST) * number / max(1, len(lines) - 1)
        width = 3 if lines["rank"].iloc[number] == 1 else 1.2
        host.plot(across, [found[number] for found in heights], color=MODEL_COLOUR, alpha=opacity, linewidth=width)
    return figure


def _coordinate(host: Axes, place: float, name: str, numbers: pd.Series, ticks: Sequence[str]) -> list[float]:
    """Draws the axis of a choice, or of the figure, at a part of the width; `ticks` stand at 0, 1, ...

    Returns the height of each entry on it, 0 to 1; those without a number are lowest.
    """
    axes = host.twinx()
    side: Literal["left", "right"] = "right" if place == 1 else "left"  # no line is right of the last
    axes.spines[:].set_visible(False)
    axes.spines[side].set(visible=True, position=("axes", place))
    axes.yaxis.set_ticks_position(side)
    axes.grid(visible=False)
    if ticks:
        axes.set_yticks(range(len(ticks)), ticks)
        axes.set_ylim(-0.5, len(ticks) - 0.5)
    else:
        axes.margins(y=0.08)
        _scale(axes, "y", numbers)
    axes.plot([place] * len(numbers), numbers, "o", color=INK, ms=2.5)
    axes.get_ylim()  # Matplotlib now finds the limits
    heights = (axes.transScale + axes.transLimits).transform([(0, number) for number in numbers])[:, 1]
    if numbers.isna().any():
        host.annotate("-", (place, 0), (-7, 0), textcoords="offset points", ha="right", va="center")
    head, dot, tail = name.rpartition(".")
    title = name if len(name) <= LABEL else f"{head}{dot}\n{tail}".replace(", ", ",\n")
    host.text(place, 1.03, title, ha="center", va="bottom", weight="bold")
    return [0.0 if math.isnan(height) else float(height) for height in heights]


def _scale(axes: Axes, which: str, values: pd.Series) -> None:
    """Short labels; a logarithmic scale where all values are above 0 and span more than a factor of ORDERS."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if values.min() > 0 and values.max() / values.min() > ORDERS:
        axes.set(**{f"{which}scale": "log"})
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def cost_plot(board: Leaderboard) -> Figure | None:
    """The figure over each cost that two ranked entries know; None where there is none.

    Filled, with their ranks, and joined by stairs: the entries that no other beats in both.
    """
    known = {cost: lines for cost in board.costs if len(lines := board.ranked.dropna(subset=[cost])) > 1}
    if not known:
        return None
    mean, low, high = (f"{board.figure}_{end}" for end in ("per_image", "low", "high"))
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    plots = figure.subplots(1, len(COSTS), sharey=True)
    for axes, (cost, lines) in zip(plots, known.items(), strict=False):
        front = board.front(cost)
        other = lines.drop(front.index)
        for some, colour, fill, opacity in ((other, INK, "none", 0.3), (front, MODEL_COLOUR, MODEL_COLOUR, 0.8)):
            axes.vlines(some[cost], some[low], some[high], color=colour, alpha=opacity, linewidth=1)
            axes.plot(some[cost], some[mean], "o", color=colour, mfc=fill, ms=5, alpha=max(opacity, 0.6))
        axes.margins(x=0.08)
        _scale(axes, "x", lines[cost])
        right = axes.get_xlim()[1]
        axes.set_xlim(right=right)
        stairs = [*front[cost], right], [*front[mean], front[mean].iloc[-1]]
        axes.step(*stairs, where="post", color=MODEL_COLOUR, alpha=0.6)
        for line in front.to_dict("records"):
            at = (line[cost], line[mean])
            axes.annotate(str(line["rank"]), at, (-5, 4), textcoords="offset points", ha="right", weight="bold")
        if not math.isnan(board.human_mean):
            axes.axhline(board.human_mean, zorder=0, **SECOND)
        axes.set_xlabel(COSTS[cost].replace("\n", " "))
    plots[0].set_ylabel(mean)
    for axes in plots[len(known) :]:
        axes.set_visible(False)
    return figure
