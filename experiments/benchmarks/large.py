"""Memory and time of reading many images, and crops of one large TIFF, for training.

python experiments/benchmarks/large.py                       # 500 images of 512 x 512, and a TIFF of 10,000 x 10,000
python experiments/benchmarks/large.py --images 2000

Each row is one process. First and second start: `setup` of the data module, which checks labels, finds copies and
measures the normalisation; then an epoch of crops of 256 x 256. Files were read before, so that no disk is timed.
Memory is the greatest resident set, in 10^6 bytes, that of Python and torch among it. What is drawn (a megabyte an
image, and 0.3 GB) is removed at the end.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def draw(folder: Path, count: int, side: int) -> None:
    """Draws `count` photographs of noise with labels of squares: BMP, or tiled TIFF where there is but one."""
    import numpy as np
    import tifffile
    from PIL import Image

    chance = np.random.default_rng(0)
    for place in ("images", "labels"):
        (folder / place).mkdir(parents=True)
    for number in range(count):
        label = np.zeros((side, side), np.uint8)
        top, left = chance.integers(0, side // 2, 2)
        label[top : top + side // 3, left : left + side // 3] = 255
        photo = chance.integers(0, 60, (side, side, 3), dtype=np.uint8) + label[..., None] // 2
        if count > 1:
            Image.fromarray(photo).save(folder / f"images/{number}.bmp")
            Image.fromarray(label).save(folder / f"labels/{number}.png", compress_level=1)
        else:
            tile = {"tile": (256, 256), "compression": "zlib"}
            tifffile.imwrite(folder / f"images/{number}.tif", photo, photometric="rgb", **tile)
            tifffile.imwrite(folder / f"labels/{number}.tif", label, photometric="minisblack", **tile)


def measure(root: Path, cache: str, crops: int) -> None:
    """Prints seconds of setup and of an epoch, and the greatest resident set."""
    from unet_lightning.data.datamodule import SegmentationDataModule
    from unet_lightning.data.folder import FolderDataset
    from unet_lightning.data.transforms import turn_flip_crop

    data = SegmentationDataModule(FolderDataset, root, turn_flip_crop(256, 0.2, 0.2, 0.2), cache=cache, repeats=crops)
    began = time.perf_counter()
    data.setup("fit")
    ready = time.perf_counter()
    batches = sum(1 for _ in data.train_dataloader())
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6
    print(f"{ready - began:.1f} | {done - ready:.1f} | {batches} | {peak}")


def main() -> None:
    """Draws, measures each case in a process of its own, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--measure", nargs=3, metavar=("ROOT", "CACHE", "CROPS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(Path(args.measure[0]), args.measure[1], int(args.measure[2]))
    print("| images | cache | start | setup, s | epoch, s | batches of 4 crops | peak, MB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        cases = [("many", args.images, 512, ("0", "300MB", "4GB"), 1), ("large", 1, args.side, ("0",), 100)]
        for name, count, side, caches, crops in cases:
            draw(Path(folder) / name, count, side)
            time.sleep(3)  # files that are new are not remembered
            for cache in caches:
                home = Path(folder) / f"home-{name}-{cache}"
                for start in ("first", "second"):
                    for path in (Path(folder) / name).rglob("*.*"):
                        path.read_bytes()
                    me = [sys.executable, __file__, "--measure", f"{folder}/{name}", cache, str(crops)]
                    done = subprocess.run(me, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True)
                    if done.returncode:
                        sys.exit(done.stderr)
                    print(f"| {count} of {side} x {side} | {cache} | {start} | {done.stdout.strip()} |", flush=True)


if __name__ == "__main__":
    main()
