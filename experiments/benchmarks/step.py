"""What a pixel costs in a training step: memory kept for the way back, and the share of the time of looking at it.

OMP_NUM_THREADS=1 python experiments/benchmarks/step.py

By these `experiment=own` chooses batches and how often to validate (`unet_lightning/training/sizing.py`). Time is that
of the process, the median of some repetitions, which alternate.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from unet_lightning.losses.cross_entropy import CrossEntropyLoss
from unet_lightning.models.unet import UNet

SIDE, BATCH, REPEATS = 256, 4, 5


def seconds(work: Callable[[], object]) -> float:
    """The time of the processor."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(base_c: int) -> tuple[float, float]:
    """Bytes kept for each pixel, and the time of a forward pass in that of a step."""
    torch.manual_seed(0)
    network, loss = UNet(base_c=base_c).to(memory_format=torch.channels_last), CrossEntropyLoss()
    optimizer = torch.optim.AdamW(network.parameters())
    images = torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, 2, (BATCH, SIDE, SIDE))
    kept: dict[int, int] = {}  # by address: what several steps of the way back need is there once

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def step() -> None:
        optimizer.zero_grad()
        loss(network(images)["out"], target).backward()
        optimizer.step()

    def look() -> None:
        with torch.inference_mode():
            network(images)

    weights = {one.untyped_storage().data_ptr() for one in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        found = loss(network(images)["out"], target)
    size = sum(count for place, count in kept.items() if place not in weights) / images[:, 0].numel()
    del found
    step()
    times = [(seconds(look), seconds(step)) for _ in range(REPEATS)]
    return size, statistics.median(forward / whole for forward, whole in times)


def main() -> None:
    """Prints a row a width."""
    print("| base_c | bytes a pixel | of them for each of base_c | forward, of a step |\n|---:|---:|---:|---:|")
    for base_c in (8, 16, 32):
        size, share = measured(base_c)
        print(f"| {base_c} | {size:.0f} | {size / base_c:.1f} | {share:.2f} |")


if __name__ == "__main__":
    main()
