import pytest

from unet_lightning.results.leaderboard.choices import MANY, Choice, brief, find_choices, is_balanced
from unet_lightning.results.leaderboard.entries import Entry, Run


def entries(*configs, overrides=None):
    """An entry a config, each of one run."""
    lines = overrides or [None] * len(configs)
    return [
        Entry(str(n), "model", {}, {}, [Run(str(n), config, None, line)])
        for n, (config, line) in enumerate(zip(configs, lines, strict=True))
    ]


def found(*configs, overrides=None):
    return {choice.name: dict(choice.values) for choice in find_choices(entries(*configs, overrides=overrides))}


def test_choices_are_what_configs_differ_in_nested_or_listed_or_true_and_false():
    configs = [{"seed": n, "a": {"b": b}, "list": [1, n % 2], "same": 3} for n, b in enumerate((True, True, False))]
    assert found(*configs) == {
        "a.b": {0: "true", 1: "true", 2: "false"},
        "list": {0: "[1,0]", 1: "[1,1]", 2: "[1,0]"},
    }


def test_one_entry_and_entries_of_other_seeds_have_no_choices():
    assert found({"a": 1}) == {}
    assert found({"a": 1, "seed": 0}, {"a": 1, "seed": 1}) == {}


def test_choices_have_the_names_of_the_command_line_where_it_says_all():
    configs = [{"loss": {"_target_": f"x.{name}", name: 1}} for name in ("Dice", "CrossEntropy")]
    lines = [["loss=dice", "seed=0"], ["+loss=ce", "seed=1"]]
    assert found(*configs, overrides=lines) == {"loss": {0: "dice", 1: "ce"}}


@pytest.mark.parametrize("lines", [None, [["seed=0"], ["seed=1"]], [["a=1"], ["b=1"]], [["a=1"], None]])
def test_a_command_line_that_does_not_say_all_gives_way_to_the_configs(lines):
    assert found({"a": 1}, {"a": 2}, overrides=lines) == {"a": {0: "1", 1: "2"}}


def test_choices_that_always_changed_together_are_one():
    configs = [{"size": s, "lr": s / 10, "flip": f} for s, f in ((8, 0), (16, 0), (8, 1), (16, 1))]
    assert found(*configs) == {
        "size, lr": {0: "8, 0.8", 1: "16, 1.6", 2: "8, 0.8", 3: "16, 1.6"},
        "flip": {0: "0", 1: "0", 2: "1", 3: "1"},
    }


def test_numbers_that_were_searched_stay_apart_though_every_job_has_its_own():
    configs = [{"lr": n / 7, "decay": n * n / 3} for n in range(1, MANY + 2)]
    choices = find_choices(entries(*configs))
    assert [(choice.name, choice.searched) for choice in choices] == [("lr", True), ("decay", True)]
    assert not any(choice.searched for choice in find_choices(entries(*configs[:-1])))


def test_an_argument_concerns_only_the_entries_that_have_a_place_for_it():
    sgd = [{"optimizer": {"_target_": "t.SGD", "momentum": m}} for m in (0.0, 0.9)]
    assert found(*sgd, {"optimizer": {"_target_": "t.Adam"}}) == {
        "optimizer": {0: "SGD", 1: "SGD", 2: "Adam"},
        "optimizer.momentum": {0: "0.0", 1: "0.9"},
    }


def test_numbers_ascend_and_words_are_in_the_order_of_their_names():
    assert Choice("a", {0: "16", 1: "8", 2: "1e-3"}).levels == ["1e-3", "8", "16"]
    assert Choice("a", {0: "b", 1: "A", 2: "b"}).levels == ["A", "b"]
    assert Choice("a", {0: "auto", 1: "8"}).numbers is None
    assert Choice("a", {0: "true", 1: "1"}).numbers is None


def test_a_long_value_is_short_unless_another_would_look_the_same():
    ends = [f"{name}/{'x' * 30}" for name in "ab"]
    assert Choice("a", {0: ends[0], 1: "b"}).shown(ends[0]) == brief(ends[0]) != ends[0]
    assert Choice("a", dict(enumerate(ends))).shown(ends[0]) == ends[0]
    assert brief("0.0012345678") == "0.001235"


def choice(name, *values):
    return Choice(name, {place: value for place, value in enumerate(values) if value is not None})


def test_a_full_grid_is_balanced_also_with_more_jobs_of_one_value():
    assert is_balanced([choice("a", "1", "1", "2", "2"), choice("b", "1", "2", "1", "2")], 4)
    assert is_balanced([choice("a", "1", "1", "1", "1", "2", "2"), choice("b", "1", "2", "1", "2", "1", "2")], 6)
    assert is_balanced([choice("a", "1", "2", "2")], 3)


def test_a_grid_with_a_missing_job_a_choice_of_some_and_a_search_are_not_balanced():
    assert not is_balanced([choice("a", "1", "1", "2"), choice("b", "1", "2", "1")], 3)
    assert not is_balanced([choice("a", "1", "1", "2"), choice("b", "1", "2", None)], 3)
    numbers = [str(n) for n in range(MANY + 1)]
    assert not is_balanced([choice("a", *numbers), choice("b", *"121212121")], MANY + 1)


def test_a_search_of_one_number_is_no_full_grid_and_a_list_of_numbers_is():
    numbers = [str(n) for n in range(MANY + 1)]
    assert not is_balanced([choice("a", *numbers)], MANY + 1)
    assert is_balanced([choice("a", *numbers[:-1])], MANY)
