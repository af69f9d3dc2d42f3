"""Makes a leaderboard: its entries in their order, and what follows from them, as data frames."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from unet_lightning.errors import ConfigError
from unet_lightning.metrics.comparison import Standing, mean_interval, pareto_front, standings
from unet_lightning.metrics.summary import FIGURES, LOWER_IS_BETTER
from unet_lightning.results.leaderboard.choices import find_choices, is_balanced
from unet_lightning.results.leaderboard.effects import main_effects
from unet_lightning.results.leaderboard.entries import ALIKE, Entry
from unet_lightning.results.leaderboard.notes import make_notes

COSTS = {"seconds": "seconds\na job", "peak_memory_mb": "peak MB\nof training"}  # columns of `lines`, and headings
PROTOCOL = "threshold threshold_source tta scale tiles trained_on initial_weights commit versions".split()
UNFINISHED = ("job", "state", "ranked", "choices", "error")
VALIDATION = (
    "Validation: for choosing among these, not for reporting. The epoch of each run, or its threshold, was selected on "
    "these images, so that all figures are too high. Measure what you choose on images that chose nothing: "
    "python -m unet_lightning.evaluate run=<folder>."
)


@dataclass(frozen=True)
class Leaderboard:
    """Entries in their order, and what they say of the choices and of the jobs of a sweep.

    Attributes:
        figure: that they are ranked by.
        title: data set and split.
        lines: a row an entry, the ranked ones and the second observer by their means, then those that leaked: the
            columns of leaderboard.csv, and `kind`: `model`, `human`, or `leak` for figures that prove nothing.
        notes: sentences that say what was measured how.
        validation: whether the figures are for choosing alone: the images selected the epoch, or the threshold.
        choices: that the ranked entries differ in, see `find_choices`; its rows have the numbers of `lines`.
        effects: of these choices, the largest first, see `main_effects`.
        balanced: whether the effects are those of a full grid.
        unfinished: jobs of the sweep that did not end well, or have not ended, a row a job: its `job` folder, its
            `state` (`unknown` where that is broken), whether it is `ranked` all the same, by what it had reached,
            `choices` that were to be tried, and the `error`.
    """

    figure: str
    title: str
    lines: pd.DataFrame
    notes: Sequence[str]
    validation: bool
    choices: pd.DataFrame
    effects: pd.DataFrame
    balanced: bool
    unfinished: pd.DataFrame

    @property
    def lead(self) -> str:
        """What a reader must know before the first figure; empty where there is nothing."""
        return VALIDATION if self.validation else ""

    @property
    def ranked(self) -> pd.DataFrame:
        """The lines with a rank, the best first."""
        return self.lines[self.lines["rank"].notna()]

    @property
    def human_mean(self) -> float:
        """The second observer's mean; NaN without one."""
        found = self.lines.loc[self.lines["kind"] == "human", f"{self.figure}_per_image"]
        return float(found.iloc[0]) if len(found) else math.nan

    @property
    def costs(self) -> list[str]:
        """What is known of what the entries cost: `seconds`, `peak_memory_mb`."""
        return [cost for cost in COSTS if self.lines[cost].notna().any()]

    def front(self, cost: str) -> pd.DataFrame:
        """The ranked lines that no other beats in a cost and in the figure; the cheapest first."""
        lines = self.ranked
        means = lines[f"{self.figure}_per_image"]
        return lines.iloc[pareto_front(list(lines[cost]), list(means), self.figure in LOWER_IS_BETTER)]


def make_leaderboard(
    entries: Sequence[Entry],
    figure: str,
    class_name: str | None = None,
    notes: Sequence[str] = (),
    unfinished: Sequence[Mapping[str, Any]] = (),
) -> Leaderboard:
    """Ranks entries by the mean over images of a figure.

    Where all that can be ranked was selected on the images measured, and nothing learned from them, the entries are
    ranked for choosing among them: that is what validation is for.

    Args:
        entries: see `make_entries`.
        figure: such as `dice`.
        class_name: the class that counts, where there are more than two.
        notes: further sentences.
        unfinished: jobs to list below, a row each.

    Raises:
        ConfigError: a figure that not every entry has.
    """
    models = [entry for entry in entries if not entry.human]
    known = [name for name in models[0].per_image if all(name in entry.per_image for entry in models)]
    if figure not in known:
        lacking = ", ".join(entry.name for entry in models if figure not in entry.per_image)
        raise ConfigError(f"--figure {figure} is not measured in {lacking}. All have: {', '.join(known) or 'none'}.")
    lower = figure in LOWER_IS_BETTER
    validation = all(entry.leak for entry in models) and any(entry.for_choosing for entry in models)
    rows = _ranked(entries, figure, validation)
    names = {name for entry in entries for name in entry.per_image}
    figures = [*(name for name in FIGURES if name in names), *sorted(names - {*FIGURES})]
    lines = pd.DataFrame([_line(*row, figure, figures) for row in rows]).astype({"rank": "Int64"})
    # What the ranked entries with a config differ in, and what that changes.
    trained = {n: one for n, (_, one, place) in enumerate(rows) if place.rank is not None and one.runs[0].config}
    first = [one.runs[0] for one in trained.values()]
    choices = find_choices([run.config for run in first], [run.overrides for run in first])
    balanced = is_balanced(choices)
    values, jobs = [one.counting(figure) for one in trained.values()], [len(one.runs) for one in trained.values()]
    protocol = models[0].runs[0].evaluation.protocol
    return Leaderboard(
        figure,
        f"{protocol['dataset']} {protocol['split']}" + (f", {class_name}" if class_name else ""),
        lines,
        [*make_notes(lines, models, figure), *notes],
        validation,
        choices.set_axis([*trained]),
        main_effects(choices, values, jobs, balanced, lower),
        balanced,
        pd.DataFrame(unfinished, columns=UNFINISHED),
    )


def _ranked(entries: Sequence[Entry], figure: str, validation: bool) -> list[tuple[str, Entry, Standing]]:
    """Each entry with its kind and where it stands: the best first, what has no mean behind, and leaks last."""
    lower = figure in LOWER_IS_BETTER
    kinds = [
        "human" if entry.human else "leak" if entry.leak and not (validation and entry.for_choosing) else "model"
        for entry in entries
    ]
    clean = [entry for kind, entry in zip(kinds, entries, strict=True) if kind != "leak"]
    placed = iter(standings([entry.counting(figure) for entry in clean], [not entry.human for entry in clean], lower))
    # A leak is shown and not compared: it may be as good as it is for the wrong reason.
    rows = [
        (kind, entry, Standing(None, *mean_interval(entry.counting(figure))) if kind == "leak" else next(placed))
        for kind, entry in zip(kinds, entries, strict=True)
    ]
    merits = [row[2].mean if lower else -row[2].mean for row in rows]
    order = sorted(range(len(rows)), key=lambda n: (kinds[n] == "leak", math.isnan(merits[n]), merits[n]))
    return [rows[n] for n in order]


def _line(kind: str, entry: Entry, standing: Standing, figure: str, figures: Sequence[str]) -> dict[str, Any]:
    """A row of `lines`, everything in full."""
    row: dict[str, Any] = {
        "kind": kind,
        "rank": standing.rank,
        "entry": entry.name,
        "settings": entry.settings,
        "leak": entry.leak,
        "folders": [str(run.evaluation.folder) for run in entry.runs],
        "seeds": len({run.seed for run in entry.runs} - {None}),
        "folds": len({run.fold for run in entry.runs} - {None}),
        "runs": len(entry.runs),
        "networks": max((len(run.evaluation.protocol["networks"]) for run in entry.runs), default=0),
    }
    for name in figures:
        row[f"{name}_per_image"], row[f"{name}_low"], row[f"{name}_high"] = mean_interval(entry.counting(name))
        row[f"{name}_pooled"] = entry.pooled.get(name, math.nan)
    row |= {"spread": entry.spread(figure), "dice_against_second_observer": entry.against_second}
    row |= {key: value for key, value in asdict(standing).items() if key not in ("rank", "mean", "low", "high")}
    seconds = [run.seconds for run in entry.runs if not math.isnan(run.seconds)]
    memory = [run.peak_memory_mb for run in entry.runs if not math.isnan(run.peak_memory_mb)]
    row["images"] = len(entry.images)
    row["seconds"] = fmean(seconds) if seconds else math.nan
    row["peak_memory_mb"] = max(memory, default=math.nan)
    return row | {key: entry.protocol(key) for key in (*ALIKE, *PROTOCOL)}
