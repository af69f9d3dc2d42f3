"""The charts of a report: how well probabilities rank vessels, and how true they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter
from torch import Tensor

from unet_lightning.metrics.calibration import ReliabilityBin
from unet_lightning.results.svg import HUMAN_COLOUR, INK, MODEL_COLOUR, STYLE, inline_svg

SIZE = (4.2, 4.2)  # inches
GUIDE: dict[str, Any] = {"color": INK, "alpha": 0.5, "linewidth": 0.8}  # lines to compare with


class Point(NamedTuple):
    """An observer at one threshold: a mark on the plane of a curve.

    Attributes:
        x: in [0, 1].
        y: in [0, 1].
        label: for the legend.
        human: whether a person drew the vessels.
    """

    x: float
    y: float
    label: str
    human: bool = False


def roc_chart(curve: tuple[Tensor, Tensor], label: str, points: Sequence[Point]) -> str:
    """The receiver operating characteristic as SVG.

    Args:
        curve: false positive rate and sensitivity, `(N,)` each.
        label: of the curve.
        points: marks at (1 - specificity, sensitivity).
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _plane("false positive rate (1 - specificity)", "sensitivity")
        axes.plot([0, 1], [0, 1], linestyle="--", label="chance", **GUIDE)
        _curve(axes, curve, label, points)
        axes.legend(loc="lower right")
        return inline_svg(figure, "roc")


def precision_recall_chart(curve: tuple[Tensor, Tensor], label: str, points: Sequence[Point], prevalence: float) -> str:
    """Precision over recall as SVG.

    Args:
        curve: recall and precision, `(N,)` each.
        label: of the curve.
        points: marks at (sensitivity, precision).
        prevalence: share of vessels among the counted pixels: the precision of chance.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _plane("recall (sensitivity)", "precision")
        axes.axhline(prevalence, linestyle="--", label="chance", **GUIDE)
        _curve(axes, curve, label, points)
        # Between the curve, which is high where recall is low, and the line of chance.
        axes.legend(loc="lower left", bbox_to_anchor=(0, min(prevalence, 0.5)))
        return inline_svg(figure, "precision-recall")


def calibration_chart(bins: Sequence[ReliabilityBin], label: str, threshold: float | None) -> str:
    """The share of vessels over the probability, and below it how many pixels have that probability, as SVG.

    Args:
        bins: the line leaves empty ones out.
        label: of the line.
        threshold: marked where there is one.
    """
    filled = [one for one in bins if one.pixels]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], linestyle="--", label="calibrated", **GUIDE)
        line = ([one.probability for one in filled], [one.share for one in filled])
        upper.plot(*line, "o-", color=MODEL_COLOUR, ms=3, label=label)
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of vessels")
        widths = [b.high - b.low for b in bins]
        lower.bar([b.low for b in bins], [b.pixels for b in bins], widths, align="edge", color=MODEL_COLOUR, alpha=0.7)
        lower.set(xlabel="probability of a vessel", ylabel="pixels", yscale="log")
        lower.yaxis.set_major_formatter(EngFormatter(sep=""))  # 100k, 1M
        lower.yaxis.set_minor_formatter(NullFormatter())
        if threshold is not None:
            below_legend = 0.65
            upper.axvline(threshold, 0, below_legend, color=INK, linestyle=":", label=f"threshold {threshold:g}")
            lower.axvline(threshold, color=INK, linestyle=":")
        upper.legend(loc="upper left")
        return inline_svg(figure, "calibration")


def _plane(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """An empty square from 0 to 1."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def _curve(axes: Axes, curve: tuple[Tensor, Tensor], label: str, points: Sequence[Point]) -> None:
    """A thin line, and marks that are round for the network, a diamond for a person: not told by colour alone."""
    axes.plot(*(one.tolist() for one in curve), color=MODEL_COLOUR, label=label)
    for point in points:
        colour, shape = (HUMAN_COLOUR, "D") if point.human else (MODEL_COLOUR, "o")
        axes.plot(point.x, point.y, shape, color=colour, ms=5, label=point.label, clip_on=False)
