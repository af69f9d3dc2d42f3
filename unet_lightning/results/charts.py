"""The charts of a report: ROC, precision over recall, and calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.metrics.calibration import ReliabilityBin, reliability
from unet_lightning.metrics.ranking import precision_recall_curve, roc_curve
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.html import HUMAN_COLOUR, INK, MODEL_COLOUR, STYLE, inline_svg
from unet_lightning.results.stored import SECONDS
from unet_lightning.results.tables import many_of, one_of, readable

SIZE = (4.2, 4.2)  # inches, of a chart
GUIDE: dict[str, Any] = {"color": INK, "alpha": 0.5, "linewidth": 0.8, "linestyle": "--"}  # lines to compare with


def draw_charts(
    observers: Mapping[str, Summary],
    probability: Tensor,
    target: Tensor,
    threshold: float | str,
    thing: str = "vessel",
) -> list[dict[str, str]]:
    """ROC, precision over recall, and calibration; none where the pixels are of one class, or the maps decisions.

    Each has a `title`, a `caption`, which says what it shows to who cannot see it, and its `svg`.

    Args:
        observers: figures by name, the network first; the second observer becomes a point where they are there.
        probability: the network's, `(N,)` float32 in [0, 1], of the pixels of all images.
        target: `(N,)` integer: BACKGROUND, VESSEL or IGNORE.
        threshold: a probability, or what stands for one, such as `argmax`.
        thing: the class that they are of.
    """
    name, model = next(iter(observers.items()))
    prevalence = float((target == VESSEL).sum() / (target != IGNORE).sum())
    if not 0 < prevalence < 1 or "auroc" not in model.pooled:
        return []
    auroc, precision, error = (
        f"{name}, {short} {readable(model.pooled.get(figure))}"
        for figure, short in (("auroc", "AUROC"), ("average_precision", "AP"), ("ece", "ECE"))
    )
    rates = {f"{name}, threshold {threshold}": model.pooled}
    rates |= {second: observers[second].pooled for second in SECONDS & {*observers}}
    marks = {label: (1 - found["specificity"], found["sensitivity"]) for label, found in rates.items()}
    names = ("false positive rate (1 - specificity)", "sensitivity")
    words, curve = f"Receiver operating characteristic: {auroc}", (auroc, *roc_curve(probability, target))
    roc = _curve_chart("ROC curve", words, names, curve, marks, (0, 1), loc="lower right")
    marks = {label: (found["sensitivity"], found["precision"]) for label, found in rates.items()}
    names = ("recall (sensitivity)", "precision")
    words, curve = f"Precision over recall: {precision}", (precision, *precision_recall_curve(probability, target))
    # Between the curve, which is high where recall is low, and the line of chance.
    legend = {"loc": "lower left", "bbox_to_anchor": (0, min(prevalence, 0.5))}
    ranked = _curve_chart("Precision and recall", words, names, curve, marks, (prevalence, prevalence), **legend)
    ranked["caption"] += f" Chance has the precision {prevalence:.4f}, the share of {many_of(thing)}."
    words = f"The share of {many_of(thing)} among the pixels of a probability, and how many pixels have it: {error}."
    marked = None if isinstance(threshold, str) else threshold
    svg = calibration_svg(reliability(probability, target), error, marked, thing)
    return [roc, ranked, {"title": "Calibration", "caption": words, "svg": svg}]


def calibration_svg(bins: Sequence[ReliabilityBin], label: str, threshold: float | None, thing: str = "vessel") -> str:
    """The share of a class over the probability, without empty bins; below it how many pixels have that probability."""
    filled = [one for one in bins if one.pixels]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], label="calibrated", **GUIDE)
        line = ([one.probability for one in filled], [one.share for one in filled])
        upper.plot(*line, "o-", color=MODEL_COLOUR, ms=3, label=label)
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel=f"share of {many_of(thing)}")
        widths = [b.high - b.low for b in bins]
        lower.bar([b.low for b in bins], [b.pixels for b in bins], widths, align="edge", color=MODEL_COLOUR, alpha=0.7)
        lower.set(xlabel=f"probability of {one_of(thing)}", ylabel="pixels", yscale="log")
        lower.yaxis.set_major_formatter(EngFormatter(sep=""))  # 100k, 1M
        lower.yaxis.set_minor_formatter(NullFormatter())
        if threshold is not None:
            below_legend = {"ymax": 0.65, "color": INK, "linestyle": ":"}
            upper.axvline(threshold, **below_legend, label=f"threshold {threshold:g}")
            lower.axvline(threshold, color=INK, linestyle=":")
        upper.legend(loc="upper left")
        return inline_svg(figure, "calibration")


def _curve_chart(
    title: str,
    words: str,
    names: Sequence[str],
    curve: tuple[str, Tensor, Tensor],
    points: Mapping[str, tuple[float, float]],
    chance: tuple[float, float],
    **legend: Any,
) -> dict[str, str]:
    """A curve with its label, and points with theirs, on a square from 0 to 1; chance at the left and right edge."""
    label, x, y = curve
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=names[0], ylabel=names[1])
        axes.plot([0, 1], chance, label="chance", **GUIDE)
        axes.plot(x.tolist(), y.tolist(), color=MODEL_COLOUR, label=label)
        for name, point in points.items():
            colour, shape = (HUMAN_COLOUR, "D") if name in SECONDS else (MODEL_COLOUR, "o")  # not colour alone
            axes.plot(*point, shape, color=colour, ms=5, label=name, clip_on=False)
        axes.legend(**legend)
        svg = inline_svg(figure, title)
    x_name, y_name = (name.partition(" (")[0] for name in names)
    marks = (f"; {name}: {x_name} {one:.4f}, {y_name} {other:.4f}" for name, (one, other) in points.items())
    return {"title": title, "caption": f"{words}{''.join(marks)}.", "svg": svg}
