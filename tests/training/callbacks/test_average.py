import pytest
import torch

from unet_lightning.training.callbacks.average import RampedAverage


def test_the_average_follows_a_jump_fast_at_first_and_slowly_in_the_end():
    average = RampedAverage(decay=0.99)._kwargs["multi_avg_fn"]
    # After n updates the average keeps (1 + n) / (10 + n), at most 0.99.
    for updates, followed in ((2, 1 - 3 / 12), (10_000, 0.01)):
        averages = [torch.zeros(1), torch.zeros(2, 2)]
        average(averages, [torch.ones(1), torch.full((2, 2), 2.0)], updates)
        assert averages[0].item() == pytest.approx(followed)
        assert averages[1].flatten().tolist() == pytest.approx([2 * followed] * 4)


def test_counts_stay_whole_numbers():
    count = torch.tensor(7)
    RampedAverage()._kwargs["multi_avg_fn"]([count], [torch.tensor(11)], 2)
    assert count == 10  # 7 x 0.25 + 11 x 0.75
