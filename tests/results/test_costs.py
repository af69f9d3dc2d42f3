import math

from unet_lightning.results.leaderboard.costs import MEMORY, TIME, pareto_front
from unet_lightning.results.leaderboard.entries import Entry, Run


def test_the_front_holds_what_no_other_beats_in_both():
    # 1 is cheapest; 3 costs more and is better; 0 is dearer than 3 and no better; 2 is best; 4 is as dear as 1, worse.
    assert pareto_front([30, 10, 40, 20, 10], [0.81, 0.80, 0.83, 0.81, 0.79]) == [1, 3, 2]


def test_what_is_equal_in_both_is_on_the_front_together():
    assert pareto_front([10, 10, 20], [0.8, 0.8, 0.8]) == [0, 1]


def test_what_has_no_cost_or_no_figure_is_on_no_front():
    assert pareto_front([math.nan, 10, 20], [0.9, 0.8, math.nan]) == [1]
    assert pareto_front([], []) == []


def test_low_is_good_for_errors():
    assert pareto_front([10, 20, 30], [0.2, 0.3, 0.1], lower_is_better=True) == [0, 2]


def test_seeds_cost_their_mean_of_time_and_their_greatest_memory():
    known = [Run("0", {}, None, None, 10.0, 500.0), Run("1", {}, None, None, 30.0, 700.0), Run("2", {}, None)]
    entry = Entry("0,1,2", "model", {}, {}, known)
    assert (TIME.of(entry), MEMORY.of(entry)) == (20.0, 700.0)
    assert math.isnan(TIME.of(Entry("2", "model", {}, {}, known[2:])))
    assert math.isnan(MEMORY.of(Entry("2", "model", {}, {}, known[2:])))
