"""The charts of a report: how well probabilities rank vessels, and how true they are, over the pooled pixels."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.metrics.calibration import ReliabilityBin, reliability
from unet_lightning.metrics.ranking import precision_recall_curve, roc_curve
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.html import HUMAN_COLOUR, INK, MODEL_COLOUR, STYLE, inline_svg
from unet_lightning.results.stored import SECOND
from unet_lightning.results.tables import readable

SIZE = (4.2, 4.2)  # inches
GUIDE: dict[str, Any] = {"color": INK, "alpha": 0.5, "linewidth": 0.8, "linestyle": "--"}  # lines to compare with


class Chart(NamedTuple):
    """A chart with its heading and its caption, which says what the chart shows to who cannot see it."""

    title: str
    caption: str
    svg: str


def draw_charts(
    observers: Mapping[str, Summary], probability: Tensor, target: Tensor, threshold: float | str
) -> list[Chart]:
    """ROC, precision over recall, and calibration; none where the pixels are of one class, or the maps decisions.

    Args:
        observers: figures by name, the network first; the second observer becomes a point where they are there.
        probability: the network's, `(N,)` float32 in [0, 1], of the pixels of all images.
        target: `(N,)` integer: BACKGROUND, VESSEL or IGNORE.
        threshold: a probability, or what stands for one, such as `argmax`.
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
    rates |= {SECOND: observers[SECOND].pooled} if SECOND in observers else {}
    roc = _curve_chart(
        "ROC curve",
        f"Receiver operating characteristic: {auroc}",
        ("false positive rate (1 - specificity)", "sensitivity"),
        (auroc, *roc_curve(probability, target)),
        {label: (1 - found["specificity"], found["sensitivity"]) for label, found in rates.items()},
        chance=(0, 1),
        loc="lower right",
    )
    ranked = _curve_chart(
        "Precision and recall",
        f"Precision over recall: {precision}",
        ("recall (sensitivity)", "precision"),
        (precision, *precision_recall_curve(probability, target)),
        {label: (found["sensitivity"], found["precision"]) for label, found in rates.items()},
        chance=(prevalence, prevalence),
        # Between the curve, which is high where recall is low, and the line of chance.
        loc="lower left",
        bbox_to_anchor=(0, min(prevalence, 0.5)),
    )
    chance = f" Chance has the precision {prevalence:.4f}, the share of vessels."
    words = f"The share of vessels among the pixels of a probability, and how many pixels have it: {error}."
    svg = calibration_svg(reliability(probability, target), error, None if isinstance(threshold, str) else threshold)
    return [roc, ranked._replace(caption=ranked.caption + chance), Chart("Calibration", words, svg)]


def calibration_svg(bins: Sequence[ReliabilityBin], label: str, threshold: float | None) -> str:
    """The share of vessels over the probability, without empty bins; below it how many pixels have that probability."""
    filled = [one for one in bins if one.pixels]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], label="calibrated", **GUIDE)
        line = ([one.probability for one in filled], [one.share for one in filled])
        upper.plot(*line, "o-", color=MODEL_COLOUR, ms=3, label=label)
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of vessels")
        widths = [b.high - b.low for b in bins]
        lower.bar([b.low for b in bins], [b.pixels for b in bins], widths, align="edge", color=MODEL_COLOUR, alpha=0.7)
        lower.set(xlabel="probability of a vessel", ylabel="pixels", yscale="log")
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
    caption: str,
    axis_names: tuple[str, str],
    curve: tuple[str, Tensor, Tensor],
    points: Mapping[str, tuple[float, float]],
    chance: tuple[float, float],
    **legend: Any,
) -> Chart:
    """A curve with its label, and points with theirs, on a square from 0 to 1; chance at the left and right edge."""
    label, x, y = curve
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=axis_names[0], ylabel=axis_names[1])
        axes.plot([0, 1], chance, label="chance", **GUIDE)
        axes.plot(x.tolist(), y.tolist(), color=MODEL_COLOUR, label=label)
        for name, point in points.items():
            colour, shape = (HUMAN_COLOUR, "D") if name == SECOND else (MODEL_COLOUR, "o")  # not colour alone
            axes.plot(*point, shape, color=colour, ms=5, label=name, clip_on=False)
        axes.legend(**legend)
        svg = inline_svg(figure, title)
    x_name, y_name = (name.partition(" (")[0] for name in axis_names)
    marks = (f"; {name}: {x_name} {one:.4f}, {y_name} {other:.4f}" for name, (one, other) in points.items())
    return Chart(title, f"{caption}{''.join(marks)}.", svg)
