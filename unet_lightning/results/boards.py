"""Finds what a leaderboard ranks: evaluated runs, jobs of sweeps, cross-validations and folders of maps."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unet_lightning.commands import value_path
from unet_lightning.errors import RunError
from unet_lightning.metrics.several import mean_known
from unet_lightning.results.leaderboard.board import Leaderboard, make_leaderboard
from unet_lightning.results.leaderboard.entries import Entry, Run, make_entries, trivial_entries
from unet_lightning.results.leaderboard.folds import folds_in_words, without_missing_folds
from unet_lightning.results.leaderboard.pairing import mark_twins, paired
from unet_lightning.results.leaderboard.tables import counted_states
from unet_lightning.results.stored import read_stored, stored_evaluations
from unet_lightning.training.auto import as_asked
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.measurable import evaluate_command
from unet_lightning.training.state import FILE, state_or_fault

SETTINGS = re.compile("-(test|val|all)_")  # in the name of an evaluation that was not made in the usual way


def board_of(
    *folders: str | Path, on: str | None = None, figure: str = "dice", class_name: str | None = None
) -> Leaderboard:
    """The leaderboard of runs, sweeps, cross-validations and folders of maps, for programs and notebooks.

    `board_of("outputs/sweep/latest")` has the data frames `lines` (best first), `effects`, `front("seconds")` and
    `unfinished`; `results.leaderboard.formats` makes Markdown or a page of it.

    Args:
        folders: at least one.
        on: the evaluation, such as `drive-test`; by default the one that all have.
        figure: to rank by.
        class_name: one of more than two classes; None is the mean over all but the background.

    Raises:
        UserError: nothing to rank, or it cannot be compared.
    """
    entries, notes, unfinished = entries_of(folders, on, class_name)
    return make_leaderboard(entries, figure, class_name, notes, unfinished)


def entries_of(
    folders: Sequence[str | Path], on: str | None = None, class_name: str | None = None
) -> tuple[list[Entry], list[str], list[dict[str, Any]]]:
    """What `board_of` ranks, notes on it, and the jobs that did not finish."""
    found = [find_evaluations(Path(folder)) for folder in folders]
    on = choose_evaluation(found, on)
    runs, notes = read_runs(found, on)
    runs, said = paired(runs)
    notes += said
    runs, incomplete = without_missing_folds(runs)
    notes += [f"Lacks the images of folds that are missing, and is left out: {name}." for name in incomplete]
    jobs = [(one.path, job) for one in found for job in one.unfinished]
    unfinished = [job | {"job": str(home / job["job"])} if len(found) > 1 else job for home, job in jobs]
    entries = mark_twins(make_entries(runs, class_name))
    entries += [] if class_name else trivial_entries(runs)
    return entries, [*folds_in_words(entries), *notes], unfinished


@dataclass(frozen=True)
class EvaluatedFolder:
    """A folder of the command line with the evaluations in it."""

    path: Path
    jobs: list[Path]  # of the sweep that it is; none otherwise
    holders: dict[str, list[Path]]  # the folders, itself or jobs, that hold an evaluation, by the evaluation's name
    unfinished: list[dict[str, Any]]  # see `unfinished_jobs`

    def complete(self, name: str) -> bool:
        """Whether an evaluation is the folder's own, or of all its jobs that were evaluated at all."""
        evaluated = {job for holders in self.holders.values() for job in holders}
        return self.holders.get(name) == [self.path] or evaluated - {self.path} == {*self.holders.get(name, [])}


def find_evaluations(folder: Path) -> EvaluatedFolder:
    """The evaluations of a folder, or else of its jobs; raises RunError where there is none, or no such folder."""
    if not folder.is_dir():
        raise RunError(f"No folder {folder}. Give run folders, such as outputs/<name>/<date_time>.")
    if (folder / "config.yaml").is_file():
        RunFolder(folder).check_links()
    # A link such as latest to another of the jobs is no further one.
    jobs = [job.path for job in RunFolder(folder).jobs()]
    jobs = [job for job in jobs if not job.is_symlink() or job.resolve().parent != folder.resolve()]
    holders: dict[str, list[Path]] = {}
    for job in jobs:
        for name in stored_evaluations(job):
            holders.setdefault(name, []).append(job)
    holders |= {name: [folder] for name in stored_evaluations(folder)}
    unfinished = unfinished_jobs(folder, {job for one in holders.values() for job in one})
    if not holders:
        example = jobs[0] if jobs else folder
        states = counted_states(job["state"] for job in unfinished)
        of_maps = f" Of probability maps evaluate makes it, by predictions={value_path(folder)} and their data set."
        raise RunError(
            f"{folder} has no evaluation: looked for {example}/evaluation/<data set>-<split>/metrics.json."
            + (f" Of its jobs did not finish: {states}." if states else "")
            + (f" Make it: {evaluate_command(example)}" if (example / "config.yaml").is_file() else of_maps)
        )
    return EvaluatedFolder(folder, jobs, holders, unfinished)


def unfinished_jobs(folder: Path, evaluated: set[Path]) -> list[dict[str, Any]]:
    """The jobs of a sweep whose state is broken or not `done`, as rows of `Leaderboard.unfinished`."""
    if (folder / "config.yaml").is_file():  # a run, and no sweep
        return []
    found = []
    jobs = [path.parent for path in folder.glob(f"*/{FILE}") if not path.parent.is_symlink()]
    for job in sorted(jobs, key=lambda job: (len(job.name), job.name)):
        state, fault = state_or_fault(job)
        if state is None and not fault:  # it has just been removed
            continue
        word, tried, error = (state.state, state.overrides, state.error) if state else ("unknown", (), fault)
        if word != "done":
            row = {"job": job.name, "state": word, "ranked": job in evaluated}
            found.append(row | {"choices": " ".join(tried), "error": error or ""})
    return found


def choose_evaluation(found: Sequence[EvaluatedFolder], on: str | None) -> str:
    """The evaluation to rank: the one named; else the only one that all have, or that of the test split.

    Those made in the usual way come before those whose names have further settings. Of a sweep of which some jobs
    alone were measured on test, validation compares all. Jobs without any evaluation do not count.

    Raises:
        RunError: it is not in every folder, or several would do.
    """
    listed = "; ".join(f"{one.path} has {', '.join(sorted(one.holders))}" for one in found)
    if on is not None:
        lacking = [str(one.path) for one in found if on not in one.holders]
        if lacking:
            raise RunError(f"No evaluation {on} in {', '.join(lacking)}: {listed}. Make it by evaluate.")
        return on
    everywhere = sorted(set.intersection(*(set(one.holders) for one in found)))
    complete = [name for name in everywhere if all(one.complete(name) for one in found)]
    for names in (complete, everywhere):
        candidates = [name for name in names if re.search("-test(_|$)", name)] or names
        for some in (candidates, [name for name in candidates if not SETTINGS.search(name)]):
            if len(some) == 1:
                return some[0]
    if not everywhere:
        raise RunError(f"No evaluation is in all folders: {listed}. Make the missing ones by evaluate.")
    raise RunError(f"Several evaluations are in all folders: choose one by --on {' or --on '.join(everywhere)}.")


def read_runs(found: Sequence[EvaluatedFolder], on: str) -> tuple[list[Run], list[str]]:
    """The runs behind an evaluation, called by their folders below the one that all are in; and notes on them."""
    notes, behind = [], dict[Path, EvaluatedFolder]()
    for one in found:
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
    listed = {(one.path / job["job"]).resolve() for one in found for job in one.unfinished}
    broken = {folder: state_or_fault(folder)[1] for folder in behind if folder not in listed}
    notes += [f"What {folder.name} cost is unknown: {fault}" for folder, fault in broken.items() if fault]
    home = Path(os.path.commonpath([folder.parent for folder in behind]))
    if home != Path.cwd():
        notes.append(f"Entries are folders in {os.path.relpath(home) if home.is_relative_to(Path.cwd()) else home}.")
    runs = [read_run(folder, folder.relative_to(home).as_posix(), one.jobs, on) for folder, one in behind.items()]
    return runs, notes


def read_run(folder: Path, name: str, jobs: Sequence[Path], on: str) -> Run:
    """An evaluated run, a cross-validation of `jobs`, or maps from elsewhere; its cost where a state.json says so."""
    own = (folder / "config.yaml").is_file()
    config = as_asked(RunFolder(folder if own else jobs[0]).read_config()) if own or jobs else {}
    if jobs and not own:
        config["data"].pop("fold", None)
    states = [state for state, _ in map(state_or_fault, [folder] if own else jobs) if state is not None]
    # A state that was written before the first epoch ended knows neither.
    seconds = mean_known([state.seconds or math.nan for state in states])
    memory = [state.peak_memory_mb for state in states if state.peak_memory_mb]
    return Run(
        name,
        config,
        read_stored(stored_evaluations(folder)[on]),
        states[0].overrides if own and states else None,
        seconds,
        max(memory, default=math.nan),
    )
