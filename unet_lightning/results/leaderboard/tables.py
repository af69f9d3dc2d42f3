"""The tables of a leaderboard, the same in every format: ranking, effects, costs, and jobs that did not finish.

A table is a data frame of texts. What stands behind a line break in a cell or a heading is smaller, and below. Its
`attrs` say what else a format needs: `name`, the anchor in a page; `title`; `notes`, sentences below it; `levels`, by
column: terminals have a column if they are wide enough for it and for all of lower levels; never where it is None.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from unet_lightning.metrics.statistics import METHOD
from unet_lightning.results.leaderboard.board import AGAINST, COSTS, Leaderboard
from unet_lightning.results.leaderboard.choices import MANY, brief, searched
from unet_lightning.results.leaderboard.effects import RESAMPLES
from unet_lightning.results.leaderboard.notes import pooled_columns
from unet_lightning.results.tables import readable

WORDS = {"entry", "choice", "value", "job", "state", "ranked", "choices", "error"}  # columns that hold no numbers
NONE = "no interval"  # the notes say why
INTERVAL, DIFFERENCE = "\n95 % interval", "difference to best\n95 %, corrected"
FURTHER = ("dice", "cldice")  # means over images beside the figure of the ranking

Columns = dict[str, tuple[Iterable[str], int | None]]  # cells and level


def ranking(board: Leaderboard, narrow: bool = False) -> pd.DataFrame:
    """The lines of a leaderboard; figures that nobody has are left out.

    Where the columns are `narrow`, below the names stands in what ways of measuring rows differ, too.
    """
    lines = board.lines
    columns = _places(board, lines, 0, narrow) | {
        "runs": (map(_averaged, *(lines[name] for name in ("runs", "seeds", "folds", "networks"))), 2),
        "spread": ([readable(spread, board.figure) for spread in lines["spread"]], 3),
    }
    if lines["difference"].notna().any():
        columns[DIFFERENCE] = (_differences(lines, board.figure), 1)
        columns["p"] = (["< 0.0001" if p < 1e-4 else readable(p) for p in lines["p_corrected"]], 1)
    columns |= {COSTS[cost]: (map(_cost, lines[cost]), 5) for cost in board.costs}
    for name in FURTHER:
        if name != board.figure and (column := f"{name}_per_image") in lines:
            columns[column] = ([readable(value, name) for value in lines[column]], None)
    for label, column in pooled_columns(lines).items():
        columns[label] = (map(readable, lines[column]), 4 if label == "auroc" else None)
    if (against := lines[AGAINST]).notna().any():
        columns[f"dice_per_image\nagainst {board.terms.second}"] = (map(readable, against), None)
    columns |= {key: (map(_protocol, lines[key]), None) for key in ("threshold", "tta", "scale")}
    return _table("ranking", "Ranking", columns)


def sections(board: Leaderboard) -> list[pd.DataFrame]:
    """The tables below the ranking; those that would be empty are left out."""
    return [table for table in (effects_table(board), cost_table(board), jobs_table(board)) if len(table)]


def effects_table(board: Leaderboard) -> pd.DataFrame:
    """A row a value of a choice; beside its name where numbers were searched how the figure follows them."""
    effects = board.effects
    trends = map(in_one_line, with_intervals(effects[["rho", "rho_low", "rho_high"]], "rho", "+"))
    named = [
        choice if trend == "-" else f"{choice}\nSpearman {trend}"
        for choice, trend in zip(effects["choice"], trends, strict=True)
    ]
    columns: Columns = {
        "choice": (pd.Series(named, dtype=object).mask(effects["choice"].duplicated(), ""), 0),
        "value": (effects["value"], 0),
        "jobs": (map(str, effects["jobs"]), 2),
        f"{board.figure}_per_image{INTERVAL}": (with_intervals(effects[["mean", "low", "high"]], board.figure), 0),
        DIFFERENCE: (_differences(effects, board.figure), 1),
    }
    jobs = board.lines["runs"][board.choices.index].sum()
    notes = [
        f"Means over the jobs that have a value, image by image, of {jobs} jobs; seeds and folds of one configuration "
        f"are averaged first. Intervals: 95 %, {METHOD}"
        + ("; another seed may change more." if board.balanced else " and over the jobs with the value.")
        + " Those of differences are corrected for the number of values.",
    ]
    if not board.balanced:
        notes.append(
            "Not balanced, as in a search or where jobs are missing: jobs with one value of a choice may differ from "
            "the jobs with another in further choices too. An effect may be that of another choice: intervals are "
            "wider for that, and a value of a single job has none."
        )
    if any(searched(board.choices[name]) for name in board.choices):
        notes.append(
            f"Numbers with more than {MANY} values stand in thirds, each with its lowest and highest. Spearman's rank "
            f"correlation over all of them: the interval is of {RESAMPLES:,} bootstrap resamples of jobs and images."
        )
    return _table("effects", "Effects of the choices", columns, notes)


def cost_table(board: Leaderboard) -> pd.DataFrame:
    """The entries that no other beats in a cost and in the figure; a star marks the cost."""
    fronts = {cost: board.front(cost).index for cost in board.costs}
    lines = board.ranked[board.ranked.index.isin([place for front in fronts.values() for place in front])]
    columns = _places(board, lines, 2)
    for cost, front in fronts.items():
        columns[COSTS[cost]] = ([_cost(value) + " *" * (place in front) for place, value in lines[cost].items()], 0)
    notes = [f"Only entries that no other beats in both a cost and {board.figure}_per_image; * marks the cost."]
    return _table("cost", f"Cost and {board.figure}", columns, notes)


def jobs_table(board: Leaderboard) -> pd.DataFrame:
    """The jobs that did not end well, or have not ended."""
    jobs = board.unfinished.assign(ranked=board.unfinished["ranked"].map({True: "yes", False: "no"}))
    levels = {"job": 0, "state": 0, "ranked": 3, "choices": 2, "error": 1}
    states = counted_states(jobs["state"])
    notes = [f"{states}. A running job may also have been killed. Rerun them by resume=<the sweep's folder>."]
    if "yes" in set(jobs["ranked"]):
        notes.append("Ranked: by what the job had reached.")
    return _table("jobs", "Jobs that did not finish", {name: (jobs[name], levels[name]) for name in levels}, notes)


def counted_states(states: Iterable[str]) -> str:
    """Such as `2 failed, 1 running`."""
    return ", ".join(f"{number} {state}" for state, number in Counter(states).items())


def _table(name: str, title: str, columns: Columns, notes: Sequence[str] = ()) -> pd.DataFrame:
    table = pd.DataFrame({heading: list(cells) for heading, (cells, _) in columns.items()}, dtype=object)
    levels = {heading: level for heading, (_, level) in columns.items()}
    table.attrs = {"name": name, "title": title, "notes": list(notes), "levels": levels}
    return table


def _places(board: Leaderboard, lines: pd.DataFrame, level: int, measured: bool = False) -> Columns:
    """Rank (of a level), name with its mark and the settings that tell it apart, and the figure of the ranking."""
    entries, ways = [], _ways(lines) if measured else [""] * len(lines)
    for way, (entry, kind, settings, unknown) in zip(
        ways, lines[["entry", "kind", "settings", "unknown_training"]].itertuples(index=False), strict=True
    ):
        pairs = [setting.partition("=") for setting in settings]
        below = " ".join([*(f"{key}{sign}{brief(value)}" for key, sign, value in pairs), way]).strip()
        entries.append(entry + marked(kind, unknown) + f"\n{below}" * bool(below))
    means = lines[[f"{board.figure}_{end}" for end in ("per_image", "low", "high")]]
    return {
        "rank": (["-" if pd.isna(rank) else str(rank) for rank in lines["rank"]], level),
        "entry": (entries, 0),
        f"{board.figure}_per_image{INTERVAL}": (with_intervals(means, board.figure), 0),
    }


def marked(kind: str, unknown: Sequence[str]) -> str:
    """What follows the name of an entry whose figures prove less than others."""
    return " LEAK" if kind == "leak" else " (training unknown)" if unknown else ""


def _ways(lines: pd.DataFrame) -> list[str]:
    """Of each row the threshold, test-time augmentation and scale that others do not share, such as `tta=flips`."""
    models = lines["kind"].isin(("model", "leak"))
    texts = {key: lines[key].map(_protocol) for key in ("threshold", "tta", "scale")}
    differing = {key: cells for key, cells in texts.items() if cells[models].nunique() > 1}
    said = [" ".join(f"{key}={cells.loc[row]}" for key, cells in differing.items()) for row in lines.index]
    return [one if model else "" for one, model in zip(said, models, strict=True)]


def _averaged(runs: int, seeds: int, folds: int, networks: int) -> str:
    """What was averaged, such as `3 seeds`, or answers as one, such as `5 networks`."""
    parts = [f"{number} {name}" for number, name in ((seeds, "seeds"), (folds, "folds")) if number > 1]
    if runs > 1 and not parts:
        parts = [f"{runs} runs"]
    if networks > 1:
        parts.append(f"{networks} networks")
    return ", ".join(parts) or ("1 run" if networks else "-")


def _differences(standings: pd.DataFrame, figure: str) -> list[str]:
    texts = with_intervals(standings[["difference", "difference_low", "difference_high"]], figure, "+")
    best = standings["difference"].isna() & standings["rank"].eq(1).fillna(False)
    return ["best" if one else text for one, text in zip(best, texts, strict=True)]


def with_intervals(values: pd.DataFrame, name: str, sign: str = "") -> list[str]:
    """Values of a figure with the lower and upper end of their intervals below; three columns."""
    texts = values.map(readable, name=name, sign=sign)
    return [
        value if value == "-" else f"{value}\n{NONE if low == '-' else f'{low} to {high}'}"
        for value, low, high in texts.itertuples(index=False)
    ]


def in_one_line(cell: str) -> str:
    """What stands below in brackets behind what stands above."""
    text, _, below = cell.partition("\n")
    return f"{text} ({below})" if below else text


def in_lines(table: pd.DataFrame) -> list[list[str]]:
    """The heading of a table and its rows, each cell in one line."""
    return [[in_one_line(str(cell)) for cell in row] for row in (table.columns, *table.itertuples(index=False))]


def _cost(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _protocol(values: Sequence[Any]) -> str:
    """What the runs of an entry say of a key of the protocol; several numbers as their range."""
    if len(values) > 1 and all(isinstance(value, float) for value in values):
        return f"{min(values):.4g} to {max(values):.4g}"
    return ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values) or "-"
