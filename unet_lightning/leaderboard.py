"""Ranks runs: `python -m unet_lightning.leaderboard outputs/quick/latest outputs/sweep/2026-01-31_12-00-00`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.program import one_line_errors
from unet_lightning.text import at_home


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m unet_lightning.leaderboard",
        description="Ranks evaluated runs, with a second person's labels in their midst, and compares each with the "
        "best, image by image. Runs that differ in seed or fold alone are one entry. Of a sweep it also says what each "
        "choice changed on average, what the jobs cost, and which did not finish. Writes leaderboard.md, "
        "leaderboard.csv and leaderboard.html.",
    )
    runs = (
        "a run, a sweep (its jobs; where the sweep was evaluated as a cross-validation, that), or a folder of "
        "probability maps that evaluate has measured"
    )
    on = "the evaluation, such as drive-test (the one that all have)"
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=runs)
    parser.add_argument("--on", metavar="DATASET-SPLIT", help=on)
    parser.add_argument("--figure", default="dice", help="to rank by: the mean over images (dice)")
    parser.add_argument("--class", dest="class_name", metavar="NAME", help="one of more than two classes (their mean)")
    parser.add_argument("--out", type=Path, default=Path("outputs/leaderboard"), help="folder (outputs/leaderboard)")
    return parser.parse_args(at_home(sys.argv[1:] if arguments is None else arguments))


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    args = parse(arguments)
    from rich.console import Console

    from unet_lightning.files import write_rows, write_text
    from unet_lightning.results.boards import board_of
    from unet_lightning.results.leaderboard.formats import csv_rows, markdown, page, terminal
    from unet_lightning.text import shown
    from unet_lightning.training.folder import followed

    board = board_of(*map(followed, args.runs), on=args.on, figure=args.figure, class_name=args.class_name)
    write_text(args.out / "leaderboard.md", markdown(board))
    write_rows(csv_rows(board), args.out / "leaderboard.csv")
    write_text(args.out / "leaderboard.html", page(board))
    console = Console()
    console.print(terminal(board, console.width))
    print(shown(f"Written to {args.out}"))


if __name__ == "__main__":
    main()
