"""Figures for a paper: `python -m unet_lightning.figures outputs/quick/latest outputs/sweep/2026-01-31_12-00-00`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.errors import ConfigError
from unet_lightning.program import data_config, one_line_errors
from unet_lightning.text import at_home

PICTURES = ("per_image", "montage", "confusion", "reliability", "agreement", "learning")
WRITTEN = "written.json"  # the names of the files that this program has written into a folder


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    # fmt: off
    parser = argparse.ArgumentParser(
        prog="python -m unet_lightning.figures",
        description="Draws what leaderboard ranks for a paper: figures of images by method, the worst, median and best "
        "image, confusion, calibration, areas against the observers, and learning curves, as PDF and SVG with their "
        "captions; the figures of the leaderboard as tables in LaTeX and CSV.",
    )
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="as for leaderboard: runs, sweeps, cross-validations, folders of maps; "
        "and data=NAME for photographs of another data set than that of training")
    add("--on", metavar="DATASET-SPLIT", help="the evaluation, such as drive-test (the one that all have)")
    add("--figure", default="dice", help="of each image (dice)")
    add("--class", dest="class_name", metavar="NAME", help="one of more than two classes (their mean, and each)")
    add("--name", action="append", default=[], metavar="ENTRY=NAME", help="what the paper calls an entry; repeatable")
    add("--column", type=float, default=85, metavar="MM", help="width of a column (85)")
    add("--page", type=float, default=180, metavar="MM", help="width of a page (180)")
    add("--out", type=Path, default=Path("figures"), help="folder (figures)")
    # fmt: on
    args = parser.parse_args(at_home(sys.argv[1:] if arguments is None else arguments))
    for width in (args.column, args.page):
        if not 40 <= width <= 1000:
            parser.error(f"widths are 40 to 1000 millimetres, found {width:g}")
    return args


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    args = parse(arguments)
    from unet_lightning.files import whole_file, write_rows, write_text
    from unet_lightning.results.paper.draw import draw, tables
    from unet_lightning.results.paper.methods import Methods
    from unet_lightning.results.style import Sizes
    from unet_lightning.text import as_message, shown
    from unet_lightning.training.folder import followed

    words = [word for word in args.runs if word.startswith(("data=", "data."))]
    data = data_config(words)["data"] if words else None
    runs = [followed(Path(run)) for run in args.runs if run not in words]
    methods = Methods(runs, args.on, args.figure, args.class_name, dict(map(renaming, args.name)))
    files, left_out = draw(methods, data, Sizes(args.column, args.page))
    texts, rows = tables(methods)
    names, before = [*files, *texts, *rows], written_before(args.out)
    if others := [name for name in names if (args.out / name).exists() and name not in before]:
        raise ConfigError(
            f"{args.out} holds {', '.join(others)}, which this program has not written: give another folder by --out."
        )
    write_text(args.out / WRITTEN, json.dumps(sorted({*names, *before})))
    for name, content in files.items():
        with whole_file(args.out / name) as temporary:
            temporary.write_bytes(content)
    for name, text in texts.items():
        write_text(args.out / name, text)
    for name, lines in rows.items():
        write_rows(lines, args.out / name)
    for stale in before - {*names}:
        (args.out / stale).unlink(missing_ok=True)  # of an earlier command, about other runs
    write_text(args.out / WRITTEN, json.dumps(sorted(names)))
    for sentence in left_out:
        print(as_message(sentence))
    print(shown(f"Written to {args.out}: {', '.join(names)}"))


def written_before(folder: Path) -> set[str]:
    """The pictures and tables in a folder that an earlier command has written; files of others are none of them."""
    tables = {"comparison.tex", "comparison.csv", "figures.tex", "figures.csv", "notes.txt"}
    ours = tables | {f"{name}.{ending}" for name in PICTURES for ending in ("pdf", "svg", "txt")}
    try:
        found = json.loads((folder / WRITTEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return ours & {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()


def renaming(word: str) -> tuple[str, str]:
    """An entry and its new name."""
    entry, sign, name = word.rpartition("=")
    if not sign or not entry or not name:
        raise ConfigError(f"--name takes ENTRY=NAME, as the leaderboard calls the entry, found {word}.")
    return entry, name


if __name__ == "__main__":
    main()
