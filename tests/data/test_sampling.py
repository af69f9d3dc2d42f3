from collections import Counter

import pytest
import torch
from torch import multiprocessing
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import Sample, collate
from unet_lightning.data.sampling import EpochSampler, TransformedDataset, Visit
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.specs import SECTIONS, build


def epoch(sampler, number=0):
    sampler.set_epoch(number)
    return list(sampler)


def batches(values, size):
    return [Counter(values[start : start + size]) for start in range(0, len(values), size)]


def test_order_is_a_function_of_seed_and_epoch():
    orders = {(seed, number): epoch(EpochSampler(10, 3, seed), number) for seed in (0, 1) for number in (0, 1)}
    again = EpochSampler(10, 3, 0)
    assert epoch(again, 1) == orders[0, 1] and epoch(again, 0) == orders[0, 0]
    assert len({tuple(visit.item for visit in order) for order in orders.values()}) == 4
    assert len({visit.seed for order in orders.values() for visit in order}) == 4 * 30  # no augmentation comes twice


def test_order_does_not_depend_on_the_global_generator():
    torch.manual_seed(1)
    first = epoch(EpochSampler(10, 3, 0))
    torch.manual_seed(2)
    assert epoch(EpochSampler(10, 3, 0)) == first


def test_each_sample_is_visited_repeats_times_with_a_new_augmentation_each():
    sampler = EpochSampler(5, 3, 0)
    order = epoch(sampler)
    assert Counter(visit.item for visit in order) == dict.fromkeys(range(5), 3)
    assert len({visit.seed for visit in order}) == len(order) == len(sampler) == 15


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_together_draw_what_one_process_draws_batch_by_batch(world_size):
    alone = batches(epoch(EpochSampler(6, 4, 7), 3), 2 * world_size)
    ranks = [batches(epoch(EpochSampler(6, 4, 7, rank, world_size), 3), 2) for rank in range(world_size)]
    assert [sum(parts, Counter()) for parts in zip(*ranks, strict=True)] == alone


@pytest.mark.parametrize(("size", "world_size", "length"), [(5, 2, 3), (7, 4, 2), (1, 3, 1)])
def test_uneven_visits_wrap_to_the_first(size, world_size, length):
    alone = epoch(EpochSampler(size, 1, 0))
    samplers = [EpochSampler(size, 1, 0, rank, world_size) for rank in range(world_size)]
    ranks = [epoch(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(rank) for rank in ranks] == [length] * world_size
    together = [visit for turn in zip(*ranks, strict=True) for visit in turn]
    assert together == (alone * world_size)[: length * world_size]


@pytest.fixture
def dataset():
    image = torch.randint(256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    sample = Sample(tv_tensors.Image(image), tv_tensors.Mask(image[0] % 2), "21")
    return TransformedDataset([sample, sample], turn_flip_crop(16, 0.2, 0.2, 0.2))


def test_same_visit_is_the_same_sample_whatever_came_before(dataset):
    torch.manual_seed(1)
    first = dataset[Visit(0, 5)]
    torch.manual_seed(2)
    again, other = dataset[Visit(0, 5)], dataset[Visit(0, 6)]
    assert torch.equal(first.image, again.image) and torch.equal(first.target, again.target)
    assert not torch.equal(first.image, other.image)


def test_global_generator_is_left_as_it_was(dataset, monkeypatch):
    before = torch.get_rng_state()
    monkeypatch.delattr(torch, "manual_seed")  # it begins the chance of GPUs anew too, which nothing would bring back
    dataset[Visit(0, 5)]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def two_epochs(tiny_drive):
    """The batches of two epochs with a number of workers, from a data module built as a program builds it."""

    def load(workers):
        spec = {
            "_target_": "unet_lightning.data.datamodule.SegmentationDataModule",
            "dataset": {"_target_": "unet_lightning.data.drive.DriveDataset", "_partial_": True},
            "root": str(tiny_drive),
            "augment": {
                "_target_": "unet_lightning.data.transforms.rotate_zoom_crop",
                **{"crop": 16, "degrees": 180, "zoom": [0.8, 1.25]},
                **{"brightness": 0.3, "contrast": 0.3, "saturation": 0.3},
            },
            "val_ids": ["21"],
            "num_workers": workers,
        }
        data = build(spec, SECTIONS["data"])
        data.setup("fit")
        loader = data.train_dataloader()
        seen = []
        for number in range(2):
            batches = iter(loader)  # as Lightning does, before the sampler hears which epoch it is
            loader.sampler.set_epoch(number)
            seen.extend(batches)
        assert len(seen) == 10  # two epochs of 19 crops in batches of 4
        return seen

    return load


def assert_same(batches, others):
    for one, other in zip(batches, others, strict=True):
        assert one.image_id == other.image_id
        assert torch.equal(one.image, other.image) and torch.equal(one.target, other.target)


def test_batches_are_the_same_for_any_number_of_workers(two_epochs):
    assert_same(two_epochs(0), two_epochs(2))


def test_batches_are_the_same_where_workers_are_spawned_as_on_windows_and_macos(two_epochs):
    alone = two_epochs(0)
    method, strategy = multiprocessing.get_start_method(), multiprocessing.get_sharing_strategy()
    multiprocessing.set_start_method("spawn", force=True)
    try:
        assert_same(alone, two_epochs(2))
    finally:
        multiprocessing.set_start_method(method, force=True)
        multiprocessing.set_sharing_strategy(strategy)


def test_ranks_together_see_the_pixels_that_one_process_sees_batch_by_batch(tiny_drive):
    def batches_of(batch_size, rank=0, world_size=1):
        data = SegmentationDataModule(
            DriveDataset, tiny_drive, turn_flip_crop(32, 0.2, 0.2, 0.2), val_ids=["21", "22"], batch_size=batch_size
        )
        data.setup("fit")
        loader = data.train_dataloader()
        visits = EpochSampler(18, 1, seed=0, rank=rank, world_size=world_size)
        visits.set_epoch(3)
        return list(DataLoader(loader.dataset, batch_size, sampler=visits, collate_fn=collate))

    alone = batches_of(4)
    ranks = zip(batches_of(2, 0, 2), batches_of(2, 1, 2), strict=True)
    assert [len(batch.target) for batch in alone] == [4, 4, 4, 4, 2]
    for whole, halves in zip(alone, ranks, strict=True):
        assert {len(half.target) for half in halves} == {len(whole.target) // 2}
        # The ranks take the images of a batch in turn.
        assert [
            name for pair in zip(*(half.image_id for half in halves), strict=True) for name in pair
        ] == whole.image_id
        for rank, half in enumerate(halves):
            assert torch.equal(half.image, whole.image[rank::2]) and torch.equal(half.target, whole.target[rank::2])
