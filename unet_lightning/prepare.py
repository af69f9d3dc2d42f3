"""Brings a data set in: `python -m unet_lightning.prepare drive training.zip test.zip --out data/`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.program import one_line_errors
from unet_lightning.text import at_home


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m unet_lightning.prepare",
        description="Unpacks the official archives of a data set and checks every file; where something is wrong "
        "nothing is written.",
    )
    datasets = parser.add_subparsers(dest="dataset", required=True)
    drive = datasets.add_parser("drive", help="DRIVE, from https://drive.grand-challenge.org")
    drive.add_argument("archives", nargs="+", type=Path, metavar="ZIP", help="training.zip and test.zip")
    drive.add_argument("--out", type=Path, default=Path("data"), help="folder that gets DRIVE/ (data)")
    return parser.parse_args(at_home(sys.argv[1:] if arguments is None else arguments))


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    args = parse(arguments)
    from unet_lightning.data.archive import import_drive
    from unet_lightning.training.folder import value_path

    folder = import_drive(args.archives, args.out)
    has_labels = (folder / "test" / "1st_manual").is_dir()
    print(f"{folder}: 20 images to train on, 20 to test{'' if has_labels else ' without labels, as downloaded today'}.")
    print(f"Train: python -m unet_lightning.train data.root={value_path(folder)}")


if __name__ == "__main__":
    main()
