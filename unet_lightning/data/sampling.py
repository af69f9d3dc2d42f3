"""Order and augmentation as functions of seed and epoch: the same with any number of workers, and after a resume."""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import v2

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.labels import Batch, Sample
from unet_lightning.data.windows import cropped, parted


class Visit(NamedTuple):
    """One use of a sample in an epoch: its index, and the seed of its augmentation."""

    item: int
    seed: int


class EpochSampler(Sampler[Visit]):
    """Visits each sample `repeats` times, in an order that depends on seed and epoch, and deals visits to the ranks.

    The batches number i of all ranks hold together what batch i of a single process would hold, and each rank has
    equally many images of it. Where the number of visits is no multiple of the ranks, the first visits come again at
    the end of the epoch: only its last step differs from that of a single process.
    """

    def __init__(self, size: int, repeats: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.size, self.repeats, self.seed = size, repeats, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.size * self.repeats // self.world_size)

    def __iter__(self) -> Iterator[Visit]:
        # Both in one number, so that (seed 0, epoch 1) and (seed 1, epoch 0) differ.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.size * self.repeats, generator=generator)
        seeds = torch.randint(2**62, (len(order),), generator=generator)
        for position in range(self.rank, len(self) * self.world_size, self.world_size):
            turn = position % len(order)
            yield Visit(int(order[turn]) % self.size, int(seeds[turn]))


class EpochLoader(DataLoader[Batch]):
    """A loader whose epoch begins when its first batch is asked for, and which draws nothing from global generators.

    Lightning makes the iterator of a run's first epoch before it says to the sampler which one that is, and before the
    epoch is seeded: loading processes would fetch the batches of epoch 0 after a resume.

    Args:
        dataset: of samples.
        arguments: of DataLoader.
    """

    def __init__(self, dataset: Dataset[Batch], *arguments: Any, **named: Any) -> None:
        super().__init__(dataset, *arguments, **{"generator": torch.Generator()} | named)

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator: nothing happens until its first use
        yield from super().__iter__()


class TransformedDataset(Dataset[Sample]):
    """A data set with a random transform from sample to sample that each `Visit` seeds."""

    def __init__(self, dataset: Dataset[Sample], transform: v2.Transform) -> None:
        self.dataset, self.transform = dataset, transform
        self.crop, self.after = parted(transform)

    def __getitem__(self, visit: Visit) -> Sample:
        """The sample, transformed; the same for the same visit, in any process, whatever the transform draws from."""
        states = random.getstate(), np.random.get_state()
        try:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(
                    visit.seed
                )  # not those of GPUs, which would take a third of the time
                random.seed(visit.seed)
                np.random.seed(visit.seed % 2**32)
                sample = self._made(visit.item)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
        return sample

    def _made(self, item: int) -> Sample:
        """The sample, transformed; of a photograph that is too large to be decoded for a crop, by its window."""
        if self.crop is not None and isinstance(self.dataset, SegmentationDataset) and self.dataset.in_windows(item):
            found: Sample = self.after(cropped(self.dataset, item, self.crop))
        else:
            found = self.transform(self.dataset[item])
        return found
