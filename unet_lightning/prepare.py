"""Brings a data set in: `python -m unet_lightning.prepare folder IN --out data/mine`, or DRIVE from its archives."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.errors import ConfigError, Stopped
from unet_lightning.program import one_line_errors
from unet_lightning.text import at_home

FORMS = """\
IN is a folder with images/ and labels/ (or masks/), flat or below train/ and test/; one folder with photo_1.jpg and
photo_1_mask.png; a folder an image; a CSV file with the columns image and label (and image_id, class, fov, split,
group); annotations of LabelMe, COCO, CVAT or VIA with their photographs; NIfTI volumes; or DICOM files. Labels have the
names of their photographs, or usual endings more. Nothing is written where something is wrong.
"""
# Options that are not a reader's.
OWN = ("dataset", "input", "out", "check", "name", "test", "seed", "groups", "split", "format", "channels")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m unet_lightning.prepare",
        description="Brings a data set into the form in which it is read, and checks every file; where something is "
        "wrong nothing is written.",
    )
    datasets = parser.add_subparsers(dest="dataset", required=True)
    drive = datasets.add_parser("drive", help="DRIVE, from https://drive.grand-challenge.org")
    drive.add_argument("archives", nargs="+", type=Path, metavar="ZIP", help="training.zip and test.zip")
    drive.add_argument("--out", type=Path, default=Path("data"), help="the folder that gets DRIVE/ (default: data)")
    _add_folder(datasets)
    return parser.parse_args(at_home(sys.argv[1:] if arguments is None else arguments))


def _add_folder(datasets: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    folder = datasets.add_parser("folder", help="images of your own with their labels", description=FORMS)
    folder.add_argument("input", type=Path, metavar="IN", help="what you have")
    folder.add_argument("--out", type=Path, help="the folder that is made, such as data/mine")
    folder.add_argument(
        "--check", action="store_true", help="write nothing but check.html: labels on their photographs"
    )
    folder.add_argument("--name", help="of the data set, in tables (default: that of the folder --out)")
    folder.add_argument("--format", help="what IN is, where several readers recognise it")
    folder.add_argument(
        "--channels", type=int, metavar="N", help="as which photographs are read where they have unlike ones: 3 or 1"
    )
    split = folder.add_argument_group("train and test")
    split.add_argument(
        "--test", type=float, metavar="SHARE", help="draw this share of the images to test on, such as 0.2"
    )
    split.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    split.add_argument("--groups", help="who belongs together: a pattern of names, '(P[0-9]+)_', or a CSV file")
    split.add_argument("--split", type=Path, metavar="CSV", help="a split.csv that was written before")
    places = folder.add_argument_group("where files are, as names of folders")
    places.add_argument("--images", help="photographs")
    places.add_argument("--labels", help="labels")
    places.add_argument("--fov", help="masks of the field of view")
    places.add_argument("--stack", action="store_const", const=True, help="of TIFF stacks each page is an image")
    meaning = folder.add_argument_group("what labels mean")
    meaning.add_argument("--classes", type=_names, help="names, background first: a,b,c or a text file, one a line")
    meaning.add_argument("--colours", type=Path, metavar="FILE", help="colours and names, a line each: 128 0 0 disc")
    meaning.add_argument("--threshold", type=int, help="of grey labels: what is as light or lighter is foreground")
    meaning.add_argument("--invert", action=argparse.BooleanOptionalAction, help="of black and white: black is meant")
    meaning.add_argument("--several", choices=("instances", "classes"), help="what several labels of an image are")
    meaning.add_argument("--empty", choices=("background", "leave-out"), help="what is meant where nothing is drawn")
    meaning.add_argument("--overlap", choices=("later",), help="where labels share pixels the later class counts")
    drawn = folder.add_argument_group("annotations of LabelMe, COCO, CVAT and VIA (docs/annotations.md)")
    drawn.add_argument("--line-width", type=float, metavar="PIXELS", help="of lines, which cover no pixels else")
    drawn.add_argument("--attribute", help="of VIA's regions: the one that is the class")
    volumes = folder.add_argument_group("NIfTI and DICOM (docs/annotations.md)")
    volumes.add_argument("--axis", choices=("axial", "coronal", "sagittal"), help="along which volumes are sliced")
    volumes.add_argument("--slices", choices=("labelled",), help="only slices with a label")
    for name, meant in (
        ("--window", "which numbers become 0 and 255"),
        ("--value-range", "which ones are black and white"),
    ):
        volumes.add_argument(name, type=float, nargs=2, metavar=("LOW", "HIGH"), help=meant)


def _names(text: str) -> list[str]:
    """Names of classes, by commas or in a file."""
    path = Path(text)
    lines = path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else text.split(",")
    names = [line.strip() for line in lines if line.strip()]
    if "background" in names[1:]:
        raise ConfigError(f"--classes names the background first, found {', '.join(names)}.")
    return names


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    args = parse(arguments)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        return prepare_folder(args) if args.dataset == "folder" else prepare_drive(args)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(signum: int, _: object) -> None:
    """Ends by a signal as Ctrl-C does, so that the temporary folder goes."""
    raise Stopped(signum)


def prepare_drive(args: argparse.Namespace) -> None:
    """Brings DRIVE in."""
    from unet_lightning.commands import command, value_path
    from unet_lightning.data.archive import import_drive

    folder = import_drive(args.archives, args.out)
    has_labels = (folder / "test" / "1st_manual").is_dir()
    print(f"{folder}: 20 images to train on, 20 to test{'' if has_labels else ' without labels, as downloaded today'}.")
    print(f"Train: {command('train', f'data.root={value_path(folder)}')}")


def prepare_folder(args: argparse.Namespace) -> None:
    """Brings images of one's own in, or checks them."""
    if args.check == (args.out is not None):
        raise ConfigError("Give --out data/mine to write the data set there, or --check to look at it alone.")
    from unet_lightning.data.description import checked_classes, checked_name, read_description
    from unet_lightning.importing.bring import SHEET, bring, next_commands
    from unet_lightning.importing.readers import read
    from unet_lightning.importing.split import split_images

    options = {name: value for name, value in vars(args).items() if name not in OWN and value is not None}
    name = checked_name(args.name or (args.out or args.input).resolve().name, "--name")
    if args.out is not None and args.input.is_dir() and args.out.resolve().is_relative_to(args.input.resolve()):
        raise ConfigError(f"{args.out} is in {args.input}, which is never changed: give another --out, beside it.")
    found, said = read(args.input, options, args.format), read_description(args.input)
    checked_classes(found.classes, f"The classes in {args.input}")
    split = split_images(found.images, args.test, args.seed, args.groups or said.groups, args.split, args.input)
    facts = bring(found, split, args.out, name, said.channels if args.channels is None else args.channels)
    for line in [f"Classes: {', '.join(found.classes)}", *found.said, *facts.lines]:
        print(line)
    for doubt in facts.doubts:
        print(f"Look: {doubt}")
    print(f"Labels on their photographs: {SHEET if args.out is None else args.out / SHEET}")
    if args.out is not None:
        train, evaluate = next_commands(found, split, facts, args.out)
        print(f"Train: {train}\nThen: {evaluate}")


if __name__ == "__main__":
    main()
