import math

import pandas as pd
import pytest
import scipy.stats

from unet_lightning.metrics.comparison import mean_over_runs, standings
from unet_lightning.results.leaderboard.effects import main_effects, spearman, thirds, with_chance_of_jobs


def images(*values):
    return {f"{number:02}": value for number, value in enumerate(values, start=1)}


def choices(**columns):
    """Columns of values, "-" where a choice does not concern the entry."""
    return pd.DataFrame({name: [None if v == "-" else v for v in values] for name, values in columns.items()})


SIZE, FLIP = ["8", "8", "16", "16"], ["no", "yes", "no", "yes"]
# Six images, two kinds by turns; sizes differ by 0.04 and 0.06, flips by 0.01 on all.
GRID = [images(*one * 3) for one in ((0.70, 0.80), (0.71, 0.81), (0.74, 0.86), (0.75, 0.87))]
STUDENT = 2.5706  # quantile for 5 degrees of freedom


def test_effects_of_a_grid_are_those_worked_out_by_hand():
    effects = main_effects(choices(flip=FLIP, size=SIZE), GRID, [1, 1, 1, 1])
    assert list(effects["choice"]) == ["size", "size", "flip", "flip"]
    small, large, no, _ = effects.to_dict("records")
    # Size 8: 0.705 and 0.805 on the two images, size 16: 0.745 and 0.865.
    assert (small["value"], small["jobs"], small["mean"]) == ("8", 2, pytest.approx(0.755))
    assert (large["value"], large["jobs"], large["mean"]) == ("16", 2, pytest.approx(0.805))
    assert (small["rank"], large["rank"]) == (2, 1)
    assert math.isnan(large["difference"]) and math.isnan(large["rho"])
    # The standard error of six values d to both sides of their mean is d / sqrt(5).
    half = STUDENT * 0.01 / math.sqrt(5)
    assert difference(small) == pytest.approx((-0.05, -0.05 - half, -0.05 + half), abs=1e-5)
    half = STUDENT * 0.05 / math.sqrt(5)
    assert (small["low"], small["high"]) == pytest.approx((0.755 - half, 0.755 + half), abs=1e-5)
    # A difference that is the same on all images says nothing of how far the next would be off.
    assert difference(no) == pytest.approx((-0.01, math.nan, math.nan), nan_ok=True)


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
    values = [images(*(mean + off for off in (-0.01, 0.01) * 3)) for mean in (0.60, 0.70, 0.80, 0.90)]
    even = main_effects(choices(size=SIZE), values, [1] * 4).iloc[0]
    uneven = main_effects(choices(size=SIZE), values, [1] * 4, balanced=False).iloc[0]
    half = STUDENT * 0.01 / math.sqrt(5)
    assert (even["low"], even["high"]) == pytest.approx((0.65 - half, 0.65 + half), abs=1e-5)
    # Two jobs 0.05 from their mean have a standard error of 0.05 with 1 degree of freedom; with that of the images,
    # 0.01 / sqrt(5), and their 5 degrees it is sqrt(0.05^2 + 0.0045^2) with 1.016, whose quantile is 12.48.
    error, degrees = math.hypot(0.05, 0.01 / math.sqrt(5)), 1.016
    half = scipy.stats.t.ppf(0.975, degrees) * error
    assert (uneven["low"], uneven["high"]) == pytest.approx((0.65 - half, 0.65 + half), rel=5e-3)
    assert uneven["difference"] == pytest.approx(-0.2)


def test_the_chance_of_the_jobs_of_both_values_widens_a_difference():
    off = (-0.01, 0.01) * 3
    values = [images(*(mean + it for it in off)) for mean in (0.60, 0.70)]
    values += [images(*(mean - it for it in off)) for mean in (0.80, 0.90)]
    uneven = main_effects(choices(size=SIZE), values, [1] * 4, balanced=False).iloc[0]
    # Images differ by 0.02 to both sides of -0.2; the jobs of each value have a standard error of 0.05.
    parts = [(0.02 / math.sqrt(5), 5), (0.05, 1), (0.05, 1)]
    error = math.sqrt(sum(one**2 for one, _ in parts))
    degrees = error**4 / sum(one**4 / number for one, number in parts)
    half = scipy.stats.t.ppf(0.975, degrees) * error
    assert difference(uneven) == pytest.approx((-0.2, -0.2 - half, -0.2 + half))


def test_the_interval_over_few_jobs_is_as_wide_as_their_standard_error():
    # SD 0.0762, standard error 0.0341; of the images next to none.
    values = [images(*[v - 1e-5, v + 1e-5] * 3) for v in (0.60, 0.66, 0.70, 0.74, 0.80)]
    placed = standings([mean_over_runs(values)], [True])
    (standing,) = with_chance_of_jobs(placed, [values])
    assert (standing.high - standing.low) / 2 == pytest.approx(2.7764 * 0.0341, rel=5e-3)  # 4 degrees of freedom
    (bounded,) = with_chance_of_jobs(placed, [values], bounds=(0.65, 0.75))
    assert (bounded.low, bounded.high) == (0.65, 0.75)


def test_the_best_value_is_none_whose_mean_is_not_known():
    off = (-0.01, 0.01) * 3
    values = [images(0.9, *[math.nan] * 5)] * 2
    values += [images(*(v + it for it in off)) for v in (0.70, 0.80)]
    values += [images(*(v - it for it in off)) for v in (0.60, 0.62)]
    effects = main_effects(choices(size=["4", "4", "8", "8", "16", "16"]), values, [1] * 6, balanced=False)
    unknown, best, worst = effects.to_dict("records")
    assert math.isnan(unknown["mean"]) and best["rank"] == 1 and math.isnan(best["difference"])
    assert worst["difference_low"] < worst["difference"] < worst["difference_high"]


def test_a_difference_without_p_has_no_corrected_p_either():
    values = [images(*(m + n * m / 100 for n in range(6))) for m in (0.5, 0.52, 0.7, 0.72)]
    for balanced in (True, False):
        effect = main_effects(choices(size=SIZE), values, [1] * 4, balanced).iloc[0]
        assert [math.isnan(effect[p]) for p in ("p", "p_corrected")] == [not balanced] * 2


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
    rising = [images(*[0.1 * n, 0.1 * n + 0.05] * 3) for n in range(9)]
    numbers = pd.Series([float(n * n) for n in range(9)])
    assert spearman(numbers, rising)[0] == pytest.approx(1)
    assert spearman(numbers, rising[::-1]) == pytest.approx((-1, -1, -1))


def test_a_correlation_by_chance_has_a_wide_interval():
    # Ranks of the means: 4 1 3 5 2 of 1 2 3 4 5; squared differences 9 1 0 1 9: 1 - 6 * 20 / (5 * 24) = 0. Five are too
    # few for an interval; each twice, of another image too, they are ten.
    values = [images(*[v] * 6) for v in (0.4, 0.1, 0.3, 0.5, 0.2)]
    rho, low, high = spearman(pd.Series(range(5)), values)
    assert rho == pytest.approx(0, abs=1e-12)
    assert math.isnan(low) and math.isnan(high)
    _, low, high = spearman(pd.Series([*range(5)] * 2), values * 2)
    assert low < -0.5 and high > 0.5


def test_a_correlation_over_few_images_or_groups_has_no_interval():
    rising = [images(*(0.1 * n + image / 100 for image in range(6))) for n in range(9)]
    numbers = pd.Series(range(9))
    assert math.isnan(spearman(numbers, [dict([*one.items()][:5]) for one in rising])[1])
    assert math.isnan(spearman(numbers, rising, dict(zip(rising[0], "aabbcd", strict=True)))[1])
    assert spearman(numbers, rising, {image: image for image in rising[0]}) == pytest.approx((1, 1, 1))


def test_numbers_that_were_searched_have_a_correlation_beside_each_third():
    numbers = [str(n / 7) for n in range(9)]
    effects = main_effects(choices(lr=numbers), [images(n, n) for n in range(9)], [1] * 9, balanced=False)
    assert list(effects["rho"]) == pytest.approx([1, 1, 1])
    assert list(effects["mean"]) == [1, 4, 7]


def test_entries_that_are_all_alike_have_no_correlation():
    assert math.isnan(spearman(pd.Series([1.0, 2.0, 3.0]), [images(0.5, 0.6)] * 3)[0])
    assert math.isnan(spearman(pd.Series([1.0, 2.0]), [images(0.5, math.nan)] * 2)[0])


def test_jobs_without_an_image_in_common_have_means_and_no_intervals():
    values = [{"01": 0.9}, {"02": 0.8}]
    effects = main_effects(choices(size=["8", "16"]), values, [1, 1], balanced=False)
    assert list(effects["mean"]) == [0.9, 0.8]
    assert effects[["low", "high", "difference"]].isna().all(axis=None)
