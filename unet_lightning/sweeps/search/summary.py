"""What a search has found: the best trial, how to repeat it, and a page of plots that opens without a network."""

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna import visualization
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from unet_lightning import commands
from unet_lightning.files import write_text
from unet_lightning.results.html import render
from unet_lightning.sweeps.search.space import Space

log = logging.getLogger(__name__)

WORDS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "not ended", "WAITING": "not begun"}


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The best complete trial; None where there is none."""
    return study.best_trial if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) else None


def command(space: Space, values: Mapping[str, Any]) -> str:
    """The command line that trains a trial by itself."""
    given = [one for one in space.overrides(values) if not one.startswith("sweep=")]
    return commands.command("train", *map(commands.quoted, given))


def counted(study: optuna.Study) -> str:
    """Such as `20 trials: 14 complete, 5 pruned, 1 failed`."""
    count = Counter(WORDS[trial.state.name] for trial in study.get_trials(deepcopy=False))
    return f"{count.total()} trials: " + ", ".join(f"{number} {word}" for word, number in count.items())


def say(study: optuna.Study, space: Space, monitor: str) -> None:
    """Says what came out, and how to repeat the best."""
    log.info(counted(study))
    if best := best_trial(study):
        log.info(f"Best: trial {best.number}, {monitor} {best.value:.4f} (on the images that chose it)")
        log.info(f"Train it by itself: {command(space, best.params)}")
    else:
        log.info("No trial was completed, so there is no best one.")


def write_page(study: optuna.Study, space: Space, monitor: str, folder: Path) -> None:
    """Writes search.html into the sweep folder: one file, about 5 MB, as it carries Plotly itself."""
    best = best_trial(study)
    page = render(
        "search.html.j2",
        title=f"Search {folder.parent.name}/{folder.name}",
        counted=counted(study),
        monitor=monitor,
        names=list(space.swept),
        trials=study.get_trials(deepcopy=False),
        words=WORDS,
        best=best,
        command=command(space, best.params) if best else None,
        plots=plots(study, list(space.swept), monitor) if best else [],
    )
    write_text(folder / "search.html", page)


def plots(study: optuna.Study, names: list[str], monitor: str) -> list[tuple[str, str]]:
    """Title and HTML of each plot; the first carries the library. Left out is what so few trials do not tell.

    Importance is PED-ANOVA's (Watanabe et al., IJCAI 2023), which needs no scikit-learn.
    """
    of_values = {"params": names, "target_name": monitor}
    chosen: list[tuple[str, Callable[..., Any], dict[str, Any]]] = [
        ("History", visualization.plot_optimization_history, {"target_name": monitor}),
        ("Importance", visualization.plot_param_importances, of_values),
        ("Parallel coordinates", visualization.plot_parallel_coordinate, of_values),
        ("Slices", visualization.plot_slice, of_values),
    ]
    if any(trial.intermediate_values for trial in study.get_trials(deepcopy=False)):
        chosen.append(("Validation figures by epoch", visualization.plot_intermediate_values, {}))
    found: list[tuple[str, str]] = []
    for title, plot, arguments in chosen:
        with warnings.catch_warnings(), contextlib.suppress(UserWarning, ValueError, RuntimeError, ZeroDivisionError):
            warnings.simplefilter("ignore", ExperimentalWarning)  # these are pictures, not results
            warnings.simplefilter("error", UserWarning)  # PED-ANOVA's way to say that it cannot tell
            figure = plot(study, **arguments).update_layout(title=None, margin={"t": 30})
            html = figure.to_html(full_html=False, include_plotlyjs=not found, default_height="420px")
            found.append((title, html))
    return found
