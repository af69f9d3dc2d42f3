"""The networks of a folder: of a run, or of a cross-validation, a sweep whose jobs differ in their fold alone."""

from pathlib import Path

from unet_lightning.errors import RunError
from unet_lightning.training.config import differences
from unet_lightning.training.folder import RunFolder, shell_path, value_path
from unet_lightning.training.from_data import as_asked
from unet_lightning.training.trained import Trained

RECIPE = "-m data.folds=5 data.fold=0,1,2,3,4"


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


def folds_of(sweep: RunFolder) -> list[RunFolder]:
    """The jobs of a cross-validation, fold 0 first.

    Raises:
        RunError: its jobs differ in more than their fold, or a fold is missing or there twice.
    """
    jobs = sweep.jobs()
    configs = [as_asked(job.read_config()) for job in jobs]
    fold_of = {job.path.name: config["data"].get("fold") for job, config in zip(jobs, configs, strict=True)}
    folds = configs[0]["data"].get("folds")
    if folds is None:
        raise RunError(
            f"{sweep.path} is a sweep without folds. Evaluate its jobs one by one, such as "
            f"run={value_path(jobs[0].path)}, or rank them: python -m unet_lightning.leaderboard "
            f"{shell_path(sweep.path)}. A cross-validation is trained by {RECIPE}."
        )
    for job, config in zip(jobs, configs, strict=True):
        if other := sorted(set(differences(config, configs[0])) - {"data.fold"}):
            raise RunError(
                f"The jobs of {sweep.path} are no single cross-validation: {job.path.name} differs from "
                f"{jobs[0].path.name} in {', '.join(other)}. Train one configuration a sweep: {RECIPE}."
            )
    if sorted(fold_of.values()) != list(range(folds)):
        found = ", ".join(f"{name}: fold {fold}" for name, fold in fold_of.items())
        raise RunError(f"{sweep.path} must hold each of the folds 0 to {folds - 1} once, found {found}.")
    return sorted(jobs, key=lambda job: int(fold_of[job.path.name]))
