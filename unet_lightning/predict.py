"""Predicts photographs: `python -m unet_lightning.predict photos/ --run outputs/quick/latest --out predictions`."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_lightning.errors import ConfigError, DataError, UserError, one_line
from unet_lightning.program import data_config, one_line_errors, trust_files
from unet_lightning.text import at_home, shown

if TYPE_CHECKING:
    from torch import Tensor

    from unet_lightning.data.form import Form
    from unet_lightning.inference.photographs import Photograph

USUAL = 0.5


def number(text: str) -> Any:
    """`text` as a number where it is one; whether the option may be that is checked with the other options."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    # fmt: off
    parser = argparse.ArgumentParser(
        "python -m unet_lightning.predict",
        description="Finds in photographs what a network was trained to find. For each it writes NAME_mask.png (255), "
        "NAME_probability.png (16-bit, 65535 is probability 1) and NAME_overlay.png. Pictures of the same photographs "
        "and settings are left alone, so that a stopped command goes on; what cannot be predicted is named at the end.",
    )
    add = parser.add_argument
    add("photos", nargs="+", metavar="PHOTO", help="file, folder (with subfolders) or data set: data=drive split=test")
    add("--run", type=Path, help="the run folder, or that of a cross-validation")
    add("--weights", type=Path, metavar="FILE", help="instead of a run: weights of the U-Net, such as the tutorial's")
    add("--mean", type=float, nargs="+", metavar="C", help="of the weights' training, of each channel (the tutorial's)")
    add("--std", type=float, nargs="+", metavar="C", help="standard deviations, like --mean")
    add("--out", type=Path, help="folder for the pictures, made where it is missing")
    add("--fov", metavar="MASK", help="where pixels count, outside which nothing is called: a mask, a folder of masks "
        "named as the photographs, auto (a field of view found in each; a data set's own) or none (auto where training "
        "was inside fields of view, else none)")
    add("--threshold", type=number, help="called from it on (0.5), or val: by evaluate threshold=val; "
        "none with more than two classes, where a mask holds numbers in the colours that legend.svg names")
    add("--checkpoint", choices=("best", "last"), help="best, of a cross-validation last")
    add("--tta", choices=("none", "flips", "d4"), default="none", help="averages over 1, 4 or 8 passes")
    add("--scale", type=number, default="auto", help="auto: to the field of view of training; none; or a factor (auto)")
    add("--tile", type=number, default="auto", help="auto: whole where it fits; none; or a side in pixels (auto)")
    add("--blend", choices=("crop", "gaussian"), default="crop", help="where tiles meet (crop)")
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    add("--config-dir", type=Path, help="your own YAML files, whose classes a run may be made of")
    add("--overwrite", action="store_true", help="predict again what is there already")
    add("--submission", type=Path, metavar="ZIP", help="archive for the DRIVE challenge")
    # fmt: on
    args = parser.parse_args(at_home(sys.argv[1:] if arguments is None else arguments))
    if (args.run is None) == (args.weights is None):
        parser.error("give --run or --weights")
    if (args.mean is None) != (args.std is None) or (args.run and args.mean):
        parser.error("--mean and --std go together, and with --weights")
    if args.out is None and args.submission is None:
        parser.error("give --out, --submission or both")
    return args


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    args = parse(arguments)
    if args.config_dir is not None:
        trust_files(args.config_dir)
    from unet_lightning.data.seen import nearest
    from unet_lightning.inference.pictures import PictureFolder, predict_photograph
    from unet_lightning.inference.predictor import PredictionOptions, make_predictor
    from unet_lightning.inference.submission import check_ids, write_submission
    from unet_lightning.training.folder import followed
    from unet_lightning.training.folds import load_networks
    from unet_lightning.training.loose import assumed, load_loose, words_of_loose
    from unet_lightning.training.origin import made_by, origin_of
    from unet_lightning.training.threshold import chosen_threshold, fingerprint
    from unet_lightning.training.trained import joint_form

    if args.weights is None:
        args.run = followed(args.run)
        networks = load_networks(args.run, args.checkpoint)
    else:
        networks = [load_loose(args.weights, {}, {"mean": args.mean, "std": args.std} if args.mean else None)]
        print(words_of_loose(networks[0]))
    looks = True
    if args.fov is None:
        args.fov = "none" if all(one.fov == "none" for one in networks) else "auto"
        looks = any(one.looks_for_field for one in networks)
    photographs, lost = find_photographs(args.photos, args.fov, args.out, looks, joint_form(networks))
    if args.submission is not None:
        check_ids(str(photograph.name) for photograph in photographs)
    options = PredictionOptions(args.device, args.tile, args.blend, args.tta, args.scale)
    made_for = fingerprint(networks, options)
    threshold = threshold_of(args, len(networks[0].classes), made_for)
    predictor = make_predictor(networks, options)
    pictures = None
    if args.out is not None:
        decided = threshold if len(networks[0].classes) == 2 else "argmax"
        settings = made_for | {"threshold": decided, "fov": args.fov, "tile": str(args.tile), "blend": args.blend}
        settings |= assumed(networks[0])
        pictures = PictureFolder(args.out, networks[0].classes, settings, args.overwrite)
    chosen = args.run is not None and args.threshold is not None and threshold == chosen_threshold(args.run)
    origin = origin_of(networks, options.tta, options.scale, predictor.describe())

    def predict(photograph: "Photograph") -> "tuple[Tensor | None, str]":
        return predict_photograph(
            photograph,
            predictor,
            threshold,
            pictures,
            warm_up=len(photographs) == 1,
            made_by=lambda photo: made_by(networks, origin, nearest(photo, networks), chosen).written(),
            again=args.submission is not None,
        )

    submitted: dict[str, Any] = {}
    with contextlib.nullcontext() if pictures is None else pictures.held():
        failed = predict_all(photographs, predict, submitted if args.submission is not None else None)
    if lost := [*lost, *failed]:
        given = len(photographs) + len(lost) - len(failed)
        raise DataError(f"{len(lost)} of {given} photographs were not predicted: {' '.join(lost)}")
    if args.submission is not None:
        write_submission(submitted, args.submission)
        print(f"Submission: {args.submission}")
    if args.out is not None:
        print(f"Pictures: {args.out}/NAME_{{mask,probability,overlay}}.png")


def predict_all(
    photographs: "Sequence[Photograph]",
    predict: "Callable[[Photograph], tuple[Tensor | None, str]]",
    submitted: "dict[str, Tensor] | None",
) -> list[str]:
    """Predicts one photograph after another, whatever becomes of any; why some were not, in words.

    Into `submitted` goes what was drawn of the first class, by the photograph's name.
    """
    from rich.progress import Progress

    failed = []
    with Progress(transient=True) as progress:
        for photograph in progress.track(photographs, description="photographs"):
            try:
                drawn, words = predict(photograph)
                if submitted is not None and drawn is not None:
                    submitted[str(photograph.name)] = drawn[0]
                del drawn  # before the next photograph is read
            except (UserError, OSError, RuntimeError, MemoryError) as error:  # torch lacks memory by a RuntimeError
                words = one_line(error)
                failed.append(words if photograph.source in words else f"{photograph.source}: {words}")
                words = "not predicted"
            said = shown(f"{photograph.name}: {words}")
            progress.print(said, markup=False, emoji=False, highlight=False, soft_wrap=True)
    return failed


def find_photographs(
    named: Sequence[str], fov: str, pictures: Path | None = None, looks: bool = True, form: "Form | None" = None
) -> "tuple[list[Photograph], list[str]]":
    """The photographs that a command names: paths, or a data set of conf/data (`data=drive split=test`).

    They are read in a form, of RGB where none is given. And in words what lies at the paths and is none. Unless one
    `looks`, `auto` is the masks of a data set alone.
    """
    from unet_lightning.data.form import RGB
    from unet_lightning.inference.given import given
    from unet_lightning.inference.photographs import check_outside, photographs_in, photographs_of

    words = [name for name in named if "=" in name and not os.path.exists(name)]
    if not words:
        if pictures is not None:
            check_outside(named, pictures)
        found = given(named)
        if found.left_out:
            print(f"Left out: {', '.join(shown(path) for path in found.left_out)}")
        if not found.files and not found.lost:
            raise ConfigError(f"No photograph in {', '.join(named)}: no file is there that is not hidden.")
        return photographs_in(found, fov if looks or fov != "auto" else "none", form or RGB), found.lost
    from unet_lightning.results.maps import open_photographs

    if len(words) < len(named):
        raise ConfigError("Name photographs or a data set (data=drive split=test), not both.")
    if other := [word for word in words if not word.lstrip("+").startswith(("data=", "data.", "split="))]:
        raise ConfigError(f"{' '.join(other)} says nothing of a data set: options begin with two dashes, see --help.")
    config = data_config(words)
    return photographs_of(open_photographs(config["data"], config["split"] or "test", form), fov), []


def threshold_of(args: argparse.Namespace, classes: int, made_for: Mapping[str, Any]) -> float:
    """The threshold given, or the one that evaluate has stored with the run, chosen for the fingerprint `made_for`."""
    from unet_lightning.training.threshold import stored_threshold

    value = USUAL if args.threshold is None else args.threshold
    if args.threshold is not None and classes > 2:
        raise ConfigError(
            f"--threshold decides between two classes, the network knows {classes}: leave it out, each pixel gets its "
            "most probable class."
        )
    if value == "val" and args.run is None:
        raise ConfigError("--threshold val is chosen with a run: give a number with --weights.")
    if value == "val":
        return stored_threshold(args.run, made_for)
    if isinstance(value, str) or not 0 <= value <= 1:
        raise ConfigError(f"--threshold must be from 0 to 1, or val, found {value}.")
    return float(value)


if __name__ == "__main__":
    main()
