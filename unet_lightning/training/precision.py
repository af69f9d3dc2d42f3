"""`trainer.precision=auto`: of the precisions that go, the one whose step takes the least time on this machine.

A processor may have no kernel in half precision for so few channels, and take ten times as long: that is measured here,
not believed.
"""

import copy
import logging
import time
from collections.abc import Mapping
from typing import Any

import torch

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.labels import Batch
from unet_lightning.inference.device import synchronise
from unet_lightning.task import SegmentationTask
from unet_lightning.training.machine import this_machine

WHOLE = "32-true"
TYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
WORTH = 0.9  # of the time of float32 at most
STEPS = 2  # that are timed, after one that allocates memory; the quicker one counts

log = logging.getLogger(__name__)


def quickest_precision(trainer: Mapping[str, Any], task: SegmentationTask, data: SegmentationDataModule) -> str:
    """The precision to train with, which is logged with its reason.

    Args:
        trainer: arguments of the Trainer; precision is not looked at.
        task: is copied, not trained.
        data: is set up; its first batch is read.
    """
    device = torch.device(this_machine(trainer).device)
    if trainer.get("deterministic"):
        choice, reason = WHOLE, "deterministic=true keeps it"
    elif trainer.get("devices", 1) != 1 or trainer.get("num_nodes", 1) != 1:
        choice, reason = WHOLE, "several processes must have the same, and each would time its own"
    elif device.type == "mps":
        choice, reason = WHOLE, "no other is tried on a GPU of Apple"
    else:
        times = timed(task, data, device)
        quickest = min(times, key=lambda name: times[name])
        choice = quickest if times[quickest] <= WORTH * times[WHOLE] else WHOLE
        reason = "seconds of a step: " + ", ".join(f"{name} {taken:.3g}" for name, taken in times.items())
    log.info(f"trainer.precision={choice}  # {reason}")
    return choice


def timed(task: SegmentationTask, data: SegmentationDataModule, device: torch.device) -> dict[str, float]:
    """Seconds of a training step in float32 and in half precision; infinite where memory does not suffice."""
    half = "16-mixed" if device.type == "cuda" and not torch.cuda.is_bf16_supported() else "bf16-mixed"
    with torch.random.fork_rng():
        batch: Batch = next(iter(data.train_dataloader()))
        batch = batch._replace(image=batch.image.to(device), target=batch.target.to(device))
        return {name: seconds_of_step(task, batch, name) for name in (WHOLE, half)}


def seconds_of_step(task: SegmentationTask, batch: Batch, precision: str) -> float:
    """Seconds of forward, loss and backward of a batch, by a copy of the task on the batch's device."""
    device, tried, found = batch.image.device, copy.deepcopy(task).to(batch.image.device), list[float]()
    half = TYPES.get(precision)
    try:
        for _ in range(1 + STEPS):
            synchronise(device)
            began = time.perf_counter()
            with torch.autocast(device.type, half, enabled=half is not None):
                loss, _ = tried.shared_step(batch, "train")
            torch.autograd.backward(loss)
            synchronise(device)
            found.append(time.perf_counter() - began)
    except torch.OutOfMemoryError:
        return float("inf")
    return min(found[1:])
