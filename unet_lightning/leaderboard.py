"""Ranks runs: `python -m unet_lightning.leaderboard outputs/quick/latest outputs/sweep/2026-01-31_12-00-00`."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unet_lightning.errors import RunError
from unet_lightning.launch import one_line_errors, require

if TYPE_CHECKING:
    from unet_lightning.reporting.leaderboard.entries import Run
    from unet_lightning.reporting.leaderboard.settings import Config

EVALUATE = "python -m unet_lightning.evaluate"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m unet_lightning.leaderboard",
        description="Ranks evaluated runs, with the second human observer in their midst, and compares each with the "
        "best, image by image. Runs that differ in seed or fold alone are one entry. Writes leaderboard.md, "
        "leaderboard.csv and leaderboard.html.",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run, a sweep (its jobs; where the sweep was evaluated as a cross-validation, that), or a folder of "
        "probability maps that evaluate has measured",
    )
    parser.add_argument("--on", metavar="DATASET-SPLIT", help="the evaluation, such as drive-test")
    parser.add_argument("--figure", default="dice", help="to rank by: the mean over images (dice)")
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="the class, where there are more than two")
    parser.add_argument("--out", type=Path, default=Path("outputs/leaderboard"), help="folder (outputs/leaderboard)")
    return parser.parse_args(arguments)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program.

    Raises:
        UserError: shown as one line; the exit code is 1.
    """
    args = parse(arguments)
    for module in ("rich", "jinja2", "matplotlib", "scipy"):
        require(module, extra="report", why="leaderboard writes with rich, Jinja and Matplotlib, and tests with SciPy")
    from rich.console import Console

    from unet_lightning.files import write_rows, write_text
    from unet_lightning.reporting.leaderboard.board import make_leaderboard
    from unet_lightning.reporting.leaderboard.formats import markdown, page, table_rows, terminal
    from unet_lightning.reporting.leaderboard.gather import make_entries

    given = [look(folder) for folder in args.runs]
    on = choose(given, args.on)
    runs, notes = read(given, on)
    board = make_leaderboard(make_entries(runs, args.class_name), args.figure, args.class_name, notes)
    write_text(args.out / "leaderboard.md", markdown(board))
    write_rows(table_rows(board), args.out / "leaderboard.csv")
    write_text(args.out / "leaderboard.html", page(board))
    console = Console()
    console.print(terminal(board, console.width))
    print(f"Written to {args.out}")


@dataclass(frozen=True)
class Given:
    """A folder of the command line.

    Attributes:
        path: the folder.
        jobs: of the sweep that it is; none otherwise.
        holders: the folders, itself or jobs, that hold an evaluation, by the evaluation's name.
    """

    path: Path
    jobs: list[Path]
    holders: dict[str, list[Path]]


def look(folder: Path) -> Given:
    """Finds the evaluations of a folder, or else of its jobs.

    Raises:
        RunError: no such folder, or no evaluation in it.
    """
    from unet_lightning.reporting.leaderboard.evaluations import evaluations
    from unet_lightning.runfolder import RunFolder

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
    if not holders:
        example = jobs[0] if jobs else folder
        raise RunError(
            f"{folder} has no evaluation: looked for {example}/evaluation/<data set>-<split>/metrics.json. Make it by "
            f"{EVALUATE} run={example}, or predictions={folder} data=<data set> for probability maps."
        )
    return Given(folder, jobs, holders)


def choose(given: Sequence[Given], on: str | None) -> str:
    """The evaluation to rank: the one named, the only one that all folders have, or the only one of a test split.

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
    tests = [name for name in everywhere if name.endswith("-test")]
    for names in (everywhere, tests):
        if len(names) == 1:
            return names[0]
    if not everywhere:
        raise RunError(f"No evaluation is in all folders: {found}. Make the missing ones by {EVALUATE}.")
    raise RunError(f"Several evaluations are in all folders: choose one by --on {' or --on '.join(everywhere)}.")


def read(given: Sequence[Given], on: str) -> "tuple[list[Run], list[str]]":
    """The runs behind an evaluation, called by their folders below the one that all are in; and notes on them."""
    from unet_lightning.reporting.leaderboard.entries import Run
    from unet_lightning.reporting.leaderboard.evaluations import read_evaluation

    notes, behind = [], dict[Path, Given]()
    for one in given:
        for folder in one.holders[on]:
            first = behind.setdefault(folder.resolve(), one)
            if first is not one:
                notes.append(f"{folder} is given twice and counted once.")
        lacking = [job.name for job in one.jobs if job not in one.holders[on]]
        if lacking and one.path not in one.holders[on]:
            notes.append(f"Not evaluated on {on}, and left out: {', '.join(lacking)} in {one.path}.")
    home = Path(os.path.commonpath([folder.parent for folder in behind]))
    if home != Path.cwd():
        notes.append(f"Entries are folders in {os.path.relpath(home) if home.is_relative_to(Path.cwd()) else home}.")
    return [
        Run(
            folder.relative_to(home).as_posix(),
            config_of(folder, one.jobs),
            read_evaluation(folder / "evaluation" / on),
        )
        for folder, one in behind.items()
    ], notes


def config_of(folder: Path, jobs: Sequence[Path]) -> "Config":
    """The config of a run, or what the jobs of a cross-validation have in common; empty for maps from elsewhere."""
    from unet_lightning.reporting.leaderboard.settings import common
    from unet_lightning.runfolder import RunFolder

    run = RunFolder(folder)
    if run.config_file.is_file():
        return run.read_config()
    return common([RunFolder(job).read_config() for job in jobs])


if __name__ == "__main__":
    main()
