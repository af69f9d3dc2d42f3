"""The tables of a leaderboard, the same in every format: ranking, effects, costs, and jobs that did not finish."""

from collections.abc import Sequence
from dataclasses import dataclass

from unet_lightning.metrics.statistics import RESAMPLES
from unet_lightning.results.leaderboard.choices import LONGEST, MANY
from unet_lightning.results.leaderboard.columns import (
    ENTRY,
    Cell,
    columns,
    cost_cell,
    difference_cell,
    entry_cell,
    interval_text,
    mean_cell,
)
from unet_lightning.results.leaderboard.effects import Effect, Level
from unet_lightning.results.leaderboard.jobs import counted
from unet_lightning.results.leaderboard.lines import Leaderboard, Line
from unet_lightning.results.tables import DECIMALS


@dataclass(frozen=True)
class Strip:
    """A column with its cells.

    Attributes:
        heading: above it.
        cells: one a row.
        words: whether it holds words, and not numbers.
        main: terminals show it if they are wide enough for it and for all with lower numbers; None: none does.
    """

    heading: Cell
    cells: Sequence[Cell]
    words: bool = False
    main: int | None = 0

    @property
    def long(self) -> bool:
        """Whether it holds sentences, or as much as a sentence."""
        return self.words and any(len(text) > 2 * LONGEST for cell in self.cells for text in cell)


@dataclass(frozen=True)
class Section:
    """A table.

    Attributes:
        name: anchor in a page.
        title: above it.
        strips: its columns.
        notes: sentences below it.
    """

    name: str
    title: str
    strips: Sequence[Strip]
    notes: Sequence[str] = ()

    @property
    def rows(self) -> list[tuple[Cell, ...]]:
        """The cells row by row."""
        return list(zip(*(strip.cells for strip in self.strips), strict=True))


def ranking(board: Leaderboard, lines: Sequence[Line]) -> Section:
    """Some lines of a leaderboard."""
    strips = [Strip(one.heading, [one.cell(line) for line in lines], one.words, one.main) for one in columns(board)]
    return Section("ranking", "Ranking", strips)


def sections(board: Leaderboard) -> list[Section]:
    """The tables below the ranking; those that would be empty are left out."""
    found = [effects_section(board), cost_section(board), jobs_section(board)]
    return [one for one in found if one.rows]


def effects_section(board: Leaderboard) -> Section:
    """A row a value of a choice."""
    decimals = DECIMALS.get(board.figure, 4)
    rows = [(effect, level) for effect in board.effects for level in effect.levels]
    strips = [
        Strip(Cell("choice"), [named(effect, level) for effect, level in rows], words=True),
        Strip(Cell("value"), [Cell(level.value) for _, level in rows], words=True),
        Strip(Cell("jobs"), [Cell(str(level.jobs)) for _, level in rows], main=2),
        Strip(
            Cell(f"{board.figure}_per_image", "95 % interval"),
            [mean_cell(level.standing, decimals) for _, level in rows],
        ),
        Strip(
            Cell("difference to best", "95 % interval"),
            [difference_cell(level.standing, decimals) for _, level in rows],
            main=1,
        ),
    ]
    return Section("effects", "Effects of the choices", strips, _effects_notes(board))


def named(effect: Effect, level: Level) -> Cell:
    """The choice beside its first value, and where numbers were searched how the figure follows them."""
    trend = effect.trend
    if level is not effect.levels[0]:
        return Cell("")
    if trend is None:
        return Cell(effect.choice.name)
    interval = interval_text(trend.low, trend.high, 2, "+")
    return Cell(effect.choice.name, f"Spearman {trend.rho:+.2f}" + (f" ({interval})" if interval else ""))


def _effects_notes(board: Leaderboard) -> list[str]:
    """What the effects are."""
    jobs = sum(len(line.entry.runs) for line in board.trained)
    notes = [
        f"Means over the jobs that have a value, image by image, of {jobs} jobs; seeds and folds of one configuration "
        f"are averaged first. Intervals: 95 %, {RESAMPLES:,} resamples of the images"
        + ("; another seed may change more." if board.balanced else ", and of the jobs with the value."),
    ]
    if not board.balanced:
        notes.append(
            "Not balanced, as in a search or where jobs are missing: jobs with one value of a choice may differ from "
            "the jobs with another in further choices too. An effect may be that of another choice: intervals are "
            "wider for that, and a value of a single job has none."
        )
    if any(effect.trend for effect in board.effects):
        notes.append(
            f"Numbers with more than {MANY} values stand in thirds, each with its lowest and highest. Spearman's rank "
            f"correlation over all of them: the interval resamples jobs and images."
        )
    return notes


def cost_section(board: Leaderboard) -> Section:
    """The entries that no other beats in cost and figure."""
    fronts = {cost.name: board.front(cost) for cost in board.costs}
    lines = [line for line in board.ranked if any(line in front for front in fronts.values())]
    decimals = DECIMALS.get(board.figure, 4)
    strips = [
        Strip(Cell("rank"), [Cell(str(line.standing.rank)) for line in lines], main=2),
        Strip(Cell(ENTRY), [entry_cell(line) for line in lines], words=True),
        Strip(
            Cell(f"{board.figure}_per_image", "95 % interval"), [mean_cell(line.standing, decimals) for line in lines]
        ),
        *(
            Strip(
                Cell(cost.name, cost.unit),
                [_marked(cost_cell(cost)(line), line in fronts[cost.name]) for line in lines],
            )
            for cost in board.costs
        ),
    ]
    notes = [f"Only entries that no other beats in both a cost and {board.figure}_per_image; * marks the cost."]
    return Section("cost", f"Cost and {board.figure}", strips, notes)


def _marked(cell: Cell, mark: bool) -> Cell:
    """With a star, or with the room for one."""
    return Cell(cell.text + " *" * mark, cell.below)


def jobs_section(board: Leaderboard) -> Section:
    """The jobs that did not end well, or have not ended."""
    jobs = board.unfinished
    strips = [
        Strip(Cell("job"), [Cell(job.name) for job in jobs], words=True),
        Strip(Cell("state"), [Cell(job.state) for job in jobs], words=True),
        Strip(Cell("ranked"), [Cell("yes" if job.evaluated else "no") for job in jobs], words=True, main=3),
        Strip(Cell("choices"), [Cell(" ".join(job.overrides)) for job in jobs], words=True, main=2),
        Strip(Cell("error"), [Cell(job.error) for job in jobs], words=True, main=1),
    ]
    notes = [f"{counted(jobs)}. A running job may also have been killed. Rerun them by resume=<the sweep's folder>."]
    if any(job.evaluated for job in jobs):
        notes.append("Ranked: by what the job had reached.")
    return Section("jobs", "Jobs that did not finish", strips, notes)
