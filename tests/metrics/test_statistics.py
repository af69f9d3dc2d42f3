import math
import statistics

import pytest

from unet_lightning.metrics.statistics import bootstrap_interval


def test_the_interval_of_two_values_is_their_range():
    # A quarter of the resamples holds one value alone, a quarter the other.
    assert bootstrap_interval([0.2, 0.6]) == pytest.approx((0.2, 0.6))


def test_many_values_have_the_interval_of_the_normal_distribution():
    values = [math.sin(number) for number in range(400)]
    low, high = bootstrap_interval(values)
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.05 * half)


def test_equal_values_have_no_spread_and_the_same_seed_gives_the_same_interval():
    assert bootstrap_interval([0.8] * 20) == pytest.approx((0.8, 0.8))
    values = [0.71, 0.82, 0.79, 0.88]
    assert bootstrap_interval(values) == bootstrap_interval(values) != bootstrap_interval(values, seed=1)


@pytest.mark.parametrize("values", [[0.5], [0.5, math.nan, 0.7]])
def test_a_single_image_and_a_missing_figure_have_no_interval(values):
    assert all(map(math.isnan, bootstrap_interval(values)))
