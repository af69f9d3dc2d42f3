"""Parallel coordinates: each entry a line over its choices to its figure. Places are pixels of an SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from unet_lightning.results.leaderboard.choices import Choice
from unet_lightning.results.leaderboard.lines import Leaderboard, Line
from unet_lightning.results.leaderboard.scales import make_scale
from unet_lightning.results.tables import DECIMALS, readable

LEFT, RIGHT, TOP = 110, 90, 44  # room for the labels of the first and last axis, and for names
WIDTH, NARROW, WIDE = 1180, 150, 260  # of the plot, where there is enough between two axes and not too much
LEAST, ROW, MOST = 260, 18, 640  # height of the axes: at least, a value, at most
BELOW = 34  # room for what the line under the pointer says
FOCUSED = 60  # lines that the keyboard reaches, the best first
FAINTEST = 0.25  # opacity of the worst line
LABEL = 16  # characters of a tick


@dataclass(frozen=True)
class Coordinate:
    """An axis.

    Attributes:
        x: its place.
        lines: its name, broken into lines.
        name: its whole name.
        labels: place and text of each tick.
        last: whether its labels stand on its right, where no lines are.
    """

    x: int
    lines: Sequence[str]
    name: str
    labels: Sequence[tuple[float, str]]
    last: bool = False


@dataclass(frozen=True)
class Trace:
    """The line of an entry.

    Attributes:
        points: as in SVG.
        said: what the entry is.
        opacity: stronger for a better figure.
        best: whether this is rank 1.
        focused: whether the keyboard reaches it.
    """

    points: str
    said: str
    opacity: float
    best: bool
    focused: bool


@dataclass(frozen=True)
class Parallel:
    """The plot.

    Attributes:
        width: pixels.
        height: pixels.
        top: of the axes.
        bottom: of the axes.
        axes: the choices, those with the largest effect last, then the figure.
        traces: worst first, so that the best are drawn over the others.
    """

    width: int
    height: int
    top: int
    bottom: int
    axes: Sequence[Coordinate]
    traces: Sequence[Trace]


def parallel_coordinates(board: Leaderboard) -> Parallel | None:
    """The plot; None where no choice differs."""
    lines = board.trained
    choices = [effect.choice for effect in reversed(board.effects)]
    if not choices:
        return None
    values = max((len(choice.levels) for choice in choices if not choice.searched), default=0)
    bottom = TOP + min(max(LEAST, ROW * values), MOST)
    gap = min(max((WIDTH - LEFT - RIGHT) // len(choices), NARROW), WIDE)
    axes, places = [], []
    for number, choice in enumerate(choices):
        labels, found = _ticks(choice, len(lines), bottom)
        axes.append(Coordinate(LEFT + number * gap, _broken(choice.name), choice.name, labels))
        places.append(found)
    means = [line.standing.mean for line in lines]
    scale = make_scale(means, bottom, TOP)
    name = f"{board.figure}_per_image"
    axes.append(Coordinate(LEFT + len(choices) * gap, [name], name, scale.labels, last=True))
    places.append([scale.place(mean) for mean in means])
    traces = [
        Trace(
            " ".join(f"{axis.x},{found[place]:g}" for axis, found in zip(axes, places, strict=True)),
            describe(line, choices, place, board.figure),
            _opacity(place, len(lines)),
            line.standing.rank == 1,
            place < FOCUSED,
        )
        for place, line in enumerate(lines)
    ]
    return Parallel(axes[-1].x + RIGHT, bottom + BELOW, TOP, bottom, axes, traces[::-1])


def _ticks(choice: Choice, entries: int, bottom: int) -> tuple[list[tuple[float, str]], list[float]]:
    """The ticks of a choice, and the place of each entry on it; those that it does not concern stand lowest."""
    absent = entries > len(choice.values)
    numbers = choice.numbers
    if choice.searched and numbers:
        scale = make_scale(list(numbers.values()), bottom - ROW * absent, TOP, margin=0.02)
        labels = [*scale.labels, *([(float(bottom), "-")] if absent else [])]
        return labels, [scale.place(numbers[place]) if place in numbers else bottom for place in range(entries)]
    levels = [None, *choice.levels] if absent else [*choice.levels]
    step = (bottom - TOP) / len(levels)
    at = {level: round(bottom - step * (number + 0.5), 1) for number, level in enumerate(levels)}
    labels = [(place, "-" if level is None else _cut(choice.shown(level))) for level, place in at.items()]
    return labels, [at[choice.values.get(place)] for place in range(entries)]


def describe(line: Line, choices: Sequence[Choice], place: int, figure: str) -> str:
    """An entry with its choices and its figure, in one line."""
    standing, decimals = line.standing, DECIMALS.get(figure, 4)
    settings = [f"{choice.name}={choice.values[place]}" for choice in choices if place in choice.values]
    return f"{standing.rank}. {line.entry.name}: {figure} {readable(standing.mean, decimals)}; {' '.join(settings)}"


def _opacity(place: int, entries: int) -> float:
    """From 1 for the best to FAINTEST."""
    return round(1 - (1 - FAINTEST) * place / max(1, entries - 1), 2)


def _cut(text: str) -> str:
    """A tick in few characters."""
    return text if len(text) <= LABEL else text[: LABEL - 1] + "…"


def _broken(name: str) -> list[str]:
    """A key as two lines of few characters: what is before its last dot, and the rest."""
    if len(name) <= LABEL or "," in name:
        return [_cut(name)]
    head, _, tail = name.rpartition(".")
    return [_cut(head + "."), _cut(tail)] if head else [_cut(tail)]
