"""Predicts photographs: `python -m unet_lightning.predict photos/ --run outputs/quick/latest --out predictions`."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_lightning.errors import ConfigError, DataError, UserError
from unet_lightning.program import one_line_errors

if TYPE_CHECKING:
    from torch import Tensor

    from unet_lightning.inference.predictor import Prediction

USUAL = "0.5"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m unet_lightning.predict",
        description="Finds the vessels of photographs. For each it writes NAME_mask.png (vessels 255), "
        "NAME_probability.png (16-bit, 65535 is probability 1) and NAME_overlay.png. Photographs that are there "
        "already are left alone, so that a stopped command goes on; one that cannot be read is named at the end.",
    )
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="TIFF, PNG, JPEG, ... or a folder, whose subfolders are kept; or a data set: data=drive split=test",
    )
    parser.add_argument("--run", required=True, type=Path, help="the run folder, or that of a cross-validation")
    parser.add_argument("--out", type=Path, help="folder for the pictures, made where it is missing")
    parser.add_argument(
        "--fov",
        default="auto",
        metavar="MASK",
        help="field of view, outside which nothing is a vessel: a mask, a folder of masks named as the photographs, "
        "auto (found in each photograph; a data set's own; the default) or none",
    )
    parser.add_argument("--threshold", default=USUAL, help="vessel from this probability on (0.5), or val: as chosen "
                        "by evaluate threshold=val")  # fmt: skip
    parser.add_argument("--checkpoint", choices=("best", "last"), help="best, of a cross-validation last")
    parser.add_argument("--tta", choices=("none", "flips", "d4"), default="none", help="averages over 1, 4 or 8 passes")
    parser.add_argument(
        "--scale", default="auto", help="auto: to the field of view of training; none; or a factor (auto)"
    )
    parser.add_argument("--tile", default="auto", help="auto: whole where it fits; none; or a side in pixels (auto)")
    parser.add_argument("--blend", choices=("crop", "gaussian"), default="crop", help="where tiles meet (crop)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--overwrite", action="store_true", help="predict again what is there already")
    parser.add_argument("--submission", type=Path, metavar="ZIP", help="archive for the DRIVE challenge")
    args = parser.parse_args(arguments)
    if args.out is None and args.submission is None:
        parser.error("give --out, --submission or both")
    return args


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program.

    Raises:
        UserError: shown as one line; the exit code is 1.
    """
    args = parse(arguments)
    import torch
    from rich.progress import Progress

    from unet_lightning.inference.predictor import PredictionOptions, make_predictor
    from unet_lightning.inference.submission import check_ids, write_submission
    from unet_lightning.metrics.threshold import decide
    from unet_lightning.photographs import collect
    from unet_lightning.pictures import PictureFolder
    from unet_lightning.training.folds import load_networks
    from unet_lightning.training.threshold import fingerprint

    photographs = collect(args.photos, args.fov, apart_from=args.out)
    names = [photograph.name for photograph in photographs]
    if args.submission is not None:
        check_ids([str(name) for name in names])
    networks = load_networks(args.run, args.checkpoint)
    options = PredictionOptions(args.device, number(args.tile, int), args.blend, args.tta, number(args.scale, float))
    made_for = fingerprint(networks, options)
    threshold = threshold_of(args, len(networks[0].classes), made_for)
    predictor = make_predictor(networks, options)
    pictures = None
    if args.out is not None:
        settings = made_for | {"threshold": threshold, "fov": args.fov, "tile": args.tile, "blend": args.blend}
        pictures = PictureFolder(args.out, networks[0].classes, settings, args.overwrite)
        pictures.check(names)
    failed: list[str] = []
    submitted: dict[str, Tensor] = {}
    with torch.inference_mode(), Progress(transient=True) as progress:
        for photograph in progress.track(photographs, description="photographs"):
            if pictures is not None and args.submission is None and pictures.done(photograph.name):
                progress.print(f"{photograph.name}: there already")
                continue
            try:
                photo, fov = photograph.read()
                found = predictor.predict(photo, fov, warm_up=len(photographs) == 1)
                probability, drawn = found.probabilities, decide(found.probabilities, threshold)
                if fov is not None:
                    probability.masked_fill_(~fov, 0.0)
                    drawn &= fov
                if args.submission is not None:
                    submitted[str(photograph.name)] = drawn[0]
                progress.print(f"{photograph.name}: {found.milliseconds:.0f} ms forward{how(found)}")
                if pictures is not None:
                    pictures.save_maps(photograph.name, probability, drawn)
                    del found, probability  # of 8000 x 8000 pixels 256 MB, which the overlay needs
                    pictures.save_overlay(photograph.name, photo, drawn)
                del photo, fov, drawn  # before the next photograph is read
            except (UserError, OSError) as error:
                failed.append(str(error))
    if failed:
        raise DataError(f"{len(failed)} of {len(photographs)} photographs were not predicted: {' '.join(failed)}")
    if args.submission is not None:
        write_submission(submitted, args.submission)
        print(f"Submission: {args.submission}")
    if args.out is not None:
        print(f"Pictures: {args.out}/NAME_{{mask,probability,overlay}}.png")


def how(found: "Prediction") -> str:
    """What was done with a photograph beyond passing it whole."""
    scale = "" if found.scale == 1 else f", scaled by {found.scale:.3f}"
    return scale if found.tiles == "whole image" else f"{scale}, {found.tiles}"


def number(text: str, kind: type) -> Any:
    """`text` as a number where it is one: the predictor knows the words."""
    try:
        return kind(text)
    except ValueError:
        return text


def threshold_of(args: argparse.Namespace, classes: int, made_for: Mapping[str, Any]) -> float:
    """The threshold given, or the one that evaluate has stored with the run.

    Args:
        args: the command line.
        classes: number of classes.
        made_for: networks, TTA and scale, which a stored threshold must have been chosen for.

    Raises:
        ConfigError: none is stored, it was chosen for something else, or the number is out of range.
    """
    from unet_lightning.training.threshold import stored_threshold

    if args.threshold == "val":
        return stored_threshold(args.run, made_for)
    value = number(args.threshold, float)
    if not isinstance(value, float) or not 0 <= value <= 1:
        raise ConfigError(f"--threshold must be from 0 to 1, or val, found {args.threshold}.")
    if classes > 2 and args.threshold != USUAL:
        raise ConfigError(
            f"--threshold decides between two classes, the network knows {classes}: leave it out, each pixel gets its "
            "most probable class."
        )
    return value


if __name__ == "__main__":
    main()
