import math

import numpy as np
import pytest

from unet_lightning.metrics.comparison import (
    comparisons,
    mean_interval,
    mean_over_runs,
    pareto_front,
    spread_over_seeds,
    standings,
)
from unet_lightning.metrics.statistics import paired_difference


def images(*values):
    return {f"{number:02}": value for number, value in enumerate(values, start=1)}


BEST = images(0.80, 0.82, 0.84, 0.86, 0.88, 0.90)
WORSE = images(0.79, 0.80, 0.81, 0.82, 0.83, 0.84)  # less by 0.01 to 0.06
HUMAN = images(0.81, 0.84, 0.87, 0.90, 0.93, 0.96)  # more by 0.01 to 0.06


def test_an_image_is_averaged_over_the_runs_that_measured_it():
    runs = [{"02": 0.6, "01": 0.8}, {"02": 0.8}, {"03": 0.5}]
    assert mean_over_runs(runs) == pytest.approx({"01": 0.8, "02": 0.7, "03": 0.5})
    assert list(mean_over_runs(runs)) == ["01", "02", "03"]


def test_the_spread_is_over_the_means_of_seeds_and_not_of_folds():
    # Means 0.7 and 0.8: SD = 0.1 / sqrt(2). Seed 0 comes as two folds of two images each.
    runs = [
        (0, {"01": 0.6, "02": 0.8}),
        (0, {"03": 0.7, "04": 0.7}),
        (1, {"01": 0.7, "02": 0.9, "03": 0.8, "04": 0.8}),
    ]
    assert spread_over_seeds(runs) == pytest.approx(0.1 / math.sqrt(2))


@pytest.mark.parametrize(
    "runs",
    [
        [(0, BEST)],
        [(0, BEST), (0, WORSE)],
        [(0, {"01": 0.8, "02": 0.9}), (1, {"01": 0.8})],
        [(0, {"01": math.nan}), (1, {"01": 0.8})],
    ],
    ids=["a single run", "a single seed", "other images", "no number"],
)
def test_there_is_no_spread_without_two_seeds_on_the_same_images(runs):
    assert math.isnan(spread_over_seeds(runs))


def test_the_interval_does_not_depend_on_the_order_of_the_images():
    values = images(0.713, 0.802, 0.811, 0.847, 0.859, 0.902, 0.911)
    backwards = dict(reversed(values.items()))
    assert mean_interval(backwards) == pytest.approx(mean_interval(values))
    mean, low, high = mean_interval(values)
    assert mean == pytest.approx(0.835)
    assert low < mean < high


def test_methods_are_ranked_and_compared_with_the_best_image_by_image():
    worse, best = standings([WORSE, BEST], [True, True])
    assert (worse.rank, best.rank) == (2, 1)
    assert math.isnan(best.difference) and math.isnan(best.p_corrected)
    assert worse.difference == pytest.approx(-0.035)
    assert worse.difference_low < -0.035 < worse.difference_high < 0
    # Two methods are one pair: nothing to correct for.
    assert worse.p == worse.p_corrected == pytest.approx(paired_difference([*WORSE.values()], [*BEST.values()]).p_value)


def test_one_that_does_not_compete_is_compared_and_leaves_the_ranks_alone():
    human, worse, best = standings([HUMAN, WORSE, BEST], [False, True, True])
    assert (human.rank, worse.rank, best.rank) == (None, 2, 1)
    assert human.difference == pytest.approx(0.035)
    # The best is one of two, and each could have been compared with the other or with the human: three pairs.
    assert human.p_corrected == pytest.approx(3 * human.p)
    assert worse.p_corrected == pytest.approx(3 * worse.p)


def test_every_pair_that_could_hold_the_best_is_counted():
    assert comparisons(racing=2, measured=2) == 1
    assert comparisons(racing=10, measured=10) == 45
    assert comparisons(racing=2, measured=3) == 3  # a with b, and a human with each
    assert comparisons(racing=1, measured=1) == 0


@pytest.mark.parametrize(("methods", "size"), [(5, 20), (10, 20), (10, 8)])
def test_of_equal_methods_few_tables_call_any_worse_than_the_best(methods, size):
    rng = np.random.default_rng(0)
    tables = 300
    called = []
    for _ in range(tables):
        values = rng.normal(0.8, 0.03, size) + rng.normal(0, 0.01, (methods, size))
        found = standings([images(*row) for row in values], [True] * methods)
        called.append((any(one.p_corrected < 0.05 for one in found), any(one.difference_high < 0 for one in found)))
    assert all(by_p == by_interval for by_p, by_interval in called)
    assert sum(by_p for by_p, _ in called) <= 0.06 * tables


def test_groups_widen_what_their_images_share():
    groups = dict(zip(BEST, "aabbcc", strict=True))
    many = {f"{name}{copy}": value for name, value in BEST.items() for copy in "xyz"}
    alike = {image: image[:2] for image in many}
    assert all(map(math.isnan, mean_interval(BEST, groups)[1:]))  # three groups
    assert mean_interval(many, alike) == pytest.approx(mean_interval(BEST))
    (one,) = standings([many], [True], groups=alike, bounds=(0, 0.87))
    assert (one.low, one.high) == pytest.approx((mean_interval(BEST)[1], 0.87))


def test_the_lowest_is_best_where_low_is_good():
    assert [one.rank for one in standings([BEST, WORSE], [True, True], lower_is_better=True)] == [2, 1]


def test_equal_means_have_equal_ranks():
    assert [one.rank for one in standings([BEST, WORSE, dict(BEST)], [True] * 3)] == [1, 3, 1]


def test_what_has_no_mean_has_neither_rank_nor_comparison():
    broken = BEST | {"03": math.nan}
    found = standings([broken, BEST, {}], [True, True, False])
    assert [one.rank for one in found] == [None, 1, None]
    assert all(math.isnan(one.difference) for one in found)
    assert math.isnan(found[0].mean) and math.isnan(found[2].mean)


def test_without_competitors_nothing_is_compared():
    (human,) = standings([HUMAN], [False])
    assert human.rank is None and math.isnan(human.difference)
    assert human.mean == pytest.approx(0.885)


def test_the_front_holds_what_no_other_beats_in_both():
    # 1 is cheapest; 3 costs more and is better; 0 is dearer than 3 and no better; 2 is best; 4 is as dear as 1, worse.
    assert pareto_front([30, 10, 40, 20, 10], [0.81, 0.80, 0.83, 0.81, 0.79]) == [1, 3, 2]


def test_what_is_equal_in_both_is_on_the_front_together():
    assert pareto_front([10, 10, 20], [0.8, 0.8, 0.8]) == [0, 1]


def test_what_has_no_cost_or_no_figure_is_on_no_front():
    assert pareto_front([math.nan, 10, 20], [0.9, 0.8, math.nan]) == [1]
    assert pareto_front([], []) == []


def test_the_front_goes_down_where_low_is_good():
    assert pareto_front([10, 20, 30], [0.2, 0.3, 0.1], lower_is_better=True) == [0, 2]


def test_methods_with_no_image_in_common_are_ranked_and_not_compared():
    # As of one class among several, which one finds in images where the other does not.
    best, other = standings([{"01": 0.9}, {"02": 0.8}], [True, True])
    assert (best.rank, other.rank, best.mean, other.mean) == (1, 2, 0.9, 0.8)
    assert math.isnan(other.difference) and math.isnan(other.p)
