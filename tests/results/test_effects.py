import math

import pandas as pd
import pytest

from unet_lightning.metrics.comparison import standings
from unet_lightning.results.leaderboard.effects import main_effects, spearman, thirds, with_chance_of_jobs


def images(*values):
    return {f"{number:02}": value for number, value in enumerate(values, start=1)}


def choices(**columns):
    """Columns of values, "-" where a choice does not concern the entry."""
    return pd.DataFrame({name: [None if v == "-" else v for v in values] for name, values in columns.items()})


SIZE, FLIP = ["8", "8", "16", "16"], ["no", "yes", "no", "yes"]
# Two images; sizes differ by 0.04 and 0.06, flips by 0.01 on both.
GRID = [images(0.70, 0.80), images(0.71, 0.81), images(0.74, 0.86), images(0.75, 0.87)]


def test_effects_of_a_grid_are_those_worked_out_by_hand():
    effects = main_effects(choices(flip=FLIP, size=SIZE), GRID, [1, 1, 1, 1])
    assert list(effects["choice"]) == ["size", "size", "flip", "flip"]
    small, large, no, _ = effects.to_dict("records")
    # Size 8: 0.705 and 0.805 on the two images, size 16: 0.745 and 0.865.
    assert (small["value"], small["jobs"], small["mean"]) == ("8", 2, pytest.approx(0.755))
    assert (large["value"], large["jobs"], large["mean"]) == ("16", 2, pytest.approx(0.805))
    assert (small["rank"], large["rank"]) == (2, 1)
    assert math.isnan(large["difference"]) and math.isnan(large["rho"])
    # Of two images a quarter of the resamples holds one alone: the interval goes from one to the other.
    assert difference(small) == pytest.approx((-0.05, -0.06, -0.04))
    assert (small["low"], small["high"]) == pytest.approx((0.705, 0.805))
    # A difference that is the same on all images has an interval of no width.
    assert difference(no) == pytest.approx((-0.01, -0.01, -0.01))


def difference(row):
    return row["difference"], row["difference_low"], row["difference_high"]


def test_without_choices_there_are_no_effects():
    assert main_effects(pd.DataFrame(index=range(4)), GRID, [1] * 4).empty


def test_jobs_count_the_seeds_behind_an_entry():
    assert list(main_effects(choices(size=SIZE), GRID, [1, 3, 2, 2])["jobs"]) == [4, 4]


def test_low_is_best_for_errors():
    effects = main_effects(choices(size=SIZE), GRID, [1] * 4, lower_is_better=True)
    assert list(effects["rank"]) == [1, 2]
    assert list(effects["difference"].isna()) == [True, False]


def test_without_balance_the_chance_of_the_jobs_widens_the_intervals():
    values = [images(0.70, 0.70), images(0.80, 0.80), images(0.81, 0.81), images(0.91, 0.91)]
    even = main_effects(choices(size=SIZE), values, [1] * 4).iloc[0]
    uneven = main_effects(choices(size=SIZE), values, [1] * 4, balanced=False).iloc[0]
    # Images do not differ; of two jobs a quarter of the resamples holds one alone, 0.05 from the mean of both: times
    # sqrt(2), as the bootstrap of two finds half the variance.
    assert (even["low"], even["high"]) == pytest.approx((0.75, 0.75))
    off = 0.05 * math.sqrt(2)
    assert (uneven["low"], uneven["high"]) == pytest.approx((0.75 - off, 0.75 + off))
    assert difference(uneven) == pytest.approx((-0.11, -0.11 - 2 * off, -0.11 + 2 * off))


def test_the_interval_over_few_jobs_is_as_wide_as_their_standard_error():
    values = [images(v, v) for v in (0.60, 0.66, 0.70, 0.74, 0.80)]  # SD 0.0762, standard error 0.0341
    placed = standings([images(0.70, 0.70)], [True])
    (standing,) = with_chance_of_jobs(placed, [values])
    assert (standing.high - standing.low) / 2 == pytest.approx(1.96 * 0.0341, rel=0.05)


def test_the_best_value_is_none_whose_mean_is_not_known():
    values = [images(0.9, math.nan), images(0.9, math.nan), images(0.70, 0.70), images(0.80, 0.80)]
    values += [images(0.60, 0.60), images(0.62, 0.62)]
    effects = main_effects(choices(size=["4", "4", "8", "8", "16", "16"]), values, [1] * 6, balanced=False)
    unknown, best, worst = effects.to_dict("records")
    assert math.isnan(unknown["mean"]) and best["rank"] == 1 and math.isnan(best["difference"])
    assert worst["difference_low"] < worst["difference"] < worst["difference_high"]


def test_a_difference_without_p_has_no_corrected_p_either():
    values = [images(*(m + n / 100 for n in range(6))) for m in (0.5, 0.52, 0.7, 0.72)]
    for balanced in (True, False):
        effect = main_effects(choices(size=SIZE), values, [1] * 4, balanced).iloc[0]
        assert [math.isnan(effect[p]) for p in ("p", "p_holm")] == [not balanced] * 2


def test_without_balance_a_value_of_one_job_has_no_interval():
    alone = main_effects(choices(size=["8", "16", "16"]), GRID[:3], [1] * 3, balanced=False).iloc[0]
    assert alone["mean"] == pytest.approx(0.75)
    assert math.isnan(alone["low"]) and math.isnan(alone["difference_low"])


def test_a_choice_compares_only_the_jobs_that_it_concerns():
    effects = main_effects(choices(momentum=["-", "0", "-", "0.9"]), GRID, [1] * 4)
    assert list(effects["mean"]) == pytest.approx([0.76, 0.81])


NUMBERS = pd.Series([str(10.0**n) for n in range(-9, 0)])


def test_numbers_that_were_searched_stand_in_thirds():
    assert thirds(NUMBERS) == [
        ("1e-09 to 1e-07", [0, 1, 2]),
        ("1e-06 to 0.0001", [3, 4, 5]),
        ("0.001 to 0.1", [6, 7, 8]),
    ]


def test_equal_numbers_stay_in_one_third():
    parts = thirds(pd.Series(["1"] * 8 + [str(n) for n in range(2, 11)]))
    assert parts[0][1] == list(range(8))


def test_a_figure_that_follows_a_number_has_a_correlation_of_one_and_a_reversed_one_of_minus_one():
    rising = [images(0.1 * n, 0.1 * n + 0.05) for n in range(9)]
    numbers = pd.Series([float(n * n) for n in range(9)])
    assert spearman(numbers, rising)[0] == pytest.approx(1)
    assert spearman(numbers, rising[::-1]) == pytest.approx((-1, -1, -1))


def test_a_correlation_by_chance_has_a_wide_interval():
    # Ranks of the means: 4 1 3 5 2 of 1 2 3 4 5; squared differences 9 1 0 1 9: 1 - 6 * 20 / (5 * 24) = 0.
    values = [images(v, v) for v in (0.4, 0.1, 0.3, 0.5, 0.2)]
    rho, low, high = spearman(pd.Series(range(5)), values)
    assert rho == pytest.approx(0, abs=1e-12)
    assert low < -0.5 and high > 0.5


def test_numbers_that_were_searched_have_a_correlation_beside_each_third():
    numbers = [str(n / 7) for n in range(9)]
    effects = main_effects(choices(lr=numbers), [images(n, n) for n in range(9)], [1] * 9, balanced=False)
    assert list(effects["rho"]) == pytest.approx([1, 1, 1])
    assert list(effects["mean"]) == [1, 4, 7]


def test_entries_that_are_all_alike_have_no_correlation():
    assert math.isnan(spearman(pd.Series([1.0, 2.0, 3.0]), [images(0.5, 0.6)] * 3)[0])
    assert math.isnan(spearman(pd.Series([1.0, 2.0]), [images(0.5, math.nan)] * 2)[0])
