"""Scatters of what the entries cost against their figure. Places are pixels of an SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from unet_lightning.results.leaderboard.columns import cost_cell
from unet_lightning.results.leaderboard.costs import Cost
from unet_lightning.results.leaderboard.lines import Leaderboard
from unet_lightning.results.leaderboard.parallel import FOCUSED
from unet_lightning.results.leaderboard.scales import Scale, make_scale
from unet_lightning.results.tables import DECIMALS, readable

WIDTH, HEIGHT = 460, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 445, 12, 262  # of the plane


@dataclass(frozen=True)
class Mark:
    """An entry.

    Attributes:
        x: place of the cost.
        y: place of the mean.
        low: place of the interval's lower end; None where there is none.
        high: place of its upper end.
        label: the rank of an entry on the front, empty for others.
        said: what the entry is.
        focused: whether the keyboard reaches it.
    """

    x: float
    y: float
    low: float | None
    high: float | None
    label: str
    said: str
    focused: bool


@dataclass(frozen=True)
class Scatter:
    """A plot.

    Attributes:
        title: what the cost is.
        across: scale of the cost.
        up: scale of the figure.
        marks: those on the front last, so that they are drawn over the others.
        front: the line through them, as points of SVG.
        human: place of the second observer's mean; None where there is none.
    """

    title: str
    across: Scale
    up: Scale
    marks: Sequence[Mark]
    front: str
    human: float | None


def cost_scatters(board: Leaderboard) -> list[Scatter]:
    """A plot for each cost that at least two ranked entries know."""
    found = [_scatter(board, cost) for cost in board.costs]
    return [one for one in found if one is not None]


def _scatter(board: Leaderboard, cost: Cost) -> Scatter | None:
    """The plot; None for fewer than two entries."""
    lines = [line for line in board.ranked if not math.isnan(cost.of(line.entry))]
    if len(lines) < 2:
        return None
    human = board.human.standing.mean if board.human else math.nan
    ends = [end for line in lines for end in (line.standing.mean, *line.standing.interval)] + [human]
    across = make_scale([cost.of(line.entry) for line in lines], LEFT, RIGHT, margin=0.08)
    up = make_scale([end for end in ends if not math.isnan(end)], BOTTOM, TOP)
    front = board.front(cost)
    marks = []
    for number, line in enumerate(lines):
        standing, decimals = line.standing, DECIMALS.get(board.figure, 4)
        low, high = (None if math.isnan(end) else up.place(end) for end in standing.interval)
        said = f"{standing.rank}. {line.entry.name}: {board.figure} {readable(standing.mean, decimals)}"
        said += f", {cost.name} {cost_cell(cost)(line).text}"
        label = str(standing.rank) if line in front else ""
        place = across.place(cost.of(line.entry)), up.place(standing.mean)
        marks.append(Mark(*place, low, high, label, said, number < FOCUSED))
    steps = [mark for mark in sorted(marks, key=lambda mark: mark.x) if mark.label]
    return Scatter(
        f"{cost.name} {cost.unit}",
        across,
        up,
        sorted(marks, key=lambda mark: bool(mark.label)),
        _stairs(steps),
        None if math.isnan(human) else up.place(human),
    )


def _stairs(steps: Sequence[Mark]) -> str:
    """From each entry of the front level to the cost of the next, which is better."""
    points = [f"{steps[0].x:g},{steps[0].y:g}"]
    for before, mark in pairwise(steps):
        points += [f"{mark.x:g},{before.y:g}", f"{mark.x:g},{mark.y:g}"]
    return " ".join([*points, f"{RIGHT},{steps[-1].y:g}"])
