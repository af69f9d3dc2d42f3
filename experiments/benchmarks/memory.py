"""Peak memory and time of predicting large photographs with a U-Net, base_c 32, of random weights.

python experiments/benchmarks/memory.py                       # both sizes, in tiles; whole where that fits
python experiments/benchmarks/memory.py --sizes 2048x2048 --tiles 512 640 768 1024 none

Each row is one run of `python -m unet_lightning.predict`, the reading of the photograph and the writing of its three
pictures included. Sizes are width x height, as photographs are sold; memory is the greatest resident set, in units of
10^6 bytes.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

BASE_C = 32
WHOLE_BYTES = 8 * BASE_C * 4  # a pixel of the photograph passed whole, about: eight maps of the first level at once


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["3504x2336", "8000x8000"], metavar="WIDTHxHEIGHT")
    parser.add_argument("--tiles", nargs="+", default=["auto", "none"], help="as predict takes them")
    parser.add_argument("--format", default="jpg", choices=("jpg", "png", "tif"))
    parser.add_argument("--transposed", action="store_true", help="transposed convolutions, not bilinear upsampling")
    parser.add_argument("--prepare", metavar="FOLDER", help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(folder: str, size: str, suffix: str, bilinear: bool) -> None:
    """Writes a photograph, a disc with coloured noise before a black ground, and the run of an untrained network."""
    from pathlib import Path

    import numpy as np
    import torch
    from PIL import Image

    from unet_lightning.models.contents import DATA_STATE
    from unet_lightning.models.unet import UNet
    from unet_lightning.training.folder import RunFolder

    width, height = map(int, size.split("x"))
    y, x = np.mgrid[-1 : 1 : height // 8 * 1j, -1 : 1 : width // 8 * 1j]
    disc = (x * width) ** 2 + (y * height) ** 2 < (0.95 * min(width, height)) ** 2
    noise = np.random.default_rng(0).uniform(0.7, 1.3, (*disc.shape, 3))
    colours = (disc[..., None] * noise * (180, 90, 50)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(colours).resize((width, height), Image.Resampling.BILINEAR)
    picture.save(f"{folder}/photo.{suffix}")

    torch.manual_seed(0)
    network = UNet(base_c=BASE_C, bilinear=bilinear)
    model = {"_target_": "unet_lightning.models.unet.UNet", "base_c": BASE_C, "bilinear": bilinear}
    data = {"classes": ["background", "vessel"], "mean": [0.5] * 3, "std": [0.2] * 3, "diameter": None}
    data |= {"dataset": "none", "train_ids": [], "inherited": {}, "val_ids": []}
    run = RunFolder(Path(folder) / "run")
    run.write_config({"data": {}, "model": model, "seed": 0})
    run.best.parent.mkdir()
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save(
        {"state_dict": state, "hyper_parameters": {"model": model}, DATA_STATE: data, "epoch": 0, "global_step": 0},
        run.best,
    )


def measured(command: list[str]) -> tuple[str, float, float, int]:
    """Standard output, seconds, seconds of all cores and greatest resident set (10^6 bytes) of a command."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return said, time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 // 10**6


def main() -> None:
    """Measures and prints a table. This process stays small: its own peak would count for those that it starts."""
    args = parse()
    if args.prepare:
        return prepare(args.prepare, args.sizes[0], args.format, bilinear=not args.transposed)
    print("| photograph | tile | peak, MB | seconds | of them forward | CPU seconds | what was done |")
    print("|---|---|---|---|---|---|---|")
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            options = ["--format", args.format, *(["--transposed"] if args.transposed else [])]
            me = [sys.executable, __file__, "--prepare", folder, "--sizes", size, *options]
            subprocess.run(me, check=True)
            width, height = map(int, size.split("x"))
            available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            for tile in args.tiles:
                if tile == "none" and width * height * WHOLE_BYTES > available:
                    print(f"| {size} | none | does not fit | - | - | - | - |")
                    continue
                command = [sys.executable, "-m", "unet_lightning.predict", f"{folder}/photo.{args.format}"]
                command += ["--run", f"{folder}/run", "--out", f"{folder}/out", "--tile", tile, "--overwrite"]
                said, seconds, cpu, peak = measured([*command, "--device", "cpu"])
                found = re.search(r"(\d+) ms\s+forward(?:, )?(.*)", " ".join(said.splitlines()))
                forward, done = (int(found[1]) / 1000, found[2].split(" Pictures")[0]) if found else (float("nan"), "")
                row = (size, tile, peak, f"{seconds:.1f}", f"{forward:.1f}", f"{cpu:.1f}", done or "whole image")
                print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
