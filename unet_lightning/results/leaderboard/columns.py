"""The columns of a leaderboard."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from unet_lightning.metrics.comparison import Standing, mean
from unet_lightning.results.leaderboard.choices import brief
from unet_lightning.results.leaderboard.costs import Cost
from unet_lightning.results.leaderboard.lines import Leaderboard, Line, counting
from unet_lightning.results.leaderboard.notes import pooled_columns
from unet_lightning.results.tables import DECIMALS, readable

ENTRY = "entry"
PER_IMAGE = ("dice", "cldice")  # means over images beside the figure of the ranking


class Cell(NamedTuple):
    """A text, and a smaller one below it."""

    text: str
    below: str = ""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: above it.
        cell: what a line shows in it.
        main: terminals show it if they are wide enough for it and for all with lower numbers; None: none does.
    """

    heading: Cell
    cell: Callable[[Line], Cell]
    main: int | None = None

    @property
    def words(self) -> bool:
        """Whether it holds words, and not numbers."""
        return self.heading.text == ENTRY


def columns(board: Leaderboard) -> list[Column]:
    """The columns of a leaderboard; figures that nobody has are left out."""
    entries = [line.entry for line in board.lines]
    further = [name for name in PER_IMAGE if name != board.figure and any(name in e.per_image for e in entries)]
    decimals = DECIMALS.get(board.figure, 4)
    found = [
        Column(Cell("rank"), lambda line: Cell(str(line.standing.rank or "-")), main=0),
        Column(Cell(ENTRY), entry_cell, main=0),
        Column(
            Cell(f"{board.figure}_per_image", "95 % interval"), lambda line: mean_cell(line.standing, decimals), main=0
        ),
        Column(Cell("runs"), _runs, main=2),
        Column(Cell("spread"), lambda line: Cell(readable(line.spread, decimals)), main=3),
    ]
    if any(line.standing.against_best for line in board.lines):
        heading = Cell("difference to best", "95 % interval")
        found.append(Column(heading, lambda line: difference_cell(line.standing, decimals), main=1))
        found.append(Column(Cell("p"), lambda line: Cell(_probability(line.standing.p_holm)), main=1))
    found += [Column(Cell(cost.name, cost.unit), cost_cell(cost), main=5) for cost in board.costs]
    found += [Column(Cell(f"{name}_per_image"), _per_image(name)) for name in further]
    pooled = pooled_columns(entries)
    found += [Column(Cell(label), _pooled(name), main=4 if name == "auroc" else None) for label, name in pooled.items()]
    if any(not math.isnan(entry.against_second) for entry in entries):
        heading = Cell("dice_per_image", "against second observer")
        found.append(Column(heading, lambda line: Cell(readable(line.entry.against_second))))
    found += [Column(Cell(key), _protocol(key)) for key in ("threshold", "tta", "scale")]
    return found


def entry_cell(line: Line) -> Cell:
    """The name with its mark, and the settings that tell it apart."""
    pairs = [setting.partition("=") for setting in line.entry.settings]
    return Cell(
        line.entry.name + " LEAK" * line.leak, " ".join(f"{key}{sign}{brief(value)}" for key, sign, value in pairs)
    )


def _runs(line: Line) -> Cell:
    """What was averaged, such as `3 seeds`, or answers as one, such as `5 networks`."""
    counts = line.entry.counts
    parts = [f"{counts[name]} {name}" for name in ("seeds", "folds") if counts[name] > 1]
    if counts["runs"] > 1 and not parts:
        parts = [f"{counts['runs']} runs"]
    if counts["networks"] > 1:
        parts.append(f"{counts['networks']} networks")
    return Cell(", ".join(parts) or ("1 run" if counts["networks"] else "-"))


def mean_cell(standing: Standing, decimals: int) -> Cell:
    """The figure of the ranking."""
    return Cell(readable(standing.mean, decimals), interval_text(*standing.interval, decimals))


def difference_cell(standing: Standing, decimals: int) -> Cell:
    """The difference to the best."""
    paired = standing.against_best
    if paired is None:
        return Cell("best" if standing.rank == 1 else "-")
    return Cell(f"{paired.mean:+.{decimals}f}", interval_text(paired.low, paired.high, decimals, "+"))


def interval_text(low: float, high: float, decimals: int, sign: str = "") -> str:
    """Lower and upper end; empty where there are none."""
    return "" if math.isnan(low) else f"{low:{sign}.{decimals}f} to {high:{sign}.{decimals}f}"


def _probability(p: float) -> str:
    """A p-value."""
    return "< 0.0001" if p < 1e-4 else readable(p)


def cost_cell(cost: Cost) -> Callable[[Line], Cell]:
    """Shows what an entry cost."""

    def cell(line: Line) -> Cell:
        value = cost.of(line.entry)
        return Cell("-" if math.isnan(value) else f"{value:,.0f}" if value >= 10 else f"{value:.1f}")

    return cell


def _per_image(name: str) -> Callable[[Line], Cell]:
    """Shows a figure's mean over images."""
    return lambda line: Cell(readable(mean(counting(line.entry, name)), DECIMALS.get(name, 4)))


def _pooled(name: str) -> Callable[[Line], Cell]:
    """Shows a figure of the pooled pixels."""
    return lambda line: Cell(readable(line.entry.pooled.get(name)))


def _protocol(key: str) -> Callable[[Line], Cell]:
    """Shows a key of the protocol; several numbers as their range."""

    def cell(line: Line) -> Cell:
        values = line.entry.protocol(key)
        if len(values) > 1 and all(isinstance(value, float) for value in values):
            return Cell(f"{min(values):.4g} to {max(values):.4g}")
        return Cell(", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values) or "-")

    return cell
