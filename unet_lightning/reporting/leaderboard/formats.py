"""A leaderboard for the terminal, as Markdown, CSV and HTML."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Literal

from rich import box
from rich.markup import escape
from rich.table import Table

from unet_lightning.metrics.comparison import mean_interval
from unet_lightning.metrics.summary import FIGURES
from unet_lightning.reporting.html import render
from unet_lightning.reporting.leaderboard.board import Leaderboard, Line, counting
from unet_lightning.reporting.leaderboard.columns import Cell, Column, columns
from unet_lightning.reporting.leaderboard.forest import make_axis
from unet_lightning.reporting.leaderboard.gather import ALIKE

TEMPLATE = "leaderboard.html.j2"
NAME = 16  # characters of an entry's name in the terminal, at least
# Keys of the protocol that the CSV holds.
PROTOCOL = (*ALIKE, "threshold", "threshold_source", "tta", "scale", "tiles", "trained_on", "initial_weights", "commit")


def terminal(board: Leaderboard, width: int) -> Table:
    """The main columns as far as there is room; what was measured how stands below.

    Args:
        board: the leaderboard.
        width: of the terminal, characters.
    """
    notes = "\n".join(board.notes)
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.caption, table.caption_justify, table.caption_style = escape(notes), "left", ""
    for column in (shown := _fitting(board, width)):
        # Names may be broken, numbers not.
        justify: Literal["left", "right"] = "left" if column.words else "right"
        table.add_column(_stacked(column.heading), justify=justify, overflow="fold", no_wrap=not column.words)
    for line in board.lines:
        table.add_row(*(_stacked(column.cell(line)) for column in shown), style="dim" if line.leak else "")
    return table


def _fitting(board: Leaderboard, width: int) -> list[Column]:
    """The main columns that leave NAME characters for the entries' names; those of the lowest number always."""
    every = [column for column in columns(board) if column.main is not None]
    room = width - NAME
    fitting = {0}
    for level in sorted({column.main for column in every if column.main is not None}):
        for column in every:
            if column.main == level and not column.words:
                cells = [column.heading, *(column.cell(line) for line in board.lines)]
                room -= 2 + max(len(text) for cell in cells for text in cell)  # 2 between columns
        if room < 0:
            break
        fitting.add(level)
    return [column for column in every if column.main in fitting]


def markdown(board: Leaderboard) -> str:
    """The table, and what was measured how as a list."""
    shown = columns(board)
    rules = [" --- " if column.words else " ---: " for column in shown]
    rows = [
        _row([column.heading for column in shown]),
        f"|{'|'.join(rules)}|",
        *(_row([column.cell(line) for column in shown]) for line in board.lines),
    ]
    notes = [f"- {_safe(note)}" for note in board.notes]
    return "\n".join([f"# Leaderboard: {_safe(board.title)}", "", *rows, "", *notes]) + "\n"


def page(board: Leaderboard) -> str:
    """One HTML file that opens from disk, without a network."""
    ends = [end for line in board.lines for end in (line.standing.mean, *line.standing.interval)]
    return render(TEMPLATE, board=board, columns=columns(board), axis=make_axis(ends))


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
