import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from evaluation_folders import PROTOCOL, protocol_of

from unet_lightning.errors import ConfigError
from unet_lightning.results.leaderboard.board import make_leaderboard
from unet_lightning.results.leaderboard.entries import Entry, Run
from unet_lightning.results.stored import SECOND, StoredEvaluation

STAMP = {
    "dataset": "drive",
    "split": "test",
    "reference": "first observer",
    "region": "whole image",
    "resolution": "the photographs' own",
    "networks": [],
    "unknown_training": [],
    "images": 2,
}


def images(*values):
    return {f"{number:02}": value for number, value in enumerate(values, start=1)}


def entry(name, leak=(), seeds=(0,), pooled=(("dice", 0.5),), protocol=(), **figures):
    """An entry of one or several seeds with the same figures."""
    table = pd.DataFrame(figures)
    evaluation = StoredEvaluation(
        Path("drive-test"), protocol_of(PROTOCOL | STAMP | {"leak": leak} | dict(protocol)), {"model": table}, {}
    )
    runs = [Run(f"{name}{seed}", {"seed": seed}, evaluation) for seed in seeds]
    return Entry(name, "model", figures, dict(pooled), runs, leak=leak)


def human(**figures):
    return Entry(SECOND, SECOND, figures, {})


LOW, MIDDLE, HIGH = images(0.7, 0.72), images(0.8, 0.81), images(0.9, 0.88)


def names(board):
    return [
        (None if pd.isna(rank) else rank, entry)
        for rank, entry in zip(board.lines["rank"], board.lines["entry"], strict=True)
    ]


def test_the_second_observer_stands_among_the_models_and_leaks_behind_all():
    entries = [entry("c", dice=LOW), entry("leaky", leak=["01"], dice=HIGH), entry("a", dice=HIGH), human(dice=MIDDLE)]
    board = make_leaderboard(entries, "dice")
    assert names(board) == [(1, "a"), (None, "second observer"), (2, "c"), (None, "leaky")]
    assert list(board.lines["kind"]) == ["model", "human", "model", "leak"]
    assert board.human_mean == pytest.approx(0.805)
    assert math.isnan(make_leaderboard(entries[:3], "dice").human_mean)


def test_a_leak_is_shown_and_not_compared():
    board = make_leaderboard([entry("a", dice=LOW), entry("leaky", leak=["02"], dice=HIGH)], "dice")
    leaky = board.lines.iloc[-1]
    assert leaky["dice_per_image"] == pytest.approx(0.89)
    assert math.isnan(leaky["difference"]) and math.isnan(leaky["p_corrected"])
    assert "LEAK, without rank or comparison: trained or selected on 02: leaky." in board.notes


def test_where_all_leaked_the_best_stands_first_without_rank():
    board = make_leaderboard([entry("b", leak=["01"], dice=LOW), entry("a", leak=["01"], dice=HIGH)], "dice")
    assert names(board) == [(None, "a"), (None, "b")]
    assert "LEAK, without rank or comparison: trained or selected on 01: a, b." in board.notes


@pytest.mark.parametrize("figure", ["ece", "brier", "component_error"])
def test_low_is_good_for_errors(figure):
    board = make_leaderboard([entry("a", **{figure: HIGH}), entry("b", **{figure: LOW})], figure)
    assert names(board) == [(1, "b"), (2, "a")]
    assert "lowest first" in board.notes[1]


def test_a_figure_that_the_second_observer_lacks_puts_them_behind_the_models():
    board = make_leaderboard([entry("a", dice=LOW, auroc=LOW), human(dice=HIGH)], "auroc")
    assert names(board) == [(1, "a"), (None, "second observer")]
    assert math.isnan(board.human_mean)


def test_images_without_thin_vessels_do_not_count_for_them():
    thin = images(0.6, math.nan, 0.8)
    board = make_leaderboard([entry("a", sensitivity_thin=thin)], "sensitivity_thin")
    assert board.lines["sensitivity_thin_per_image"][0] == pytest.approx(0.7)
    # Any other figure has a value on every image, or none.
    assert math.isnan(make_leaderboard([entry("a", dice=thin)], "dice").lines["dice_per_image"][0])


def test_the_spread_is_that_of_the_seeds():
    board = make_leaderboard([entry("a", seeds=(0, 1), dice=LOW), entry("b", dice=LOW)], "dice")
    assert list(board.lines["spread"]) == pytest.approx([0.0, math.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("protocols", "said"),
    [
        ([{"split": "val"}] * 2, "What is chosen by these figures was favoured by the chance of these images."),
        ([{"watched": ["01"]}], "What is chosen by these figures was favoured by the chance of these images."),
        ([{"split": "val"}], ""),  # nothing is chosen, and these images chose nothing
        ([{}] * 2, ""),
    ],
)
def test_what_is_ranked_on_validation_images_is_for_choosing(protocols, said):
    entries = [entry(f"{n}", dice=LOW, protocol=protocol) for n, protocol in enumerate(protocols)]
    lead = make_leaderboard(entries, "dice").lead
    assert bool(lead) == bool(said) and said in lead


def test_an_unknown_figure_is_refused_with_those_that_all_have():
    entries = [entry("a", dice=LOW, iou=LOW, auroc=LOW), entry("b", dice=LOW, iou=LOW)]
    with pytest.raises(ConfigError, match=r"--figure auroc is not measured in b\. All have: dice, iou\."):
        make_leaderboard(entries, "auroc")
    with pytest.raises(ConfigError, match=r"--figure dise is not measured in a, b\."):
        make_leaderboard(entries, "dise")


def test_the_notes_say_what_was_measured_how_and_with_what():
    made = {"versions": {"torch": "2.15"}, "commit": "0123456789abcdef-dirty"}
    other = {"versions": {"torch": "2.14"}, "commit": None}
    entries = [entry("a", dice=HIGH, protocol=made), entry("b", dice=LOW, protocol=other), human(dice=MIDDLE)]
    board = make_leaderboard(entries, "dice", notes=["Also this."])
    text = " ".join(board.notes)
    assert "drive test: 2 images, against the first observer, region: whole image, resolution: the photo" in text
    assert "highest first" in text
    assert "Intervals: 95 %, Student's t over images, with Hall's correction of skewness; none below 6 images." in text
    assert "of the same method, is below 0.05; both are corrected (Bonferroni) for 3 pairs, of which any could" in text
    assert "Evaluated by torch 2.15 and 2.14; commit 0123456789ab-dirty, unknown." in text
    assert board.notes[-1] == "Also this."
    assert board.title == "drive test"
    assert make_leaderboard(entries, "dice", "vein").title == "drive test, vein"


def test_nothing_is_said_of_tests_where_none_was_made():
    assert "p, of the same method" not in " ".join(make_leaderboard([entry("a", dice=LOW)], "dice").notes)


def test_intervals_are_by_group_where_images_have_groups():
    values = images(0.70, 0.72, 0.80, 0.83, 0.75, 0.79, 0.81, 0.86)

    def board(groups):
        content = {one: {"photograph": "0", "group": group} for one, group in zip(values, groups, strict=True)}
        return make_leaderboard([entry("a", dice=values, protocol={"content": content})], "dice")

    alone, six, four = (board(groups).lines.iloc[0] for groups in ("abcdefgh", "aabbcdef", "aabbccdd"))
    assert alone["dice_low"] == make_leaderboard([entry("a", dice=values)], "dice").lines.iloc[0]["dice_low"]
    assert six["dice_low"] < alone["dice_low"] < alone["dice_per_image"]
    assert "by group; none below 6 groups of images" in " ".join(board("aabbcdef").notes)
    assert math.isnan(four["dice_low"])


def test_seeds_cost_their_mean_of_time_and_their_greatest_memory():
    entries = [entry("a", seeds=(0, 1, 2), dice=HIGH), entry("b", dice=LOW)]
    costs = [(10.0, 500.0), (30.0, 700.0), (math.nan, math.nan)]
    runs = [replace(run, seconds=s, peak_memory_mb=m) for run, (s, m) in zip(entries[0].runs, costs, strict=True)]
    board = make_leaderboard([replace(entries[0], runs=runs), entries[1]], "dice")
    first, second = board.lines.to_dict("records")
    assert (first["seconds"], first["peak_memory_mb"]) == (20, 700)
    assert math.isnan(second["seconds"]) and math.isnan(second["peak_memory_mb"])
    assert list(board.front("seconds")["entry"]) == ["a"]
