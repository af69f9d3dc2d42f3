import math

import pytest
import torch
from sklearn.metrics import jaccard_score, matthews_corrcoef

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.overlap import Counts, count

RATES = ("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "mcc")


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
        (Counts(3, 1, 4, 2), [6 / 9, 3 / 6, 7 / 10, 3 / 5, 4 / 5, 3 / 4, 10 / math.sqrt(4 * 5 * 5 * 6)]),
        (Counts(0, 1, 1, 1), [0, 0, 1 / 3, 0, 1 / 2, 0, -1 / 2]),
        (Counts(4, 0, 5, 0), [1] * 7),
        (Counts(4, 0, 0, 0), [1] * 7),  # vessel everywhere, and found everywhere,
        (Counts(0, 0, 9, 0), [1] * 7),  # no vessel is there and none is found
        (Counts(0, 2, 2, 0), [0, 0, 1 / 2, 1, 1 / 2, 0, 0]),  # no vessel is there, two are found
        (Counts(0, 0, 2, 2), [0, 0, 1 / 2, 0, 1, 1, 0]),  # two are there, none is found
        (Counts(0, 3, 0, 2), [0, 0, 0, 0, 0, 0, -1]),  # the contrary
        (Counts(0, 0, 0, 0), [1] * 7),
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
    assert rates(count(target == 1, target)) == [1] * 7


@pytest.mark.parametrize("seed", range(3))
def test_iou_and_correlation_agree_with_scikit_learn(seed):
    vessels, target = draw(seed)
    counts, counted = count(vessels, target), target != IGNORE
    truth, found = target[counted].numpy(), vessels[counted].numpy()
    assert counts.iou == pytest.approx(jaccard_score(truth, found))
    assert counts.mcc == pytest.approx(matthews_corrcoef(truth, found))


def test_correlation_is_that_of_zeros_and_ones():
    vessels, target = draw(6)
    counted = target != IGNORE
    expected = torch.corrcoef(torch.stack([vessels[counted].double(), target[counted].double()]))[0, 1]
    assert count(vessels, target).mcc == pytest.approx(float(expected))


def test_correlation_of_more_pixels_than_fit_into_64_bits_is_exact():
    one = Counts(3, 1, 4, 2)
    many = Counts(*(10**9 * number for number in vars(one).values()))
    assert many.mcc == pytest.approx(one.mcc)


def test_turning_and_mirroring_the_image_changes_nothing():
    vessels, target = draw(7)
    for turn in (torch.t, torch.fliplr, torch.flipud):
        assert count(turn(vessels), turn(target)) == count(vessels, target)


def test_dice_iou_and_correlation_do_not_know_which_of_the_two_is_the_truth():
    counts = count(*draw(8))
    swapped = Counts(counts.true_positive, counts.false_negative, counts.true_negative, counts.false_positive)
    assert (swapped.dice, swapped.iou, swapped.mcc) == (counts.dice, counts.iou, counts.mcc)
    assert counts.iou == pytest.approx(counts.dice / (2 - counts.dice))
