import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.overlap import Counts, count

RATES = ("dice", "accuracy", "sensitivity", "specificity", "precision")


def rates(counts):
    return [getattr(counts, name) for name in RATES]


def draw(seed, size=(20, 30)):
    generator = torch.Generator().manual_seed(seed)
    vessels = torch.rand(size, generator=generator) < 0.3
    target = (torch.rand(size, generator=generator) < 0.2).to(torch.uint8)
    target[torch.rand(size, generator=generator) < 0.4] = IGNORE
    return vessels, target


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_a_table_is_counted_by_hand(dtype):
    vessels = torch.tensor([[1, 1, 0], [0, 1, 0]], dtype=torch.bool)
    target = torch.tensor([[1, 0, 0], [1, IGNORE, 1]], dtype=dtype)
    assert count(vessels, target) == Counts(true_positive=1, false_positive=1, true_negative=1, false_negative=2)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(3, 1, 4, 2), [6 / 9, 7 / 10, 3 / 5, 4 / 5, 3 / 4]),
        (Counts(0, 1, 1, 1), [0, 1 / 3, 0, 1 / 2, 0]),
        (Counts(4, 0, 5, 0), [1, 1, 1, 1, 1]),
        (Counts(0, 0, 9, 0), [1, 1, 1, 1, 1]),  # no vessel is there and none is found
        (Counts(0, 2, 2, 0), [0, 1 / 2, 1, 1 / 2, 0]),  # no vessel is there, two are found
        (Counts(0, 0, 2, 2), [0, 1 / 2, 0, 1, 1]),  # two are there, none is found
        (Counts(0, 0, 0, 0), [1, 1, 1, 1, 1]),
    ],
    ids=str,
)
def test_rates_by_hand(counts, expected):
    assert rates(counts) == pytest.approx(expected)


def test_adding_counts_pools_the_pixels():
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)
    first, second = draw(0), draw(1)
    pooled = count(*(torch.cat(pair) for pair in zip(first, second, strict=True)))
    assert count(*first) + count(*second) == pooled


def test_counts_agree_with_sums_of_booleans():
    vessels, target = draw(2)
    there, absent = target == 1, target == 0
    expected = [(vessels & there), (vessels & absent), (~vessels & absent), (~vessels & there)]
    assert count(vessels, target) == Counts(*(int(pixels.sum()) for pixels in expected))


def test_ignored_pixels_do_not_count():
    vessels, target = draw(3)
    counts = count(vessels, target)
    assert count(vessels ^ (target == IGNORE), target) == counts
    assert sum(vars(counts).values()) == int((target != IGNORE).sum())


def test_an_image_of_ignored_pixels_counts_nothing():
    vessels, target = draw(4)
    assert count(vessels, torch.full_like(target, IGNORE)) == Counts(0, 0, 0, 0)


def test_the_target_itself_is_perfect():
    _, target = draw(5)
    assert rates(count(target == 1, target)) == [1, 1, 1, 1, 1]
