import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.classes import PooledDice, confusion_matrix, counts_of, mean_dice, overlap_counts
from unet_lightning.metrics.overlap import Counts

TARGET = torch.tensor([[0, 0, 1, 1, 2, IGNORE]], dtype=torch.uint8)
CALLED = torch.tensor([[0, 1, 1, 2, 2, 1]])


def test_a_confusion_matrix_has_a_row_a_true_class_and_leaves_ignored_pixels_out():
    found = confusion_matrix(CALLED, TARGET, 4)
    assert found.tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    # True and false positives, true and false negatives.
    assert [counts_of(found, number) for number in (0, 1, 3)] == [
        Counts(1, 0, 3, 1),
        Counts(1, 1, 2, 1),
        Counts(0, 0, 5, 0),
    ]


def test_an_image_without_a_counted_pixel_has_an_empty_matrix():
    assert confusion_matrix(CALLED, torch.full_like(TARGET, IGNORE), 3).sum() == 0


def test_the_counts_of_a_batch_are_those_of_its_images():
    decided = [CALLED.expand(2, 1, 6) == number for number in (1, 2)]
    target = torch.stack([TARGET, torch.full_like(TARGET, IGNORE)])
    assert overlap_counts(decided, target).tolist() == [[[1, 1, 1], [1, 1, 0]], [[0, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[1, 1, 1], [1, 1, 0]], (2 / 4 + 2 / 3) / 2),
        ([[1, 1, 1], [0, 0, 0]], 2 / 4),  # the second class is nowhere
        ([[1, 1, 1], [0, 1, 0]], (2 / 4 + 0) / 2),  # it is called falsely
        ([[0, 0, 0], [0, 0, 0]], math.nan),
        ([[0, 0, 0]], 1),  # of a single class, nothing found where there is nothing
        ([[0, 0, 7]], 0),
    ],
)
def test_the_mean_dice_leaves_out_classes_that_are_nowhere(counts, expected):
    assert float(mean_dice(torch.tensor(counts))) == pytest.approx(expected, nan_ok=True)


def test_a_process_without_an_image_learns_the_number_of_classes_from_the_others():
    idle, busy = PooledDice(), PooledDice()
    idle.update(torch.zeros(0, 1, 3, dtype=torch.int64))
    for _ in range(2):
        busy.update(torch.tensor([[[1, 1, 1], [0, 0, 2]]]))
    idle.merge_state(busy)
    assert float(idle.compute()) == float(busy.compute()) == pytest.approx((1 / 2 + 0) / 2)
