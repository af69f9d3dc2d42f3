import itertools
import math
import statistics
import time

import numpy as np
import pytest
import scipy.stats
import torch

from unet_lightning.metrics.statistics import bootstrap_interval, holm, paired_difference


def interval(values, seed=0):
    """Of a single figure."""
    (low,), (high,) = bootstrap_interval(np.array(values)[:, None], seed)
    return low, high


def draw(images=20, figures=15, seed=0):
    return np.random.default_rng(seed).normal(0.8, 0.05, (images, figures))


def test_the_interval_of_two_values_is_their_range():
    # A quarter of the resamples holds one value alone, a quarter the other.
    assert interval([0.2, 0.6]) == pytest.approx((0.2, 0.6))


def test_many_values_have_the_interval_of_the_normal_distribution():
    values = [math.sin(number) for number in range(400)]
    low, high = interval(values)
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.05 * half)


def test_intervals_agree_with_scipy():
    values = draw(figures=3)
    low, high = bootstrap_interval(values)
    expected = scipy.stats.bootstrap((values,), np.mean, method="percentile", rng=1, n_resamples=20_000)
    width = high - low
    assert np.abs(low - expected.confidence_interval.low).max() < 0.05 * width.min()
    assert np.abs(high - expected.confidence_interval.high).max() < 0.05 * width.min()


def test_an_interval_is_that_of_resamples_drawn_one_by_one():
    values = [0.71, 0.82, 0.79, 0.88, 0.9]
    drawn = torch.randint(5, (10_000, 5), generator=torch.Generator().manual_seed(3)).tolist()
    means = sorted(statistics.fmean(values[image] for image in images) for images in drawn)
    # 2.5 % of the way along 9,999 gaps is between the 250th and the 251st of the ordered means.
    low, high = interval(values, seed=3)
    assert means[249] <= low <= means[250]
    assert means[9749] <= high <= means[9750]


def test_equal_values_have_no_spread_and_the_same_seed_gives_the_same_interval():
    assert interval([0.8] * 20) == pytest.approx((0.8, 0.8))
    values = [0.71, 0.82, 0.79, 0.88]
    assert interval(values) == interval(values) != interval(values, seed=1)


def test_a_figure_has_the_same_interval_whatever_stands_beside_it():
    values = draw()
    low, high = bootstrap_interval(values)
    for figure in range(15):
        assert interval(values[:, figure]) == (low[figure], high[figure])
    beside = np.column_stack([np.full(20, math.nan), values[:, 4], values[:, 4]])
    assert bootstrap_interval(beside)[0][1:].tolist() == [low[4]] * 2


def test_a_missing_figure_has_no_interval_and_the_others_have():
    values = draw()
    values[3, 2] = math.nan
    low, high = bootstrap_interval(values)
    assert np.flatnonzero(np.isnan(low)).tolist() == np.flatnonzero(np.isnan(high)).tolist() == [2]
    assert (low < high)[[0, 1, 3]].all()


@pytest.mark.parametrize("values", [[[0.5, 0.6]], np.full((3, 2), math.nan)])
def test_a_single_image_and_missing_figures_have_no_interval(values):
    assert np.isnan(bootstrap_interval(values)).all()


def test_a_tensor_is_taken_as_an_array():
    values = draw(figures=2)
    assert np.array_equal(bootstrap_interval(torch.from_numpy(values)), bootstrap_interval(values))


def test_all_figures_of_twenty_images_take_less_than_two_seconds():
    start = time.process_time()
    bootstrap_interval(draw())
    assert time.process_time() - start < 2


A, B = [0.81, 0.79, 0.84, 0.80, 0.83, 0.78], [0.80, 0.77, 0.81, 0.76, 0.78, 0.72]


def test_six_images_that_all_gain_by_hand():
    found = paired_difference(A, B)
    assert (found.mean, found.images) == (pytest.approx(0.21 / 6), 6)
    # Of the 64 ways to sign six ranks, all plus and all minus are as far out.
    assert found.p_value == pytest.approx(2 / 64)
    assert 0.01 < found.low < found.mean < found.high < 0.06


def test_the_interval_is_that_of_the_differences():
    found = paired_difference(A, B, seed=4)
    differences = [a - b for a, b in zip(A, B, strict=True)]
    assert (found.low, found.high) == interval(differences, seed=4)


def test_pairs_stay_together():
    # The runs vary much over images and differ by little: resampled apart, the interval would hold 0.
    a = np.linspace(0.5, 0.9, 20)
    found = paired_difference(a + 0.01, a)
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))


@pytest.mark.parametrize("seed", range(5))
def test_p_agrees_with_all_ways_to_sign_the_ranks(seed):
    differences = np.random.default_rng(seed).normal(0.3, 1, 9)
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    observed = abs((np.sign(differences) * ranks).sum())
    signed = [abs(np.dot(signs, ranks)) for signs in itertools.product((-1, 1), repeat=9)]
    expected = np.mean([total >= observed for total in signed])
    assert paired_difference(differences, np.zeros(9)).p_value == pytest.approx(expected)


def test_images_without_a_difference_are_left_out_of_the_test_and_kept_in_the_mean():
    found = paired_difference([*A, 0.5, 0.6], [*B, 0.5, 0.6])
    assert found.p_value == paired_difference(A, B).p_value
    assert (found.mean, found.images) == (pytest.approx(0.21 / 8), 8)


def test_equal_differences_are_a_tie_and_not_an_error():
    found = paired_difference([1.0] * 20, [0.5] * 20)
    assert found.p_value < 0.001
    assert (found.low, found.high) == (0.5, 0.5)


def test_two_runs_that_are_the_same_do_not_differ():
    found = paired_difference(A, A)
    assert (found.mean, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_swapping_the_runs_swaps_the_sign():
    there, back = paired_difference(A, B), paired_difference(B, A)
    assert (back.mean, back.p_value) == (-there.mean, there.p_value)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


def test_a_single_image_has_a_difference_alone():
    found = paired_difference([0.8], [0.7])
    assert (found.mean, found.images) == (pytest.approx(0.1), 1)
    assert all(map(math.isnan, (found.low, found.high, found.p_value)))


def test_a_missing_value_leaves_nothing():
    found = paired_difference([0.8, math.nan, 0.9], [0.7, 0.7, 0.7])
    assert all(map(math.isnan, (found.mean, found.low, found.high, found.p_value)))


@pytest.mark.parametrize(("a", "b"), [([0.1, 0.2], [0.1]), ([], [])])
def test_runs_over_different_images_are_not_compared(a, b):
    with pytest.raises(ValueError, match=rf"Found {len(a)} values of the first run and {len(b)} of the second"):
        paired_difference(a, b)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # x 3, x 1 but not below 0.06, x 2, x 4
        ([0.02], [0.02]),
        ([0.6, 0.7], [1.0, 1.0]),  # never above 1
        ([0.01, 0.01], [0.02, 0.02]),
        ([0.01, math.nan, 0.04], [0.02, math.nan, 0.04]),
        ([], []),
    ],
)
def test_corrected_p_values_by_hand(p_values, expected):
    assert holm(p_values) == pytest.approx(expected, nan_ok=True)


def test_correction_rejects_what_holm_rejects_step_by_step():
    rng = np.random.default_rng(0)
    for _ in range(200):
        p_values = rng.uniform(0, 0.1, 6)
        rejected = set()
        for rank, place in enumerate(np.argsort(p_values)):
            if p_values[place] > 0.05 / (6 - rank):
                break
            rejected.add(place)
        assert {place for place, p in enumerate(holm(p_values)) if p <= 0.05} == rejected
