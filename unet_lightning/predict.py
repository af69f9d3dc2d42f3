"""Predicts photographs: `python -m unet_lightning.predict photo.tif --run outputs/quick/latest --out predictions`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.launch import one_line_errors


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m unet_lightning.predict",
        description="Finds the vessels of photographs. For each it writes NAME_mask.png (vessels 255), "
        "NAME_probability.png (16-bit, 65535 is probability 1) and NAME_overlay.png.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="TIFF, PNG, JPEG, ...")
    parser.add_argument("--run", required=True, type=Path, help="the run folder of the network")
    parser.add_argument("--out", required=True, type=Path, help="folder for the pictures, made where it is missing")
    parser.add_argument(
        "--fov",
        default="auto",
        metavar="MASK",
        help="field-of-view mask of the photographs, outside which nothing is a vessel; auto finds it in each "
        "photograph (the default), none leaves all pixels",
    )
    parser.add_argument("--threshold", type=float, default=0.5, help="vessel from this probability on (0.5)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser.parse_args(arguments)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """The program.

    Raises:
        UserError: shown as one line; the exit code is 1.
    """
    args = parse(arguments)
    names = [photo.stem for photo in args.photos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"Two photographs are called {twice[0]}: their pictures would overwrite one another.")
    if not 0 <= args.threshold <= 1:
        raise ConfigError(f"--threshold must be from 0 to 1, found {args.threshold}.")

    import torch

    from unet_lightning.data.fundus import read_binary, read_photo
    from unet_lightning.inference.fov import find_field_of_view
    from unet_lightning.inference.maps import save_image, save_mask, save_probability
    from unet_lightning.inference.predictor import Predictor, choose_device
    from unet_lightning.reporting.overlay import overlay
    from unet_lightning.runfolder import RunFolder

    trained = RunFolder(args.run).load()
    mask = None if args.fov in ("auto", "none") else read_binary(Path(args.fov), "field-of-view mask")
    predictor = Predictor(trained.network, trained.mean, trained.std, choose_device(args.device))
    photos = {path: read_photo(path) for path in args.photos}  # all are checked before the first is predicted
    for path, photo in photos.items():
        if mask is not None and mask.shape != photo.shape[1:]:
            raise DataError(
                f"The field-of-view mask {args.fov} is {tuple(mask.shape)}, the photograph {path} "
                f"{tuple(photo.shape[1:])} (height, width): both must have one size."
            )
    for path, photo in photos.items():
        probability, milliseconds = predictor.timed(photo)
        vessels = probability >= args.threshold
        fov = find_field_of_view(photo) if args.fov == "auto" else mask
        if fov is not None:
            probability, vessels = torch.where(fov, probability, 0.0), vessels & fov
        save_mask(vessels, args.out / f"{path.stem}_mask.png")
        save_probability(probability, args.out / f"{path.stem}_probability.png")
        save_image(overlay(photo, vessels), args.out / f"{path.stem}_overlay.png")
        print(f"{path}: {milliseconds:.0f} ms forward, {args.out / path.stem}_{{mask,probability,overlay}}.png")


if __name__ == "__main__":
    main()
