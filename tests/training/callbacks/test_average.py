import pytest
import torch

from unet_lightning.training.callbacks.average import RampedAverage


def test_the_average_follows_a_jump_fast_at_first_and_slowly_in_the_end():
    average = RampedAverage(decay=0.99)._kwargs["avg_fn"]
    zero, one = torch.zeros(1), torch.ones(1)
    # After n updates the average keeps (1 + n) / (10 + n), at most 0.99.
    assert average(zero, one, 2).item() == pytest.approx(1 - 3 / 12)
    assert average(zero, one, 10_000).item() == pytest.approx(0.01)
