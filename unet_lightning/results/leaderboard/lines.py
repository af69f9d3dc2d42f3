"""What a leaderboard consists of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unet_lightning.metrics.comparison import Standing, Values
from unet_lightning.metrics.summary import CALIBRES, LOWER_IS_BETTER
from unet_lightning.results.leaderboard.costs import COSTS, Cost, pareto_front
from unet_lightning.results.leaderboard.effects import Effect
from unet_lightning.results.leaderboard.entries import Entry
from unet_lightning.results.leaderboard.jobs import Job

VALIDATION = (
    "Validation: for choosing among these, not for reporting. The epoch of each run, or its threshold, was selected on "
    "these images, so that all figures are too high. Measure what you choose on images that chose nothing: "
    "python -m unet_lightning.evaluate run=<folder>."
)


@dataclass(frozen=True)
class Line:
    """An entry of a leaderboard.

    Attributes:
        entry: what is ranked.
        standing: where it stands.
        spread: SD over its seeds' means; NaN for a single seed.
        leak: whether its figures prove nothing.
    """

    entry: Entry
    standing: Standing
    spread: float
    leak: bool


@dataclass(frozen=True)
class Leaderboard:
    """Lines in their order.

    Attributes:
        figure: that they are ranked by.
        title: data set and split.
        lines: the ranked ones and the second observer by their means, then those that leaked.
        notes: sentences that say what was measured how.
        validation: whether the figures are for choosing alone: the images selected the epoch, or the threshold.
        effects: of the choices that the ranked entries differ in, the largest first; their places are those in
            `trained`.
        balanced: whether the effects are those of a full grid.
        unfinished: jobs of the sweep that did not end well, or have not ended.
    """

    figure: str
    title: str
    lines: Sequence[Line]
    notes: Sequence[str]
    validation: bool = False
    effects: Sequence[Effect] = ()
    balanced: bool = True
    unfinished: Sequence[Job] = ()

    @property
    def lead(self) -> str:
        """What a reader must know before the first figure; empty where there is nothing."""
        return VALIDATION if self.validation else ""

    @property
    def human(self) -> Line | None:
        """The second observer's line."""
        return next((line for line in self.lines if line.entry.human), None)

    @property
    def ranked(self) -> list[Line]:
        """The lines with a rank, the best first."""
        return [line for line in self.lines if line.standing.rank is not None]

    @property
    def trained(self) -> list[Line]:
        """The ranked lines whose config is known."""
        return [line for line in self.ranked if line.entry.runs[0].config]

    @property
    def costs(self) -> list[Cost]:
        """What is known of what the entries cost."""
        return [cost for cost in COSTS if any(not math.isnan(cost.of(line.entry)) for line in self.lines)]

    def front(self, cost: Cost) -> list[Line]:
        """The ranked lines that no other beats in a cost and in the figure; the cheapest first."""
        lines = self.ranked
        means, lower = [line.standing.mean for line in lines], self.figure in LOWER_IS_BETTER
        return [lines[place] for place in pareto_front([cost.of(line.entry) for line in lines], means, lower)]


def counting(entry: Entry, figure: str) -> Values:
    """The values that count for a mean, as in the table of an evaluation: see `Summary`."""
    return having(entry.per_image.get(figure, {}), figure)


def having(values: Values, figure: str) -> Values:
    """Without the images that cannot have the figure, such as those without thin vessels."""
    return {image: value for image, value in values.items() if figure not in CALIBRES or not math.isnan(value)}
