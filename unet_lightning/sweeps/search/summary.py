"""What a search has found: the best trial, how to repeat it, and a page of plots that opens without a network."""

import logging
import shlex
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import (
    plot_intermediate_values,
    plot_optimization_history,
    plot_parallel_coordinate,
    plot_param_importances,
    plot_slice,
)

from unet_lightning.files import write_text
from unet_lightning.results.html import render
from unet_lightning.sweeps.search.space import Space
from unet_lightning.sweeps.search.trials import ERROR, SAME_AS

log = logging.getLogger(__name__)

FILE = "search.html"
WORDS = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "not ended", "WAITING": "not begun"}


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The best complete trial; None where there is none."""
    return study.best_trial if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) else None


def command(space: Space, values: dict[str, Any]) -> str:
    """The command line that trains a trial by itself."""
    given = [one for one in space.overrides(values) if not one.startswith("sweep=")]
    return shlex.join(["python", "-m", "unet_lightning.train", *given])


def counted(study: optuna.Study) -> str:
    """Such as `20 trials: 14 complete, 5 pruned, 1 failed`."""
    found = study.get_trials(deepcopy=False)
    count = Counter(WORDS[trial.state.name] for trial in found)
    return f"{len(found)} trials: " + ", ".join(f"{number} {word}" for word, number in count.items())


def say(study: optuna.Study, space: Space, monitor: str) -> None:
    """Says what came out, and how to repeat the best."""
    log.info(counted(study))
    best = best_trial(study)
    if best is None:
        log.info("No trial was completed, so there is no best one.")
        return
    log.info(f"Best: trial {best.user_attrs.get(SAME_AS, best.number)}, {monitor} {best.value:.4f}")
    log.info(f"Train it by itself: {command(space, best.params)}")


def write_page(study: optuna.Study, space: Space, monitor: str, folder: Path) -> None:
    """Writes search.html into the sweep folder: one file, about 5 MB, as it carries Plotly itself."""
    best = best_trial(study)
    names = list(space.swept)
    rows = [
        {
            "number": trial.number,
            "state": WORDS[trial.state.name],
            "value": trial.value,
            "values": [trial.params.get(name, "") for name in names],
            "note": trial.user_attrs.get(ERROR) or _same(trial),
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    page = render(
        "search.html.j2",
        title=f"Search {folder.parent.name}/{folder.name}",
        counted=counted(study),
        monitor=monitor,
        names=names,
        rows=rows,
        best=best,
        command=command(space, best.params) if best else None,
        plots=list(plots(study, names, monitor)),
    )
    write_text(folder / FILE, page)


def plots(study: optuna.Study, names: list[str], monitor: str) -> Iterator[tuple[str, str]]:
    """Title and HTML of each plot; the first carries the library.

    Importance is PED-ANOVA's (Watanabe et al., IJCAI 2023), which needs no scikit-learn.
    """
    if best_trial(study) is None:
        return
    chosen: list[tuple[str, Callable[[], Any]]] = [
        ("History", lambda: plot_optimization_history(study, target_name=monitor)),
        ("Parallel coordinates", lambda: plot_parallel_coordinate(study, params=names, target_name=monitor)),
        ("Slices", lambda: plot_slice(study, params=names, target_name=monitor)),
    ]
    if tells_apart(study, names):
        chosen.insert(1, ("Importance", lambda: plot_param_importances(study, params=names, target_name=monitor)))
    if any(trial.intermediate_values for trial in study.get_trials(deepcopy=False)):
        chosen.append(("Validation figures by epoch", lambda: plot_intermediate_values(study)))
    for i, (title, plot) in enumerate(chosen):
        with warnings.catch_warnings():
            # Some of Optuna's plots are marked as experimental in some versions: they are pictures, not results.
            warnings.simplefilter("ignore", ExperimentalWarning)
            figure = plot()
        figure.update_layout(title=None, margin={"t": 30})
        yield title, figure.to_html(full_html=False, include_plotlyjs=i == 0, default_height="420px")


def tells_apart(study: optuna.Study, names: list[str]) -> bool:
    """Whether there are enough trials of different value to say what matters; otherwise all would matter equally."""
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 2:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # PED-ANOVA's way to say that it cannot
        try:
            optuna.importance.get_param_importances(study, params=names)
        except (UserWarning, ValueError, RuntimeError, ZeroDivisionError):
            return False
    return True


def _same(trial: FrozenTrial) -> str:
    twin = trial.user_attrs.get(SAME_AS)
    return "" if twin is None else f"the values of trial {twin}, not trained again"
