import math

import pytest
from scipy.stats import t

from unet_lightning.metrics.agreement import bland_altman

FIRST, SECOND = [11.0, 12, 13, 14, 15, 16, 17, 20], [10.0, 13, 12, 15, 14, 17, 16, 17]  # differences 1, -1, ..., 3


def test_bias_and_limits_by_hand():
    found = bland_altman(FIRST, SECOND)
    sd = math.sqrt((8 - 1 + 9 - 8 * 0.5**2) / 7)  # of 1, -1, 1, -1, 1, -1, 1, 3 about 0.5
    assert found.bias == 0.5
    assert (found.lower, found.upper) == pytest.approx((0.5 - 1.96 * sd, 0.5 + 1.96 * sd))
    half = t.ppf(0.975, 7) * sd * math.sqrt(1 / 8 + 1.96**2 / (2 * 7))
    assert found.upper_interval == pytest.approx((found.upper - half, found.upper + half))
    assert found.lower_interval == pytest.approx((found.lower - half, found.lower + half))
    assert found.bias_interval[0] < 0 < found.bias_interval[1]


def test_few_images_and_few_groups_have_no_intervals_and_a_single_one_no_limits():
    few = bland_altman(FIRST[:5], SECOND[:5])
    grouped = bland_altman(FIRST, SECOND, groups=[0, 0, 0, 0, 1, 1, 1, 1])
    for one in (few, grouped):
        assert not math.isnan(one.upper)
        assert all(map(math.isnan, (*one.bias_interval, *one.lower_interval, *one.upper_interval)))
    assert math.isnan(bland_altman([1], [2]).upper) and bland_altman([1], [2]).bias == -1
