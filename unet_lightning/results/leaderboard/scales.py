"""Scales of plots: from values to pixels, with round numbers for their ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator

WIDE = 30  # highest over lowest value from which on a scale is logarithmic
NARROWEST = 1e-3  # of the values themselves: the width of a scale around a single one


@dataclass(frozen=True)
class Scale:
    """A scale.

    Attributes:
        low: value at its beginning.
        high: value at its end.
        start: pixels at its beginning.
        end: pixels at its end.
        ticks: round values, ascending.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[float]
    log: bool = False

    def place(self, value: float) -> float:
        """Pixels."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (at - low) / (high - low), 1)

    @property
    def labels(self) -> list[tuple[float, str]]:
        """Pixels and text of each tick."""
        return [(self.place(tick), tick_text(tick)) for tick in self.ticks]


def tick_text(value: float) -> str:
    """A round number in few characters."""
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.3g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return f"{value:,.6g}"


def make_scale(values: Sequence[float], start: float, end: float, margin: float = 0.05) -> Scale:
    """A scale around values.

    Args:
        values: at least one, none NaN; logarithmic where all are above 0 and they span more than a factor of WIDE.
        start: pixels.
        end: pixels.
        margin: part of the scale that is left free at either end.
    """
    low, high = min(values), max(values)
    log = low > 0 and high / low > WIDE
    if log:
        free = margin * math.log(high / low)
        low, high = low * math.exp(-free), high * math.exp(free)
        found = LogLocator(numticks=6).tick_values(low, high)
    else:
        if high - low <= NARROWEST * abs(high):
            half = NARROWEST * (abs(high) or 1)
            low, high = low - half, high + half
        free = margin * (high - low)
        low, high = low - free, high + free
        found = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return Scale(low, high, start, end, [float(tick) for tick in found if low <= tick <= high], log)
