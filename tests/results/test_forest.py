import math

import pytest

from unet_lightning.results.leaderboard.forest import make_axis


def test_places_are_percent_of_the_axis_in_the_order_of_the_values():
    axis = make_axis([0.78, 0.80, 0.84])
    places = [axis.place(value) for value in (0.78, 0.80, 0.84)]
    # 6 % of the range at either end: the width is 0.06 * 1.12.
    assert places == pytest.approx([100 * 0.06 / 1.12, 100 * (0.06 + 1 / 3) / 1.12, 100 * 1.06 / 1.12], abs=0.01)
    assert axis.place(math.nan) is None


def test_ticks_are_round_and_on_the_axis():
    labels = make_axis([0.79, math.nan, 0.84]).labels
    assert [text for _, text in labels] == ["0.8", "0.82", "0.84"]
    assert all(0 <= place <= 100 for place, _ in labels)


@pytest.mark.parametrize("values", [[0.8], [0.8, 0.8, math.nan]])
def test_a_single_value_stands_in_the_middle(values):
    assert make_axis(values).place(0.8) == pytest.approx(50)


def test_without_a_value_there_is_no_axis():
    assert make_axis([math.nan]) is None
    assert make_axis([]) is None
