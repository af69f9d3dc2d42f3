"""A leaderboard for the terminal, as Markdown, CSV and HTML."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unet_lightning.results.html import render
from unet_lightning.results.leaderboard.board import AGAINST, Leaderboard
from unet_lightning.results.leaderboard.plots import draw
from unet_lightning.results.leaderboard.tables import WORDS, in_lines, ranking, sections
from unet_lightning.results.tables import markdown_text
from unet_lightning.text import shown

NAME = 16  # characters of a name in the terminal, at least
ROWS = 40  # of the terminal; the files hold all
BY_SPACES = ("settings", "leak", "folders")  # lists that the CSV holds so; others by semicolons


def terminal(board: Leaderboard, width: int) -> Group:
    """The main columns that fit into `width` characters; below them what was measured how, effects, costs and jobs."""
    kinds = list(board.lines["kind"])
    places = list(range(len(kinds)))[:ROWS]
    if "human" in kinds[ROWS:]:
        places[-1] = kinds.index("human")
    table = _table(ranking(board, narrow=True), width, places)
    for row, place in zip(table.rows, places, strict=True):
        row.style = "dim" if kinds[place] in ("leak", "trivial") else ""
    parts: list[RenderableType] = [Text(f"{board.lead}\n", "bold")] if board.lead else []
    parts.append(table)
    if further := len(kinds) - len(places):
        parts.append(Text(f"... and {further} further entries in the files written.\n"))
    parts.append(Text("\n".join(map(shown, board.notes))))
    for section in sections(board):
        title, notes = Text(f"\n{section.attrs['title']}", "bold"), Text("\n".join(map(shown, section.attrs["notes"])))
        parts += [title, _table(section, width, range(len(section))), notes]
    return Group(*parts)


def _table(cells: pd.DataFrame, width: int, places: Sequence[int]) -> Table:
    """Rows of a table for the terminal; columns of the lowest level, and those that leave NAME characters for names."""
    levels, cells = cells.attrs["levels"], cells.iloc[places]
    room, fitting = width, {0}
    for level in sorted({level for level in levels.values() if level is not None}):
        for heading in [heading for heading, its in levels.items() if its == level]:
            widest = max(len(line) for text in (heading, *cells[heading]) for line in text.split("\n"))
            room -= 2 + (min(widest, NAME) if heading in WORDS else widest)  # 2 between columns
        if room < -2:  # there are none behind the last column
            break
        fitting.add(level)
    headings = [heading for heading, level in levels.items() if level in fitting]
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for heading in headings:
        words = heading in WORDS  # these may be broken, numbers not
        table.add_column(escape(heading), justify="left" if words else "right", overflow="fold", no_wrap=not words)
    for row in cells[headings].itertuples(index=False):
        table.add_row(*(escape(shown(cell, keep="\n")) for cell in row))
    return table


def markdown(board: Leaderboard) -> str:
    """The tables, and what was measured how as a list."""
    parts = [f"# Leaderboard: {markdown_text(board.title)}", ""]
    parts += [f"**{markdown_text(board.lead)}**", ""] if board.lead else []
    parts += [*_grid(ranking(board)), "", *(f"- {markdown_text(note)}" for note in board.notes)]
    for section in sections(board):
        title, notes = section.attrs["title"], map(markdown_text, section.attrs["notes"])
        parts += ["", f"## {title}", "", *_grid(section), "", *notes]
    return "\n".join(parts) + "\n"


def _grid(table: pd.DataFrame) -> list[str]:
    """The lines of a table in Markdown; pandas' own would bring another package, and break at a | in a name."""
    rules = [" --- " if heading in WORDS else " ---: " for heading in table]
    heading, *grid = [f"| {' | '.join(map(markdown_text, row))} |" for row in in_lines(table)]
    return [heading, f"|{'|'.join(rules)}|", *grid]


def page(board: Leaderboard) -> str:
    """One HTML file that opens from disk, without a network."""
    return render(
        "leaderboard.html.j2",
        board=board,
        ranking=ranking(board),
        sections={section.attrs["name"]: section for section in sections(board)},
        words=WORDS,
        plots=draw(board),
        second="" if math.isnan(board.human_mean) else board.terms.second,
    )


def csv_rows(board: Leaderboard) -> list[dict[str, Any]]:
    """A row an entry, everything in full, for CSV; empty where there is nothing."""
    renamed = {AGAINST: f"dice_against_{board.terms.second.replace(' ', '_')}"}
    rows = board.lines.drop(columns="kind").rename(columns=renamed).to_dict("records")
    return [{key: _written(value, " " if key in BY_SPACES else "; ") for key, value in row.items()} for row in rows]


def _written(value: Any, separator: str) -> Any:
    """A value for CSV; the values of several runs stand side by side."""
    if isinstance(value, list | tuple):
        return separator.join(one if isinstance(one, str) else json.dumps(one) for one in value if one is not None)
    return "" if pd.isna(value) else value
