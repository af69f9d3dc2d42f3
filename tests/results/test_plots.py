import itertools
import math

import matplotlib
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from unet_lightning.results.html import HUMAN_COLOUR, INK, MODEL_COLOUR, STYLE
from unet_lightning.results.leaderboard.board import Leaderboard
from unet_lightning.results.leaderboard.effects import main_effects
from unet_lightning.results.leaderboard.plots import cost_plot, draw, forest, parallel_coordinates

MEANS = [0.84, 0.82, 0.81, 0.80]


def make_board(means=MEANS, kinds=("model",) * 4, choices=(), seconds=(math.nan,) * 4):
    """A board whose intervals reach 0.01 to either side."""
    numbers = [None if kind != "model" else 1 + kinds[:place].count("model") for place, kind in enumerate(kinds)]
    lines = pd.DataFrame(
        {"kind": kinds, "rank": pd.array(numbers, dtype="Int64"), "entry": list("abcdefghij")[: len(kinds)]}
    )
    lines["dice_per_image"], lines["seconds"], lines["peak_memory_mb"] = means, seconds, math.nan
    lines["dice_low"], lines["dice_high"] = lines["dice_per_image"] - 0.01, lines["dice_per_image"] + 0.01
    ranked = lines.index[lines["rank"].notna()]
    table = pd.DataFrame(dict(choices), index=range(len(ranked)), dtype=object)
    effects = main_effects(table, [{"01": means[place]} for place in ranked], [1] * len(ranked))
    return Leaderboard("dice", "drive test", lines, [], [], "", table.set_axis(ranked), effects, True, pd.DataFrame())


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(STYLE):
        yield


def test_a_forest_shows_each_mean_with_its_interval_from_the_best_down():
    (axes,) = forest(make_board(kinds=("model", "human", "model", "leak"))).axes
    marks = {to_hex(line.get_color()): line.get_xydata().tolist() for line in axes.lines}
    assert marks[MODEL_COLOUR] == [[0.84, 0], [0.81, 2]]
    assert marks[INK] == [[0.80, 3]]
    ends = [segment.tolist() for lines in axes.collections for segment in lines.get_segments()]
    assert sorted(end for (one, _), (other, _) in ends for end in (one, other)) == pytest.approx(
        sorted(mean + shift for mean in MEANS for shift in (-0.01, 0.01))
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1. a", "b", "2. c", "d"]
    assert axes.yaxis_inverted()


def test_the_second_observers_mean_is_a_dashed_line():
    dashed = [
        line.get_xdata()
        for line in forest(make_board(kinds=("model", "human", "model", "model"))).axes[0].lines
        if line.get_linestyle() == "--"
    ]
    assert dashed == [[0.82, 0.82]]
    assert not any(line.get_linestyle() == "--" for line in forest(make_board()).axes[0].lines)


def test_what_has_no_figure_is_not_drawn():
    assert draw(make_board(means=[math.nan] * 4)) == {}


def drawn(figure):
    """The points of each entry's line, worst first, and its width."""
    return [(line.get_ydata(), line.get_linewidth()) for line in figure.axes[0].lines]


def test_lines_of_entries_with_one_value_meet_and_end_in_the_order_of_their_figures():
    figure = parallel_coordinates(make_board(choices={"size": ["16", "16", "8", "8"], "flip": ["1", "0", "1", "0"]}))
    lines = [heights for heights, _ in drawn(figure)]
    # The choice with the largest effect stands beside the figure.
    assert [axis.get_yticklabels()[0].get_text() for axis in figure.axes[1:3]] == ["0", "8"]
    assert [heights[1] for heights in lines] == [0.25, 0.25, 0.75, 0.75]
    assert [heights[2] for heights in lines] == sorted(heights[2] for heights in lines)
    assert [width for _, width in drawn(figure)] == [1.2, 1.2, 1.2, 3]


def test_an_entry_that_a_choice_does_not_concern_is_lowest():
    figure = parallel_coordinates(make_board(choices={"momentum": ["0.9", None, "0.0", "0.9"]}))
    assert [heights[0] for heights, _ in drawn(figure)] == [0.75, 0.25, 0, 0.75]
    assert "-" in [text.get_text() for text in figure.axes[0].texts]


def test_numbers_over_several_orders_of_magnitude_are_logarithmic():
    kinds, means = ("model",) * 10, [0.9 - n / 100 for n in range(10)]
    rates = [str(10.0**-n) for n in range(10)]
    board = make_board(means, kinds, {"rate": rates}, [1.0] * 10)
    heights = [heights[0] for heights, _ in drawn(parallel_coordinates(board))]
    steps = [other - one for one, other in itertools.pairwise(heights)]
    assert steps == pytest.approx([steps[0]] * 9)
    assert steps[0] > 0


def test_an_entry_that_a_search_does_not_concern_is_lowest():
    momenta = [f"0.{n}" for n in range(1, 10)]
    board = make_board([0.9 - n / 100 for n in range(10)], ("model",) * 10, {"momentum": [*momenta, None]}, [1.0] * 10)
    heights = [heights[0] for heights, _ in drawn(parallel_coordinates(board))]
    assert heights == [0, *sorted(heights[1:], reverse=True)]
    assert heights[-1] > 0


def test_the_front_of_a_cost_is_a_line_of_stairs_with_ranks():
    board = make_board(kinds=("model", "human", "model", "model"), seconds=[30.0, math.nan, 10.0, 20.0])
    axes, empty = cost_plot(board).axes
    (other,) = [line for line in axes.lines if to_hex(line.get_color()) == INK and line.get_marker() == "o"]
    assert other.get_xydata().tolist() == [[20, 0.80]]
    (stairs,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert stairs.get_xydata().tolist()[:2] == [[10, 0.81], [30, 0.84]]
    assert [text.get_text() for text in axes.texts] == ["2", "1"]
    (human,) = [line for line in axes.lines if to_hex(line.get_color()) == HUMAN_COLOUR]
    assert human.get_ydata() == [0.82, 0.82]
    assert axes.get_visible() and not empty.get_visible()


def test_a_cost_of_one_entry_is_not_drawn():
    assert cost_plot(make_board(seconds=[10.0, math.nan, math.nan, math.nan])) is None


def test_the_same_board_gives_the_same_page():
    board = make_board(choices={"size": ["8", "16", "8", "16"]}, seconds=[1.0, 2.0, 3.0, 4.0])
    assert draw(board) == draw(board)
    assert list(draw(board)) == ["forest", "parallel", "cost"]


def test_names_in_any_script_are_text():
    board = make_board(choices={"größe": ["眼", "c$x^2$", "眼", "b"]})
    board.lines["entry"] = ["眼科/0", "<b>&x", "$a_b$", "x"]
    svg = draw(board)
    assert all(text in svg["forest"] for text in ("眼科/0", "&lt;b&gt;&amp;x", "$a_b$"))
    assert all(f">{text}</text>" in svg["parallel"] for text in ("眼", "c$x^2$", "größe"))
