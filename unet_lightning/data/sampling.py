"""Order and augmentation as functions of (seed, epoch): the same for any number of workers, and after a resume."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Dataset, Sampler
from torchvision.transforms import v2

from unet_lightning.data.labels import Sample


class Draw(NamedTuple):
    """Which sample, and the seed of its augmentation."""

    item: int
    seed: int


class EpochSampler(Sampler[Draw]):
    """Shuffles `repeats` visits of each sample, an order for every (seed, epoch), shared out to the ranks.

    Batch i of all ranks together holds what batch i of one process would hold, with equally many images in each rank.
    Where the visits do not divide by the ranks, the first ones are visited again at the end of the epoch: its last step
    is then not that of one process.

    Args:
        size: number of samples.
        repeats: visits of each sample in an epoch.
        seed: of the order and of every augmentation.
        rank: of this process, from 0.
        world_size: number of processes.
    """

    def __init__(self, size: int, repeats: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.size, self.repeats, self.seed = size, repeats, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Visits of this rank."""
        return -(-self.size * self.repeats // self.world_size)

    def __iter__(self) -> Iterator[Draw]:
        """The visits of this rank in this epoch."""
        # Mixed so that (seed 0, epoch 1) and (seed 1, epoch 0) differ.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.size * self.repeats, generator=generator)
        seeds = torch.randint(2**62, (len(order),), generator=generator)
        for position in range(self.rank, len(self) * self.world_size, self.world_size):
            visit = position % len(order)
            yield Draw(int(order[visit]) % self.size, int(seeds[visit]))


class TransformedDataset(Dataset[Sample]):
    """A data set behind a transform whose chance is set by each `Draw`.

    Args:
        dataset: gives samples with a uint8 image.
        transform: from sample to sample.
    """

    def __init__(self, dataset: Dataset[Sample], transform: v2.Transform) -> None:
        self.dataset, self.transform = dataset, transform

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample, transformed; the same for the same draw, in any process."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw.seed)
            sample: Sample = self.transform(self.dataset[draw.item])
        return sample
