"""Peak memory and time of predicting large photographs with a U-Net, base_c 32, of random weights.

python experiments/benchmarks/memory.py                       # both sizes, in tiles; the smaller one whole as well
python experiments/benchmarks/memory.py --sizes 2048x2048 --tiles 512 640 768 1024 none

Each row is a process of its own that imports torch, reads the photograph, predicts it and writes the map. Sizes are
width x height, as photographs are sold; memory is the greatest resident set, in units of 10^6 bytes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BASE_C = 32
WHOLE_BYTES = 8 * BASE_C * 4  # a pixel of the photograph passed whole, about: eight maps of the first level at once


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["3504x2336", "8000x8000"], metavar="WIDTHxHEIGHT")
    parser.add_argument("--tiles", nargs="+", default=["auto", "none"], help="as predict takes them")
    parser.add_argument("--format", default="jpg", choices=("jpg", "png", "tif"))
    parser.add_argument("--transposed", action="store_true", help="transposed convolutions, not bilinear upsampling")
    parser.add_argument("--draw", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--predict", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def draw(size: str, path: str) -> None:
    """Draws a disc with coloured noise before a black ground."""
    import numpy as np
    from PIL import Image

    width, height = map(int, size.split("x"))
    y, x = np.mgrid[-1 : 1 : height // 8 * 1j, -1 : 1 : width // 8 * 1j]
    disc = (x * width) ** 2 + (y * height) ** 2 < (0.95 * min(width, height)) ** 2
    noise = np.random.default_rng(0).uniform(0.7, 1.3, (*disc.shape, 3))
    colours = (disc[..., None] * noise * (180, 90, 50)).clip(0, 255).astype(np.uint8)
    Image.fromarray(colours).resize((width, height), Image.Resampling.BILINEAR).save(path)


def predict(photo: str, tile: str, bilinear: bool) -> None:
    """What one process does; prints what it took."""
    began = time.perf_counter()
    import torch

    from unet_lightning.data.reading import read_photo
    from unet_lightning.inference.maps import save_probability
    from unet_lightning.inference.predictor import Predictor
    from unet_lightning.models.unet import UNet

    torch.manual_seed(0)
    network = UNet(base_c=BASE_C, bilinear=bilinear)
    given: str | int = int(tile) if tile.isdigit() else tile
    predictor = Predictor(network, [0.5] * 3, [0.2] * 3, torch.device("cpu"), tile=given)
    stages = {"imports": peak()}
    pixels = read_photo(Path(photo))
    stages["read"] = peak()
    found = predictor.predict(pixels)
    stages["predicted"] = peak()
    del pixels
    save_probability(found.probabilities[0], Path(photo).with_suffix(".map.png"))
    stages["written"] = peak()
    seconds = {"total": time.perf_counter() - began, "forward": found.milliseconds / 1000, "cpu": time.process_time()}
    print(json.dumps({"tiles": found.tiles, "seconds": seconds, "stages": stages}))


def peak() -> int:
    """The greatest resident set of this process so far, 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6


def main() -> None:
    """Draws, measures and prints a table."""
    args = parse()
    if args.draw:
        return draw(*args.draw)
    if args.predict:
        return predict(*args.predict, bilinear=not args.transposed)
    # This process stays small: what a process has at its peak counts for those that it starts.
    me = [sys.executable, __file__, *(["--transposed"] if args.transposed else [])]
    print("| photograph | tiles | peak after imports, read, predicted, written | seconds | of them forward | CPU |")
    print("|---|---|---|---|---|---|")
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            photo = f"{folder}/photo.{args.format}"
            subprocess.run([*me, "--draw", size, photo], check=True)
            width, height = map(int, size.split("x"))
            available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            for tile in args.tiles:
                if tile == "none" and width * height * WHOLE_BYTES > available:
                    print(f"| {size} | whole image | does not fit | - | - | - |")
                    continue
                done = subprocess.run([*me, "--predict", photo, tile], check=True, stdout=subprocess.PIPE, text=True)
                row = json.loads(done.stdout)
                peaks = ", ".join(map(str, row["stages"].values()))
                took = " | ".join(f"{value:.1f}" for value in row["seconds"].values())
                print(f"| {size} | {row['tiles']} | {peaks} MB | {took} |", flush=True)


if __name__ == "__main__":
    main()
