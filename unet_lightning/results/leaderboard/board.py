"""Makes a leaderboard: its entries in their order, and what follows from them, as data frames."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from unet_lightning.data.terms import TERMS, Terms
from unet_lightning.errors import ConfigError
from unet_lightning.metrics.comparison import Groups, Standing, mean_interval, pareto_front, standings
from unet_lightning.metrics.several import mean_known
from unet_lightning.metrics.summary import FIGURES, LOWER_IS_BETTER, bounds_of
from unet_lightning.results.leaderboard.choices import find_choices, is_balanced
from unet_lightning.results.leaderboard.effects import main_effects
from unet_lightning.results.leaderboard.entries import ALIKE, Entry
from unet_lightning.results.leaderboard.notes import doubts_on, notes_on

AGAINST = "dice_against_second_observer"  # a column of `lines`, called by the terms of the task for readers
COSTS = {"seconds": "seconds\na job", "peak_memory_mb": "peak MB\nof training"}  # columns of `lines`, and headings
PROTOCOL = "threshold threshold_source tta scale tiles trained_on initial_weights commit versions".split()
UNFINISHED = ("job", "state", "ranked", "choices", "error")
VALIDATION = (
    "Validation: for choosing among these, not for reporting. The epoch of each run, or its threshold, was selected on "
    "these images, so that all figures are too high. Measure what you choose on images that chose nothing."
)
RANKED_ON_VALIDATION = (
    "Validation: for choosing among these, not for reporting. What is chosen by these figures was favoured by the "
    "chance of these images. Measure it on images that chose nothing."
)


@dataclass(frozen=True)
class Leaderboard:
    """Entries in their order, and what they say of the choices and of the jobs of a sweep.

    `lines` has a row an entry, the ranked ones and the second observer by their means, then those that leaked: the
    columns of leaderboard.csv, and `kind`: `model`, `human`, `leak` for figures that prove nothing, or `trivial` for
    maps that look at no photograph. `unfinished` has a row a job that did not end well, or has not ended: its `job`
    folder, its `state` (`unknown` where that is broken), whether it is `ranked` by what it had reached, `choices` that
    were to be tried, and the `error`.
    """

    figure: str  # that they are ranked by
    title: str  # data set and split
    lines: pd.DataFrame
    notes: Sequence[str]  # sentences that say what was measured how, the images and labels first
    doubts: Sequence[str]  # those of them on what networks have seen of the images, or may have
    lead: str  # what a reader must know before the first figure; empty where there is nothing
    choices: pd.DataFrame  # that the ranked entries differ in, see `find_choices`; its rows have the numbers of `lines`
    effects: pd.DataFrame  # of these choices, the largest first, see `main_effects`
    balanced: bool  # whether the effects are those of a full grid
    unfinished: pd.DataFrame
    terms: Terms = TERMS["vessels"]  # how readers call things

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
    """Ranks entries by the mean over images of a figure, such as `dice`; ConfigError where not every entry has it.

    Where all that can be ranked was selected on the images measured, and nothing learned from them, the entries are
    ranked for choosing among them: that is what validation is for. Intervals are by the groups of the images, such as
    patients.
    """
    groups = groups_of(entries)
    models = [entry for entry in entries if entry.runs]
    known = [name for name in models[0].per_image if all(name in entry.per_image for entry in models)]
    if figure not in known:
        lacking = ", ".join(entry.name for entry in models if figure not in entry.per_image)
        raise ConfigError(f"--figure {figure} is not measured in {lacking}. All have: {', '.join(known) or 'none'}.")
    lower = figure in LOWER_IS_BETTER
    validation = all(entry.leak for entry in models) and any(entry.for_choosing for entry in models)
    protocols = [protocol for entry in models for protocol in entry.protocols]
    for_choosing = any(one.watched for one in protocols) or (len(models) > 1 and protocols[0].split == "val")
    rows = _ranked(entries, figure, validation, groups)
    names = {name for entry in entries for name in entry.per_image}
    figures = [*(name for name in FIGURES if name in names), *sorted(names - {*FIGURES})]
    lines = pd.DataFrame([_line(*row, figure, figures, groups) for row in rows]).astype({"rank": "Int64"})
    # What the ranked entries with a config differ in, and what that changes.
    trained = {n: one for n, (_, one, place) in enumerate(rows) if place.rank is not None and one.runs[0].config}
    first = [one.runs[0] for one in trained.values()]
    choices = find_choices([run.config for run in first], [run.overrides for run in first])
    balanced = is_balanced(choices)
    values, jobs = [one.counting(figure) for one in trained.values()], [len(one.runs) for one in trained.values()]
    return Leaderboard(
        figure,
        f"{protocols[0].dataset} {protocols[0].split}" + (f", {class_name}" if class_name else ""),
        lines,
        [*notes_on(lines, models, figure, groups), *(doubts := doubts_on(lines, models)), *notes],
        doubts,
        VALIDATION if validation else RANKED_ON_VALIDATION if for_choosing else "",
        choices.set_axis([*trained]),
        main_effects(choices, values, jobs, balanced, lower, groups, bounds_of(figure)),
        balanced,
        pd.DataFrame(unfinished, columns=UNFINISHED),
        protocols[0].terms,
    )


def groups_of(entries: Sequence[Entry]) -> Groups:
    """The group of each image, as the evaluations say; None where no two images are said to be of one."""
    found: dict[str, str] = {}
    for evaluation in (run.evaluation for entry in entries for run in entry.runs):
        content = evaluation.content
        for image in evaluation.images:
            if group := content.get(evaluation.written_as.get(image, image), {}).get("group"):
                found.setdefault(image, group)
    if len({*found.values()}) == len(found):
        return None
    # An image without a group stands for itself, and for no group of its name.
    return {image: found.get(image, f"image {image}") for entry in entries for image in entry.images}


def _ranked(
    entries: Sequence[Entry], figure: str, validation: bool, groups: Groups
) -> list[tuple[str, Entry, Standing]]:
    """Each entry with its kind and where it stands: the best first, what has no mean behind, and leaks last."""
    lower, bounds = figure in LOWER_IS_BETTER, bounds_of(figure)
    clean = [one for one in entries if not one.trivial and (not one.leak or (validation and one.for_choosing))]
    leaks = [entry for entry in entries if entry.leak and not (validation and entry.for_choosing)]
    values, competing = [entry.counting(figure) for entry in clean], [not entry.human for entry in clean]
    placed = standings(values, competing, lower, groups, bounds)
    rows = [("human" if entry.human else "model", entry, place) for entry, place in zip(clean, placed, strict=True)]
    # Shown and not compared: a leak may be as good as it is for the wrong reason, and a map of one class is no method.
    aside = [*(("leak", one) for one in leaks), *(("trivial", one) for one in entries if one.trivial)]
    rows += [(kind, one, Standing(None, *mean_interval(one.counting(figure), groups, bounds))) for kind, one in aside]
    sign, behind = 1 if lower else -1, {"leak": 1, "trivial": 2}
    return sorted(rows, key=lambda row: (behind.get(row[0], 0), math.isnan(row[2].mean), sign * row[2].mean))


def _line(
    kind: str, entry: Entry, standing: Standing, figure: str, figures: Sequence[str], groups: Groups
) -> dict[str, Any]:
    """A row of `lines`, everything in full."""
    row: dict[str, Any] = {
        "kind": kind,
        "rank": standing.rank,
        "entry": entry.name,
        "settings": entry.settings,
        "leak": entry.leak,
        "unknown_training": entry.unknown,
        "folders": [f"{run.name}/evaluation/{run.evaluation.folder.name}" for run in entry.runs],
        "seeds": len({run.seed for run in entry.runs} - {None}),
        "folds": len({run.fold for run in entry.runs} - {None}),
        "runs": len(entry.runs),
        "networks": max((len(one.networks) for one in entry.protocols), default=0),
    }
    for name in figures:
        columns = (f"{name}_{end}" for end in ("per_image", "low", "high"))
        row |= zip(columns, mean_interval(entry.counting(name), groups, bounds_of(name)), strict=True)
        row[f"{name}_pooled"] = entry.pooled.get(name, math.nan)
    row |= {"spread": entry.spread(figure), AGAINST: entry.against_second}
    row |= {key: value for key, value in asdict(standing).items() if key not in ("rank", "mean", "low", "high")}
    memory = [run.peak_memory_mb for run in entry.runs if not math.isnan(run.peak_memory_mb)]
    row |= {"images": len(entry.images), "seconds": mean_known([run.seconds for run in entry.runs])}
    row |= {"peak_memory_mb": max(memory, default=math.nan)}
    return row | {key: entry.protocol(key) for key in (*ALIKE, *PROTOCOL)}
