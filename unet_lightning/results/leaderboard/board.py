"""Makes a leaderboard: its entries in their order, and what follows from them."""

import math
from collections.abc import Sequence
from dataclasses import replace

from unet_lightning.errors import ConfigError
from unet_lightning.metrics.comparison import Standing, mean_interval, spread_over_seeds, standings
from unet_lightning.metrics.summary import LOWER_IS_BETTER
from unet_lightning.results.leaderboard.choices import find_choices, is_balanced
from unet_lightning.results.leaderboard.effects import main_effects
from unet_lightning.results.leaderboard.entries import Entry
from unet_lightning.results.leaderboard.jobs import Job
from unet_lightning.results.leaderboard.lines import Leaderboard, Line, counting, having
from unet_lightning.results.leaderboard.notes import make_notes


def make_leaderboard(
    entries: Sequence[Entry],
    figure: str,
    class_name: str | None = None,
    notes: Sequence[str] = (),
    unfinished: Sequence[Job] = (),
) -> Leaderboard:
    """Ranks entries by the mean over images of a figure.

    Where all that can be ranked was selected on the images measured, and nothing learned from them, the entries are
    ranked for choosing among them: that is what validation is for.

    Args:
        entries: see `make_entries`.
        figure: such as `dice`.
        class_name: the class that counts, where there are more than two.
        notes: further sentences.
        unfinished: jobs to list below.

    Raises:
        ConfigError: a figure that not every entry has.
    """
    models = [entry for entry in entries if not entry.human]
    _check_figure(models, figure)
    lower = figure in LOWER_IS_BETTER
    validation = all(entry.leak for entry in models) and any(entry.for_choosing for entry in models)
    leaked = [e for e in entries if e.leak and not (validation and e.for_choosing)]
    clean = [e for e in entries if e not in leaked]
    placed = standings([counting(e, figure) for e in clean], [not e.human for e in clean], lower)
    # A leak is shown and not compared: it may be as good as it is for the wrong reason.
    placed += [Standing(None, *mean_interval(counting(e, figure))) for e in leaked]
    lines = [
        Line(entry, place, _spread(entry, figure), leak=number >= len(clean))
        for number, (entry, place) in enumerate(zip([*clean, *leaked], placed, strict=True))
    ]
    lines.sort(key=lambda line: _place(line, lower))
    dataset, split = (models[0].runs[0].evaluation.protocol[key] for key in ("dataset", "split"))
    title = f"{dataset} {split}" + (f", {class_name}" if class_name else "")
    board = Leaderboard(figure, title, lines, [*make_notes(lines, figure), *notes], validation, unfinished=unfinished)
    return _with_effects(board, lower)


def _check_figure(models: Sequence[Entry], figure: str) -> None:
    """Raises ConfigError where not every entry has the figure."""
    known = [name for name in models[0].per_image if all(name in entry.per_image for entry in models)]
    if figure not in known:
        lacking = [entry.name for entry in models if figure not in entry.per_image]
        raise ConfigError(
            f"--figure {figure} is not measured in {', '.join(lacking)}. All have: {', '.join(known) or 'none'}."
        )


def _with_effects(board: Leaderboard, lower: bool) -> Leaderboard:
    """The leaderboard with the effects of the choices that its entries differ in."""
    entries = [line.entry for line in board.trained]
    choices = find_choices(entries)
    jobs = [len(entry.runs) for entry in entries]
    balanced = is_balanced(choices, len(entries))
    values = [counting(entry, board.figure) for entry in entries]
    return replace(board, effects=main_effects(choices, values, jobs, balanced, lower), balanced=balanced)


def _place(line: Line, lower: bool) -> tuple[bool, bool, float]:
    """Sorts the best first, what has no mean behind, and leaks last."""
    mean = line.standing.mean
    return line.leak, math.isnan(mean), 0.0 if math.isnan(mean) else mean if lower else -mean


def _spread(entry: Entry, figure: str) -> float:
    """The SD over the seeds' means."""
    values = [(run.seed, run.evaluation.values(entry.observer, figure)) for run in entry.runs]
    return spread_over_seeds([(seed, having(one, figure)) for seed, one in values])
