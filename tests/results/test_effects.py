import math

import pytest

from unet_lightning.metrics.comparison import standings
from unet_lightning.results.leaderboard.choices import Choice
from unet_lightning.results.leaderboard.effects import main_effects, spearman, thirds, with_chance_of_jobs


def images(*values):
    return {f"{number:02}": value for number, value in enumerate(values, start=1)}


SIZE = Choice("size", {0: "8", 1: "8", 2: "16", 3: "16"})
FLIP = Choice("flip", {0: "no", 1: "yes", 2: "no", 3: "yes"})
# Two images; sizes differ by 0.04 and 0.06, flips by 0.01 on both.
GRID = [images(0.70, 0.80), images(0.71, 0.81), images(0.74, 0.86), images(0.75, 0.87)]


def test_effects_of_a_grid_are_those_worked_out_by_hand():
    first, second = main_effects([FLIP, SIZE], GRID, [1, 1, 1, 1])
    assert (first.choice.name, second.choice.name) == ("size", "flip")
    small, large = first.levels
    # Size 8: 0.705 and 0.805 on the two images, size 16: 0.745 and 0.865.
    assert (small.value, small.jobs, small.standing.mean) == ("8", 2, pytest.approx(0.755))
    assert (large.value, large.jobs, large.standing.mean) == ("16", 2, pytest.approx(0.805))
    assert large.standing.against_best is None
    paired = small.standing.against_best
    # Of two images a quarter of the resamples holds one alone: the interval goes from one to the other.
    assert (paired.mean, paired.low, paired.high) == pytest.approx((-0.05, -0.06, -0.04))
    assert small.standing.interval == pytest.approx((0.705, 0.805))
    # A difference that is the same on all images has an interval of no width.
    no = second.levels[0].standing.against_best
    assert (no.mean, no.low, no.high) == pytest.approx((-0.01, -0.01, -0.01))
    assert first.size == pytest.approx(0.05)


def test_jobs_count_the_seeds_behind_an_entry():
    (effect,) = main_effects([SIZE], GRID, [1, 3, 2, 2])
    assert [level.jobs for level in effect.levels] == [4, 4]


def test_low_is_best_for_errors():
    (effect,) = main_effects([SIZE], GRID, [1] * 4, lower_is_better=True)
    assert [level.standing.against_best is None for level in effect.levels] == [True, False]


def test_without_balance_the_chance_of_the_jobs_widens_the_intervals():
    values = [images(0.70, 0.70), images(0.80, 0.80), images(0.81, 0.81), images(0.91, 0.91)]
    (even,) = main_effects([SIZE], values, [1] * 4)
    (uneven,) = main_effects([SIZE], values, [1] * 4, balanced=False)
    # Images do not differ; of two jobs a quarter of the resamples holds one alone, 0.05 from the mean of both: times
    # sqrt(2), as the bootstrap of two finds half the variance.
    assert even.levels[0].standing.interval == pytest.approx((0.75, 0.75))
    off = 0.05 * math.sqrt(2)
    assert uneven.levels[0].standing.interval == pytest.approx((0.75 - off, 0.75 + off))
    paired = uneven.levels[0].standing.against_best
    assert (paired.mean, paired.low, paired.high) == pytest.approx((-0.11, -0.11 - 2 * off, -0.11 + 2 * off))


def test_the_interval_over_few_jobs_is_as_wide_as_their_standard_error():
    values = [images(v, v) for v in (0.60, 0.66, 0.70, 0.74, 0.80)]  # SD 0.0762, standard error 0.0341
    placed = standings([images(0.70, 0.70)], [True])
    (standing,) = with_chance_of_jobs(placed, [values])
    low, high = standing.interval
    assert (high - low) / 2 == pytest.approx(1.96 * 0.0341, rel=0.05)


def test_the_best_value_is_none_whose_mean_is_not_known():
    values = [images(0.9, math.nan), images(0.9, math.nan), images(0.70, 0.70), images(0.80, 0.80)]
    values += [images(0.60, 0.60), images(0.62, 0.62)]
    choice = Choice("size", {0: "4", 1: "4", 2: "8", 3: "8", 4: "16", 5: "16"})
    (effect,) = main_effects([choice], values, [1] * 6, balanced=False)
    unknown, best, worst = (level.standing for level in effect.levels)
    assert math.isnan(unknown.mean) and best.against_best is None
    assert worst.against_best.low < worst.against_best.mean < worst.against_best.high


def test_a_difference_without_p_has_no_corrected_p_either():
    values = [images(*(m + n / 100 for n in range(6))) for m in (0.5, 0.52, 0.7, 0.72)]
    for balanced in (True, False):
        (effect,) = main_effects([SIZE], values, [1] * 4, balanced)
        standing = effect.levels[0].standing
        assert [math.isnan(p) for p in (standing.against_best.p_value, standing.p_holm)] == [not balanced] * 2


def test_without_balance_a_value_of_one_job_has_no_interval():
    choice = Choice("size", {0: "8", 1: "16", 2: "16"})
    (effect,) = main_effects([choice], GRID[:3], [1] * 3, balanced=False)
    alone = effect.levels[0].standing
    assert alone.mean == pytest.approx(0.75)
    assert math.isnan(alone.interval[0]) and math.isnan(alone.against_best.low)


def test_a_choice_compares_only_the_jobs_that_it_concerns():
    (effect,) = main_effects([Choice("momentum", {1: "0", 3: "0.9"})], GRID, [1] * 4)
    assert [level.standing.mean for level in effect.levels] == pytest.approx([0.76, 0.81])


NUMBERS = Choice("lr", {n: str(10.0**n) for n in range(-9, 0)})


def test_numbers_that_were_searched_stand_in_thirds():
    assert thirds(NUMBERS) == [
        ("1e-09 to 1e-07", [-9, -8, -7]),
        ("1e-06 to 0.0001", [-6, -5, -4]),
        ("0.001 to 0.1", [-3, -2, -1]),
    ]


def test_equal_numbers_stay_in_one_third():
    parts = thirds(Choice("a", dict(enumerate(["1"] * 8 + [str(n) for n in range(2, 11)]))))
    assert parts[0][1] == list(range(8))


def test_a_figure_that_follows_a_number_has_a_correlation_of_one_and_a_reversed_one_of_minus_one():
    rising = [images(0.1 * n, 0.1 * n + 0.05) for n in range(9)]
    numbers = {n: float(n * n) for n in range(9)}
    assert spearman(numbers, rising).rho == pytest.approx(1)
    falling = spearman(numbers, rising[::-1])
    assert (falling.rho, falling.low, falling.high) == pytest.approx((-1, -1, -1))


def test_a_correlation_by_chance_has_a_wide_interval():
    # Ranks of the means: 4 1 3 5 2 of 1 2 3 4 5; squared differences 9 1 0 1 9: 1 - 6 * 20 / (5 * 24) = 0.
    values = [images(v, v) for v in (0.4, 0.1, 0.3, 0.5, 0.2)]
    trend = spearman(dict(enumerate(range(5))), values)
    assert trend.rho == pytest.approx(0, abs=1e-12)
    assert trend.low < -0.5 and trend.high > 0.5


def test_entries_that_are_all_alike_have_no_correlation():
    assert math.isnan(spearman({0: 1.0, 1: 2.0, 2: 3.0}, [images(0.5, 0.6)] * 3).rho)
    assert math.isnan(spearman({0: 1.0, 1: 2.0}, [images(0.5, math.nan)] * 2).rho)
