"""A training step on this machine: ours beside the tutorial's, as its readers run it.

python experiments/benchmarks/training.py
python experiments/benchmarks/training.py --sizes 8x256 --rounds 5

Each row is the median over processes that take turns, each of which warms up by one step; peak is the greatest resident
set of a process. Batches of 4 crops, random numbers; the tutorial's step is written here in our words, after its
description: one-hot labels of 255 where ignored, Dice image by image, SGD, memory as torch lays it out.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORE, BATCH = 255, 4
WAYS = ("tutorial", "32-true", "bf16-mixed")


def tutorial_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy with class weights (1, 2), plus 1 minus Dice of each class and image in turn."""
    entropy = F.cross_entropy(logits, target, weight=torch.tensor([1.0, 2.0]), ignore_index=IGNORE)
    ignored = target == IGNORE
    truth = F.one_hot(target.masked_fill(ignored, 0), 2).float()
    truth[ignored] = IGNORE
    truth, found = truth.permute(0, 3, 1, 2), torch.softmax(logits, dim=1)
    dice = torch.zeros(())
    for number in range(2):
        for image in range(len(target)):
            one, other = found[image, number].flatten(), truth[image, number].flatten()
            counted = other != IGNORE
            one, other = one[counted], other[counted]
            both, total = torch.dot(one, other), one.sum() + other.sum()
            dice = dice + (2 * both + 1e-6) / ((2 * both if total == 0 else total) + 1e-6)
    return entropy + 1 - dice / (2 * len(target))


def tutorial(base_c: int, image: Tensor, target: Tensor) -> Callable[[], None]:
    """A step of the tutorial's loop."""
    from unet_lightning.models.unet import UNet

    network = UNet(base_c=base_c)
    for block in (network.up1, network.up2, network.up3, network.up4):
        block.up = torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        loss = tutorial_loss(network(image)["out"], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def ours(base_c: int, image: Tensor, target: Tensor, precision: str) -> Callable[[], None]:
    """A step of the LightningModule with what conf/ chooses, without Trainer."""
    from hydra import compose, initialize_config_dir

    from unet_lightning.allocator import keep_freed_blocks
    from unet_lightning.data.labels import Batch
    from unet_lightning.program import CONF, plain
    from unet_lightning.training.build import build_task

    keep_freed_blocks()
    with initialize_config_dir(CONF, version_base="1.3"):
        typed = [f"model.base_c={base_c}", "model.in_channels=3", "model.num_classes=2"]
        task = build_task(plain(compose("train", typed)))
    optimizer, batch = task._made_optimizer(), Batch(image, target, [])

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss, _ = task.shared_step(batch, "train")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def measure(way: str, base_c: int, side: int, steps: int) -> None:
    """Prints seconds of each step and the peak of this process, as JSON."""
    torch.manual_seed(0)
    image, target = torch.rand(BATCH, 3, side, side), torch.randint(0, 2, (BATCH, side, side))
    target[:, : side // 10] = IGNORE
    step = tutorial(base_c, image, target) if way == "tutorial" else ours(base_c, image, target, way)
    step()
    seconds = []
    for _ in range(steps):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6}))


def main() -> None:
    """Prints a row a size and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["8x256", "32x480"], help="base_c x side of a crop in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="of a process, after the first")
    parser.add_argument("--measure", nargs=3, metavar=("WAY", "BASE_C", "SIDE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        way, base_c, side = args.measure
        return measure(way, int(base_c), int(side), args.steps)
    print("| base_c | crop | step | seconds | times as fast | peak, MB |\n|---:|---:|---|---:|---:|---:|")
    for size in args.sizes:
        base_c, side = size.split("x")
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(args.rounds):
            for way in WAYS:
                command = [sys.executable, __file__, "--steps", str(args.steps), "--measure", way, base_c, side]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(done.stderr)
                found[way].append(json.loads(done.stdout))
        medians = {
            way: statistics.median(time for one in runs for time in one["seconds"]) for way, runs in found.items()
        }
        for way, seconds in medians.items():
            peak = max(one["peak"] for one in found[way])
            name = "the tutorial's" if way == "tutorial" else f"ours, {way}"
            times = medians["tutorial"] / seconds
            print(f"| {base_c} | {side} | {name} | {seconds:.3f} | {times:.2f} | {peak} |", flush=True)


if __name__ == "__main__":
    main()
