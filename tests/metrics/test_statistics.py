import math
import statistics
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from unet_lightning.metrics.statistics import (
    mean_interval,
    paired_difference,
    parts_by_group,
    pooled_interval,
    uncertainty,
    why_unknown,
)

# Deviations 1 and -1 and no skewness: the correction is none, and ends are those of Student's t.
EVEN = [0.7, 0.9] * 4
SKEWED = [0.61, 0.75, 0.78, 0.8, 0.81, 0.82, 0.82, 0.83]


def share_of_true(draw, true, size, trials=2000):
    """How often the interval of a mean over `size` drawn images holds the true one."""
    ends = [mean_interval(draw(size)) for _ in range(trials)]
    return np.mean([low <= true <= high for low, high in ends])


def test_values_without_skewness_have_students_interval():
    # SD sqrt(8 / 7) x 0.1, its quantile for 7 degrees of freedom 2.3646.
    half = 2.3646 * 0.1 * math.sqrt(8 / 7) / math.sqrt(8)
    assert mean_interval(EVEN) == pytest.approx((0.8 - half, 0.8 + half), abs=1e-5)


def test_bad_images_reach_further_down_by_halls_correction():
    # a = G1 / sqrt(n), at most 0.4. An end is where T + a T^2 / 3 + a^2 T^3 / 27 + a / 6 is the quantile 2.3646.
    mean, error = statistics.fmean(SKEWED), statistics.stdev(SKEWED) / math.sqrt(8)
    a = -0.4
    assert scipy.stats.skew(SKEWED, bias=False) / math.sqrt(8) < a
    low, high = mean_interval(SKEWED)
    distance = (mean - low) / error
    assert distance + a * distance**2 / 3 + a**2 * distance**3 / 27 + a / 6 == pytest.approx(2.3646, abs=1e-4)
    assert distance > 1.5 * 2.3646
    assert (high - mean) / error == pytest.approx(2.3646, abs=1e-4)  # Hall's end is nearer, and does not count


@pytest.mark.parametrize("size", [8, 20, 50])
@pytest.mark.parametrize(
    ("draw", "true"),
    [
        (lambda rng, n: 0.8 + 0.02 * rng.standard_normal(n), 0.8),
        (lambda rng, n: 0.85 - 0.03 * rng.gamma(1, size=n), 0.82),
        (lambda rng, n: rng.beta(20, 1, n), 20 / 21),
    ],
    ids=["normal", "a few very bad images", "most near 1"],
)
def test_intervals_hold_the_true_mean_in_about_95_of_100_cases(draw, true, size):
    rng = np.random.default_rng(0)
    assert 0.93 <= share_of_true(lambda n: draw(rng, n), true, size) <= 0.97


def test_an_interval_ends_within_the_bounds_of_the_figure():
    values = [1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
    assert mean_interval(values)[1] > 1
    assert mean_interval(values, bounds=(0, 1))[1] == 1


@pytest.mark.parametrize(
    ("values", "groups", "why"),
    [
        ([0.8, 0.7, 0.9, 0.8, 0.6], None, "fewer than 6 images"),
        ([], None, "fewer than 6 images"),
        ([0.8, 0.7, 0.9, 0.8, 0.6, 0.5], list("aabbcd"), "fewer than 6 groups"),
        ([0.8] * 20, None, "all images are equal"),
        ([0.1 + 0.2, 0.3] * 10, None, "all images are equal"),  # 0.30000000000000004
        ([0.8, math.nan, *EVEN], None, "an image has no figure"),
    ],
)
def test_where_nobody_can_tell_there_is_no_interval_and_a_reason(values, groups, why):
    assert why_unknown(values, groups) == why
    assert uncertainty(values, groups) is None
    assert all(map(math.isnan, mean_interval(values, groups)))


def test_six_images_have_an_interval():
    assert why_unknown(SKEWED[:6]) == ""
    low, high = mean_interval(SKEWED[:6])
    assert low < statistics.fmean(SKEWED[:6]) < high


def test_groups_of_one_image_change_nothing_and_copies_of_images_say_nothing_new():
    assert mean_interval(SKEWED, list("abcdefgh")) == pytest.approx(mean_interval(SKEWED))
    twice = mean_interval(SKEWED * 2, list("abcdefgh") * 2)
    assert twice == pytest.approx(mean_interval(SKEWED))
    narrow = mean_interval(SKEWED * 2)
    assert narrow[1] - narrow[0] < 0.75 * (twice[1] - twice[0])


def test_a_group_counts_by_its_images():
    # Mean 0.6: a pulls by -0.2 - 0.2, b by 0, c by 0.4; times 3 groups over 5 images.
    assert parts_by_group([0.4, 0.4, 0.6, 0.8, 0.8], list("aabcc")) == pytest.approx([0.36, 0.6, 0.84])
    with pytest.raises(ValueError, match="Found 2 groups for 3 images"):
        parts_by_group([0.1, 0.2, 0.3], ["a", "b"])


def test_intervals_by_group_hold_the_true_mean_where_images_of_a_patient_are_alike():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(800):
        patients = np.repeat(np.arange(20), rng.integers(1, 4, 20))
        values = 0.8 + 0.03 * rng.standard_normal(20)[patients] + 0.01 * rng.standard_normal(len(patients))
        found.append((mean_interval(values), mean_interval(values, patients.tolist())))
    by_image, by_patient = (np.mean([low <= 0.8 <= high for low, high in one]) for one in zip(*found, strict=True))
    assert by_image < 0.9
    assert 0.93 <= by_patient <= 0.97


def test_an_interval_takes_no_time():
    start = time.process_time()
    for _ in range(100):
        mean_interval(SKEWED)
    assert time.process_time() - start < 1


COUNTS = np.array([[30, 10], [28, 9], [35, 14], [31, 8], [22, 15], [33, 11], [29, 12], [27, 10]])


def share(parts):
    return parts[0] / parts.sum()


VALUE = share(COUNTS.sum(axis=0))


def test_a_pooled_figure_that_is_a_mean_has_the_interval_of_the_mean_with_a_degree_of_freedom_less():
    parts, mean = np.stack([SKEWED, 1 - np.array(SKEWED)], axis=1), statistics.fmean(SKEWED)
    found = pooled_interval(mean, parts, share)
    assert found == pytest.approx(replace(uncertainty(SKEWED), degrees=6).ends(mean, 0.95))


@pytest.mark.parametrize("likeness", [2, 8], ids=["sizes that differ by two thirds", "by a third"])
def test_intervals_of_the_pooled_dice_of_eight_images_hold_the_true_one_as_often_as_they_say(likeness):
    chance = np.random.default_rng(0)
    pixels = chance.gamma(likeness, 1 / likeness, (3000, 8))
    parts = np.stack([pixels * (0.85 - 0.03 * chance.gamma(1, size=(3000, 8))), pixels], axis=-1)
    ends = [pooled_interval(ratio(its.sum(axis=0)), its, ratio) for its in parts]
    assert 0.93 < np.mean([low <= 0.82 <= high for low, high in ends]) < 0.97


def ratio(parts):
    return parts[0] / parts[1]


def test_the_interval_of_a_pooled_figure_is_around_it_and_by_group_where_there_are_some():
    low, high = pooled_interval(VALUE, COUNTS, share)
    assert low < VALUE < high
    twice = pooled_interval(VALUE, np.concatenate([COUNTS, COUNTS]), share, list(range(8)) * 2)
    assert twice == pytest.approx((low, high))
    assert pooled_interval(VALUE, COUNTS, share, bounds=(0.7, 0.75))[0] == 0.7


def test_a_pooled_figure_of_few_images_or_without_a_value_has_no_interval():
    assert all(map(math.isnan, pooled_interval(VALUE, COUNTS[:5], share)))
    assert all(map(math.isnan, pooled_interval(VALUE, COUNTS, share, list("aaabbbcc"))))
    assert all(map(math.isnan, pooled_interval(VALUE, COUNTS, lambda total: math.nan)))


A, B = [0.81, 0.79, 0.84, 0.80, 0.83, 0.78], [0.80, 0.77, 0.81, 0.76, 0.78, 0.72]


def test_the_interval_is_that_of_the_differences():
    found = paired_difference(A, B)
    assert (found.mean, found.images) == (pytest.approx(0.21 / 6), 6)
    differences = [a - b for a, b in zip(A, B, strict=True)]
    assert (found.low, found.high) == pytest.approx(mean_interval(differences))
    # 0.01 to 0.06 is even: 0.035 over 0.0187 / sqrt(6) is t = 4.583 with 5 degrees of freedom.
    assert found.p_value == pytest.approx(2 * scipy.stats.t.sf(4.5826, 5), rel=1e-4)


def test_pairs_stay_together():
    # The runs vary much over images and differ by little: compared apart, the interval would hold 0.
    a = np.linspace(0.5, 0.9, 20)
    found = paired_difference(a + np.tile([0.009, 0.011], 10), a)
    assert 0.009 < found.low < 0.01 < found.high < 0.011


@pytest.mark.parametrize("comparisons", [1, 3, 45])
def test_an_interval_leaves_out_0_exactly_where_p_is_below_005(comparisons):
    rng = np.random.default_rng(0)
    agreed = []
    for _ in range(600):
        differences = rng.gamma(1, size=rng.integers(6, 30)) - rng.uniform(0, 1)
        found = paired_difference(differences, np.zeros_like(differences), comparisons=comparisons)
        agreed.append((found.low > 0 or found.high < 0, found.p_value < 0.05))
    assert all(one == other for one, other in agreed)
    assert len(set(agreed)) == 2


@pytest.mark.parametrize("size", [8, 20])
def test_equal_methods_are_called_different_in_about_5_of_100_cases(size):
    rng = np.random.default_rng(0)
    found = [paired_difference(rng.normal(0.8, 0.03, size), rng.normal(0.8, 0.03, size)) for _ in range(2000)]
    assert 0.03 <= np.mean([one.p_value < 0.05 for one in found]) <= 0.06


def test_comparisons_widen_the_interval_and_raise_p():
    alone, among = paired_difference(A, B), paired_difference(A, B, comparisons=3)
    assert among.low < alone.low and among.high > alone.high
    assert among.p_value == pytest.approx(3 * alone.p_value)
    assert paired_difference(A, B, comparisons=10_000).p_value == 1


def test_two_runs_that_are_the_same_do_not_differ():
    found = paired_difference(A, A)
    assert (found.mean, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_swapping_the_runs_swaps_the_sign():
    there, back = paired_difference(A, B), paired_difference(B, A)
    assert (back.mean, back.p_value) == (-there.mean, pytest.approx(there.p_value))
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


@pytest.mark.parametrize("groups", [None, list("aabbc")])
def test_fewer_than_six_images_have_a_difference_alone(groups):
    found = paired_difference(A[:5], B[:5], groups)
    assert found.mean == pytest.approx(0.03)
    assert all(map(math.isnan, (found.low, found.high, found.p_value)))


def test_a_missing_value_leaves_nothing():
    found = paired_difference([0.8, math.nan, *A], [0.7, 0.7, *B])
    assert all(map(math.isnan, (found.mean, found.low, found.high, found.p_value)))


@pytest.mark.parametrize(("a", "b"), [([0.1, 0.2], [0.1]), ([], [])])
def test_runs_over_different_images_are_not_compared(a, b):
    with pytest.raises(ValueError, match=rf"Found {len(a)} values of the first run and {len(b)} of the second"):
        paired_difference(a, b)
