"""The networks of a folder: of a run, or of a cross-validation, a sweep whose jobs differ in fold and seed alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unet_lightning.commands import command, shell_path, value_path
from unet_lightning.errors import RunError
from unet_lightning.training.auto import as_asked
from unet_lightning.training.config import differences
from unet_lightning.training.folder import SWEEP, RunFolder
from unet_lightning.training.trained import Trained

RECIPE = "-m data.folds=5 data.fold=0,1,2,3,4"
FREE = {"data.fold", "seed", "data.seed"}  # fields in which the jobs of one cross-validation may differ


def load_networks(folder: Path, checkpoint: str | None = None) -> list[Trained]:
    """The network of a run, or those of a cross-validation, fold 0 first: from `best`, `last` or the usual checkpoint.

    Folds usually give their last one: no epoch is chosen on the images that they hold out, so that out-of-fold
    figures are clean.

    Raises:
        RunError: no such folder, or a checkpoint is missing or broken.
    """
    run = RunFolder(folder)
    run.check_links()
    if not run.jobs():
        return [run.load(checkpoint)]
    return [fold.load(checkpoint or "last") for fold in folds_of(run)]


def first_run(folder: Path) -> RunFolder:
    """The run in a folder; of a sweep its first job."""
    run = RunFolder(folder)
    return next(iter(run.jobs()), run)


def is_cross_validation(folder: Path) -> bool:
    """Whether a folder is a sweep of whole folds that were trained."""
    try:
        return all(fold.last.is_file() for fold in folds_of(RunFolder(folder)))
    except RunError:
        return False


def folds_of(sweep: RunFolder) -> list[RunFolder]:
    """The jobs of a cross-validation, fold 0 first; of several seeds each has all folds, and a fold is of all seeds.

    Raises:
        RunError: it is no cross-validation, or a fold is missing or there twice.
    """
    jobs = sweep.jobs()
    if not jobs:
        raise RunError(f"{sweep.path} has no run in it.")
    configs = [as_asked(job.read_config()) for job in jobs]
    rank = f"Rank its jobs: {command('leaderboard', shell_path(sweep.path))}"
    folds = configs[0]["data"].get("folds")
    if folds is None:
        raise RunError(
            f"{sweep.path} is a sweep without folds, and no cross-validation: that is trained by {RECIPE}. {rank}"
        )
    other = sorted({key for config in configs for key in differences(config, configs[0])} - FREE)
    held_out = [config["data"].get("fold") for config in configs]
    if other:
        one = f", all within fold {held_out[0]} of {folds}" if len({*held_out}) == 1 < len(jobs) else ""
        raise RunError(
            f"The jobs of {sweep.path} differ in {', '.join(other)}{one}: they are no single cross-validation, which "
            f"is one configuration a sweep ({RECIPE}). {rank}"
        )
    if wrong := _wrong_folds([(config["seed"], fold) for config, fold in zip(configs, held_out, strict=True)], folds):
        again = f" Where their jobs failed: {command('train', f'resume={value_path(sweep.path)}')}"
        raise RunError(
            f"{sweep.path} is no whole cross-validation of {folds} folds: {wrong}. Train one with all of them "
            f"({RECIPE}).{again if (sweep.path / SWEEP).is_file() else ''}"
        )
    order = sorted(range(len(jobs)), key=lambda place: held_out[place])  # seeds as they come
    return [jobs[place] for place in order]


def _wrong_folds(found: Sequence[tuple[Any, Any]], folds: int) -> str:
    """What is missing, or too many, of the folds that each seed must have once, in words; empty where nothing is."""
    seeds = list(dict.fromkeys(seed for seed, _ in found))
    said = []
    for seed in seeds:
        of_seed = f" of seed {seed}" if len(seeds) > 1 else ""
        theirs = [fold for one, fold in found if one == seed]
        if missing := [fold for fold in range(folds) if fold not in theirs]:
            said.append(f"without {_listed(missing)}{of_seed}")
        if twice := sorted({fold for fold in theirs if theirs.count(fold) > 1}, key=str):
            said.append(f"{_listed(twice)} twice{of_seed}")
        if strange := [fold for fold in theirs if fold not in range(folds)]:
            said.append(f"with {_listed(strange)}{of_seed}")
    return ", ".join(said)


def _listed(folds: Sequence[Any]) -> str:
    return f"fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}"
