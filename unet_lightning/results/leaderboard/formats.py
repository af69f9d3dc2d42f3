"""A leaderboard for the terminal, as Markdown, CSV and HTML."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unet_lightning.metrics.comparison import mean_interval
from unet_lightning.metrics.summary import FIGURES
from unet_lightning.results.html import render
from unet_lightning.results.leaderboard.columns import Cell, columns
from unet_lightning.results.leaderboard.forest import make_axis
from unet_lightning.results.leaderboard.gather import ALIKE
from unet_lightning.results.leaderboard.lines import Leaderboard, Line, counting
from unet_lightning.results.leaderboard.parallel import parallel_coordinates
from unet_lightning.results.leaderboard.scatter import cost_scatters
from unet_lightning.results.leaderboard.sections import Section, Strip, ranking, sections

TEMPLATE = "leaderboard.html.j2"
NAME = 16  # characters of a name in the terminal, at least
ROWS = 40  # of the terminal; the files hold all
# Keys of the protocol that the CSV holds.
PROTOCOL = (*ALIKE, "threshold", "threshold_source", "tta", "scale", "tiles", "trained_on", "initial_weights", "commit")


def terminal(board: Leaderboard, width: int) -> Group:
    """The main columns as far as there is room; below them what was measured how, effects, costs and jobs.

    Args:
        board: the leaderboard.
        width: of the terminal, characters.
    """
    shown = list(board.lines[:ROWS])
    if board.human and board.human not in shown:
        shown[-1] = board.human
    table = _table(ranking(board, shown), width)
    for row, line in zip(table.rows, shown, strict=True):
        row.style = "dim" if line.leak else ""
    parts: list[RenderableType] = [Text(f"{board.lead}\n", "bold")] if board.lead else []
    parts.append(table)
    if further := len(board.lines) - len(shown):
        parts.append(Text(f"... and {further} further entries in the files written.\n"))
    parts.append(Text("\n".join(board.notes)))
    for section in sections(board):
        parts += [Text(f"\n{section.title}", "bold"), _table(section, width), Text("\n".join(section.notes))]
    return Group(*parts)


def _table(section: Section, width: int) -> Table:
    """A table for the terminal."""
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for strip in (shown := _fitting(section, width)):
        # Names may be broken, numbers not.
        justify: Literal["left", "right"] = "left" if strip.words else "right"
        table.add_column(_stacked(strip.heading), justify=justify, overflow="fold", no_wrap=not strip.words)
    for cells in zip(*(strip.cells for strip in shown), strict=True):
        table.add_row(*map(_stacked, cells))
    return table


def _fitting(section: Section, width: int) -> list[Strip]:
    """The main columns that leave NAME characters for names; those of the lowest number always."""
    every = [strip for strip in section.strips if strip.main is not None]
    room = width
    fitting = {0}
    for level in sorted({strip.main for strip in every if strip.main is not None}):
        for strip in every:
            if strip.main == level:
                widest = max(len(text) for cell in [strip.heading, *strip.cells] for text in cell)
                room -= 2 + (min(widest, NAME) if strip.words else widest)  # 2 between columns
        if room < -2:  # there are none behind the last column
            break
        fitting.add(level)
    return [strip for strip in every if strip.main in fitting]


def markdown(board: Leaderboard) -> str:
    """The tables, and what was measured how as a list."""
    parts = [f"# Leaderboard: {_safe(board.title)}", ""]
    parts += [f"**{_safe(board.lead)}**", ""] if board.lead else []
    parts += [*_grid(ranking(board, board.lines)), "", *(f"- {_safe(note)}" for note in board.notes)]
    for section in sections(board):
        parts += ["", f"## {section.title}", "", *_grid(section), "", *(_safe(note) for note in section.notes)]
    return "\n".join(parts) + "\n"


def _grid(section: Section) -> list[str]:
    """The lines of a table in Markdown."""
    rules = [" --- " if strip.words else " ---: " for strip in section.strips]
    heading = _row([strip.heading for strip in section.strips])
    return [heading, f"|{'|'.join(rules)}|", *map(_row, section.rows)]


def page(board: Leaderboard) -> str:
    """One HTML file that opens from disk, without a network."""
    ends = [end for line in board.lines for end in (line.standing.mean, *line.standing.interval)]
    return render(
        TEMPLATE,
        board=board,
        columns=columns(board),
        axis=make_axis(ends),
        sections={section.name: section for section in sections(board)},
        parallel=parallel_coordinates(board),
        scatters=cost_scatters(board),
    )


def table_rows(board: Leaderboard) -> list[dict[str, Any]]:
    """A row an entry, everything in full, for CSV; empty where there is nothing."""
    figures = [name for name in FIGURES if any(name in line.entry.per_image for line in board.lines)]
    figures += sorted({name for line in board.lines for name in line.entry.per_image} - {*figures})
    return [{key: _written(value) for key, value in _values(line, figures).items()} for line in board.lines]


def _values(line: Line, figures: Sequence[str]) -> dict[str, Any]:
    """A row of the CSV before it is written."""
    entry, standing = line.entry, line.standing
    row: dict[str, Any] = {"rank": standing.rank, "entry": entry.name, "settings": " ".join(entry.settings)}
    row |= {
        "leak": " ".join(entry.leak),
        "folders": " ".join(str(run.evaluation.folder) for run in entry.runs),
    } | entry.counts
    for name in figures:
        centre, (low, high) = mean_interval(counting(entry, name))
        row |= {f"{name}_per_image": centre, f"{name}_low": low, f"{name}_high": high}
        row[f"{name}_pooled"] = entry.pooled.get(name, math.nan)
    row |= {"spread": line.spread, "dice_against_second_observer": entry.against_second}
    paired = standing.against_best
    row |= {
        "difference": paired and paired.mean,
        "difference_low": paired and paired.low,
        "difference_high": paired and paired.high,
        "p": paired and paired.p_value,
        "p_holm": standing.p_holm,
        "images": len(entry.images),
        "seconds": entry.seconds,
        "peak_memory_mb": entry.peak_memory_mb,
    }
    return row | {key: entry.protocol(key) for key in (*PROTOCOL, "versions")}


def _written(value: Any) -> Any:
    """A value for CSV; the values of several runs stand side by side."""
    if isinstance(value, list):
        return "; ".join(one if isinstance(one, str) else json.dumps(one) for one in value if one is not None)
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _stacked(cell: Cell) -> str:
    """For rich: one above the other, brackets shown as they are."""
    return escape("\n".join(filter(None, cell)))


def _row(cells: Sequence[Cell]) -> str:
    """A row of Markdown."""
    texts = [f"{cell.text} ({cell.below})" if cell.below else cell.text for cell in cells]
    return f"| {' | '.join(map(_safe, texts))} |"


def _safe(text: str) -> str:
    """For Markdown: a folder's name is text, not markup."""
    return re.sub(r"<(?=\S)", "&lt;", text.replace("|", r"\|"))
