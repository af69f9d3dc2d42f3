"""Finds what a leaderboard ranks: evaluated runs, jobs of sweeps, cross-validations and folders of maps."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from unet_lightning.errors import RunError
from unet_lightning.training.state import FILE, state_or_fault

if TYPE_CHECKING:
    from unet_lightning.results.leaderboard.entries import Run
    from unet_lightning.results.leaderboard.jobs import Job
    from unet_lightning.results.leaderboard.lines import Leaderboard
    from unet_lightning.results.leaderboard.settings import Config

EVALUATE = "python -m unet_lightning.evaluate"


def board_of(
    *folders: str | Path, on: str | None = None, figure: str = "dice", class_name: str | None = None
) -> "Leaderboard":
    """The leaderboard of runs, sweeps, cross-validations and folders of maps, for programs and notebooks.

    `board_of("outputs/sweep/latest")` has `lines` (best first), `effects`, `front(cost)` and `unfinished`;
    `reporting.leaderboard.formats` makes Markdown, rows for a data frame, or a page of it.

    Args:
        folders: at least one.
        on: the evaluation, such as `drive-test`; by default the one that all have.
        figure: to rank by.
        class_name: the class, where there are more than two.

    Raises:
        UserError: nothing to rank, or it cannot be compared.
    """
    from unet_lightning.results.leaderboard.board import make_leaderboard
    from unet_lightning.results.leaderboard.gather import make_entries, whole

    given = [look(Path(folder)) for folder in folders]
    on = choose(given, on)
    runs, notes = read(given, on)
    runs, incomplete = whole(runs)
    notes += [f"Lacks the images of folds that are missing, and is left out: {name}." for name in incomplete]
    jobs = [replace(job, name=str(one.path / job.name)) for one in given for job in one.unfinished]
    jobs = jobs if len(given) > 1 else list(given[0].unfinished)
    return make_leaderboard(make_entries(runs, class_name), figure, class_name, notes, jobs)


@dataclass(frozen=True)
class Given:
    """A folder of the command line.

    Attributes:
        path: the folder.
        jobs: of the sweep that it is; none otherwise.
        holders: the folders, itself or jobs, that hold an evaluation, by the evaluation's name.
        unfinished: jobs that did not end well, or have not ended.
    """

    path: Path
    jobs: list[Path]
    holders: dict[str, list[Path]]
    unfinished: "list[Job]"

    def complete(self, name: str) -> bool:
        """Whether an evaluation is the folder's own, or of all its jobs that were evaluated at all."""
        evaluated = {job for holders in self.holders.values() for job in holders}
        return self.holders.get(name) == [self.path] or evaluated - {self.path} == {*self.holders.get(name, [])}


def look(folder: Path) -> Given:
    """Finds the evaluations of a folder, or else of its jobs.

    Raises:
        RunError: no such folder, or no evaluation in it.
    """
    from unet_lightning.results.leaderboard.evaluations import evaluations
    from unet_lightning.results.leaderboard.jobs import counted
    from unet_lightning.training.folder import RunFolder

    if not folder.is_dir():
        raise RunError(f"No folder {folder}. Give run folders, such as outputs/<name>/<date_time>.")
    # A link such as latest to another of the jobs is no further one.
    jobs = [job.path for job in RunFolder(folder).jobs()]
    jobs = [job for job in jobs if not job.is_symlink() or job.resolve().parent != folder.resolve()]
    holders: dict[str, list[Path]] = {}
    for job in jobs:
        for name in evaluations(job):
            holders.setdefault(name, []).append(job)
    holders |= {name: [folder] for name in evaluations(folder)}
    unfinished = unfinished_jobs(folder, {job for found in holders.values() for job in found})
    if not holders:
        example = jobs[0] if jobs else folder
        states = f" Of its jobs did not finish: {counted(unfinished)}." if unfinished else ""
        raise RunError(
            f"{folder} has no evaluation: looked for {example}/evaluation/<data set>-<split>/metrics.json.{states} "
            f"Make it by {EVALUATE} run={example}, or predictions={folder} data=<data set> for probability maps."
        )
    return Given(folder, jobs, holders, unfinished)


def unfinished_jobs(folder: Path, evaluated: set[Path]) -> "list[Job]":
    """The jobs of a sweep whose state is not `done`; of a job that failed early that is all there is.

    A job whose state.json is broken is among them, `unknown`, with what is wrong: it does not keep the others from
    being compared.
    """
    from unet_lightning.results.leaderboard.jobs import Job

    jobs = [path.parent for path in folder.glob(f"*/{FILE}") if not path.parent.is_symlink()]
    if (folder / "config.yaml").is_file():  # a run, and no sweep
        return []
    found = []
    for job in sorted(jobs, key=lambda job: (len(job.name), job.name)):
        state, broken = state_or_fault(job)
        if broken:
            found.append(Job(job.name, "unknown", job in evaluated, error=broken))
        elif state is not None and state.state != "done":
            found.append(Job(job.name, state.state, job in evaluated, state.overrides, state.error or ""))
    return found


def choose(given: Sequence[Given], on: str | None) -> str:
    """The evaluation to rank: the one named; else the only one that all have, or the only one of a test split.

    Of a sweep of which some jobs alone were measured on test, validation compares all. Jobs without any evaluation do
    not count.

    Raises:
        RunError: it is not in every folder, or several would do.
    """
    found = "; ".join(f"{one.path} has {', '.join(sorted(one.holders))}" for one in given)
    if on is not None:
        lacking = [str(one.path) for one in given if on not in one.holders]
        if lacking:
            raise RunError(f"No evaluation {on} in {', '.join(lacking)}: {found}. Make it by {EVALUATE}.")
        return on
    everywhere = sorted(set.intersection(*(set(one.holders) for one in given)))
    complete = [name for name in everywhere if all(one.complete(name) for one in given)]
    for names in (complete, everywhere):
        for candidates in (names, [name for name in names if name.endswith("-test")]):
            if len(candidates) == 1:
                return candidates[0]
    if not everywhere:
        raise RunError(f"No evaluation is in all folders: {found}. Make the missing ones by {EVALUATE}.")
    raise RunError(f"Several evaluations are in all folders: choose one by --on {' or --on '.join(everywhere)}.")


def read(given: Sequence[Given], on: str) -> "tuple[list[Run], list[str]]":
    """The runs behind an evaluation, called by their folders below the one that all are in; and notes on them.

    Raises:
        RunError: an evaluation or a config is broken.
    """
    notes, behind = [], dict[Path, Given]()
    for one in given:
        for folder in one.holders[on]:
            first = behind.setdefault(folder.resolve(), one)
            if first is not one:
                notes.append(f"{folder} is given twice and counted once.")
        lacking = [job.name for job in one.jobs if job not in one.holders[on]]
        if lacking and one.path not in one.holders[on]:
            notes.append(f"Not evaluated on {on}, and left out: {', '.join(lacking)} in {one.path}.")
        notes += [
            f"{len(holders)} of {len(one.jobs)} jobs in {one.path} were evaluated on {name}, too: --on {name}."
            for name, holders in one.holders.items()
            if one.jobs and name != on and holders != [one.path]
        ]
    listed = {(one.path / job.name).resolve() for one in given for job in one.unfinished}
    broken = {folder: state_or_fault(folder)[1] for folder in behind if folder not in listed}
    notes += [f"What {folder.name} cost is unknown: {found}" for folder, found in broken.items() if found]
    home = Path(os.path.commonpath([folder.parent for folder in behind]))
    if home != Path.cwd():
        notes.append(f"Entries are folders in {os.path.relpath(home) if home.is_relative_to(Path.cwd()) else home}.")
    return [
        read_run(folder, folder.relative_to(home).as_posix(), one.jobs, on) for folder, one in behind.items()
    ], notes


def read_run(folder: Path, name: str, jobs: Sequence[Path], on: str) -> "Run":
    """An evaluated run, with what its training cost.

    Args:
        folder: of the run, or of the cross-validation.
        name: for the leaderboard.
        jobs: of the sweep that was given; those of the cross-validation, where `folder` is none of them.
        on: the evaluation.

    Returns:
        without cost and command line, where its state.json is missing or broken.

    Raises:
        RunError: the evaluation is missing or broken, or a config.yaml is.
    """
    from unet_lightning.results.leaderboard.entries import Run
    from unet_lightning.results.leaderboard.evaluations import read_evaluation

    own = (folder / "config.yaml").is_file()
    states = [state for state, _ in map(state_or_fault, [folder] if own else jobs) if state is not None]
    return Run(
        name,
        config_of(folder, jobs),
        read_evaluation(folder / "evaluation" / on),
        states[0].overrides if own and states else None,
        # A state that was written before the first epoch ended knows neither.
        fmean(known) if (known := [state.seconds for state in states if state.seconds]) else math.nan,
        max((state.peak_memory_mb for state in states if state.peak_memory_mb), default=math.nan),
    )


def config_of(folder: Path, jobs: Sequence[Path]) -> "Config":
    """The config of a run, or what the jobs of a cross-validation have in common; empty for maps from elsewhere.

    Raises:
        RunError: a config.yaml is broken.
    """
    from unet_lightning.results.leaderboard.settings import common
    from unet_lightning.training.folder import RunFolder

    run = RunFolder(folder)
    if run.config_file.is_file():
        return run.read_config()
    return common([RunFolder(job).read_config() for job in jobs])
