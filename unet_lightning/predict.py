"""Predicts photographs: `python -m unet_lightning.predict photos/ --run outputs/quick/latest --out predictions`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_lightning.errors import ConfigError, DataError, UserError
from unet_lightning.launch import one_line_errors, require

if TYPE_CHECKING:
    from torch import Tensor

    from unet_lightning.inference.predictor import Prediction
    from unet_lightning.photographs import Photograph
    from unet_lightning.runfolder import Trained

SETTINGS = "predict.json"


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
    parser.add_argument("--threshold", default="0.5", help="vessel from this probability on (0.5), or val: as chosen "
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
    require("rich", extra="report", why="predict shows its progress with rich")
    import torch
    from rich.progress import Progress

    from unet_lightning.evaluation.networks import Passing, load_networks
    from unet_lightning.metrics.threshold import decide
    from unet_lightning.photographs import collect

    photographs = collect(args.photos, args.fov)
    networks = load_networks(args.run, args.checkpoint)
    threshold = threshold_of(args, networks[0])
    passing = Passing(args.device, number(args.tile, int), args.blend, args.tta, number(args.scale, float))
    predictor = passing.predictor(networks)
    if args.out is not None:
        claim(args, networks, threshold)
    failed: list[str] = []
    submitted: dict[str, Tensor] = {}
    with torch.inference_mode(), Progress(transient=True) as progress:
        for photograph in progress.track(photographs, description="photographs"):
            if args.submission is None and not args.overwrite and written(photograph, args.out, networks[0].classes):
                progress.print(f"{photograph.name}: there already")
                continue
            try:
                photo, fov = photograph.read()
                found = predictor.predict(photo, fov, warm_up=len(photographs) == 1)
            except UserError as error:
                failed.append(str(error))
                continue
            probability = found.probabilities
            drawn = decide(probability, threshold)
            if fov is not None:
                probability.masked_fill_(~fov, 0.0)
                drawn &= fov
            if args.submission is not None:
                submitted[photograph.name.name] = drawn[0]
            if args.out is not None:
                save(photo, probability, drawn, args.out / photograph.name, networks[0].classes)
                progress.print(f"{photograph.name}: {found.milliseconds:.0f} ms forward{how(found)}")
    if failed:
        raise DataError(f"{len(failed)} of {len(photographs)} photographs were not predicted: {' '.join(failed)}")
    if args.submission is not None:
        from unet_lightning.inference.submission import write_submission

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


def threshold_of(args: argparse.Namespace, network: "Trained") -> float:
    """The threshold given, or the one that evaluate has stored with the run.

    Raises:
        ConfigError: none is stored, or the number is out of range.
    """
    if args.threshold == "val":
        path = args.run / "threshold.json"
        if not path.is_file():
            raise ConfigError(
                f"No threshold was chosen yet: looked for {path}. Choose it on validation images: "
                f"python -m unet_lightning.evaluate run={args.run} threshold=val"
            )
        try:
            stored = json.loads(path.read_text())
            value, tta = float(stored["threshold"]), stored["tta"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} is broken ({error}): choose the threshold again.") from error
        if tta != args.tta:
            raise ConfigError(f"The threshold in {path} was chosen with tta={tta}: give --tta {tta}, or choose again.")
        return value
    value = number(args.threshold, float)
    if not isinstance(value, float) or not 0 <= value <= 1:
        raise ConfigError(f"--threshold must be from 0 to 1, or val, found {args.threshold}.")
    if len(network.classes) > 2 and args.threshold != "0.5":
        raise ConfigError(
            f"--threshold decides between two classes, the network knows {len(network.classes)}: leave it out, each "
            "pixel gets its most probable class."
        )
    return value


def claim(args: argparse.Namespace, networks: "list[Trained]", threshold: float) -> None:
    """Notes how the pictures in the folder are made, so that a later command goes on in the same way.

    Raises:
        ConfigError: there are pictures made otherwise.
    """
    from unet_lightning.files import write_text

    settings = {
        "networks": [network.stamp()["sha256"] for network in networks],
        "threshold": threshold,
        **{name: getattr(args, name) for name in ("fov", "tta", "scale", "tile", "blend")},
    }
    path = args.out / SETTINGS
    if path.is_file() and not args.overwrite:
        try:
            before = json.loads(path.read_text())
        except ValueError:
            before = {}
        other = [name for name in settings if before.get(name) != settings[name]]
        if other:
            raise ConfigError(
                f"{args.out} holds pictures made with another {', '.join(other)}: choose another folder, or give "
                "--overwrite."
            )
    write_text(path, json.dumps(settings, indent=2))


def outputs(stem: Path, classes: Sequence[str]) -> dict[str, Path]:
    """The files of one photograph: mask, overlay, and the probability of each class but the background."""
    names = {"mask": "mask", "overlay": "overlay"}
    names |= {c: "probability" if len(classes) == 2 else f"probability_{c}" for c in classes[1:]}
    return {what: stem.with_name(f"{stem.name}_{name}.png") for what, name in names.items()}


def written(photograph: "Photograph", out: Path, classes: Sequence[str]) -> bool:
    """Whether all pictures of a photograph are there."""
    return all(path.is_file() for path in outputs(out / photograph.name, classes).values())


def save(photo: "Tensor", probability: "Tensor", drawn: "Tensor", stem: Path, classes: Sequence[str]) -> None:
    """Writes the pictures of one photograph.

    Args:
        photo: `(3, H, W)` uint8; it is painted over.
        probability: `(C - 1, H, W)` float32.
        drawn: `(C - 1, H, W)` bool, the pixels of each class but the background.
        stem: path of the pictures without what they show.
        classes: names, background first.
    """
    import torch

    from unet_lightning.inference.maps import save_image, save_mask, save_probability
    from unet_lightning.reporting.overlay import overlay

    paths = outputs(stem, classes)
    for name, one in zip(classes[1:], probability, strict=True):
        save_probability(one, paths[name])
    if len(classes) == 2:
        save_mask(drawn[0], paths["mask"])
    else:  # the number of each pixel's class
        numbers = torch.arange(1, len(classes), dtype=torch.uint8)[:, None, None]
        save_image((drawn * numbers).sum(0).to(torch.uint8), paths["mask"])
    save_image(overlay(photo, drawn.any(0)), paths["overlay"])


if __name__ == "__main__":
    main()
