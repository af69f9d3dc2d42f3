"""A forest plot beside a table: each row's mean and interval on one axis, in percent of its width."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

NARROWEST = 1e-3  # width of an axis around a single value
MARGIN = 0.06  # of the axis at either end, so that marks are not cut


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        low: value at its left end.
        high: value at its right end.
        ticks: round values between them, ascending.
    """

    low: float
    high: float
    ticks: Sequence[float]

    def place(self, value: float) -> float | None:
        """Percent of the width; None for NaN."""
        return None if math.isnan(value) else round(100 * (value - self.low) / (self.high - self.low), 2)

    @property
    def labels(self) -> list[tuple[float | None, str]]:
        """Place and text of each tick."""
        return [(self.place(tick), f"{tick:.6g}") for tick in self.ticks]


def make_axis(values: Sequence[float]) -> Axis | None:
    """The axis around the values that are numbers; None where there is none.

    Args:
        values: means and ends of intervals, NaN where a row has none.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return None
    low, high = min(known), max(known)
    if high - low < NARROWEST:
        low, high = low - NARROWEST / 2, high + NARROWEST / 2
    margin = MARGIN * (high - low)
    ticks = MaxNLocator(nbins=3, steps=[1, 2, 5, 10]).tick_values(low, high)
    inside = [float(tick) for tick in ticks if low - margin / 2 <= tick <= high + margin / 2]
    return Axis(low - margin, high + margin, inside)
