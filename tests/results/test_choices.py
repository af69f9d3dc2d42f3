import pandas as pd
import pytest

from unet_lightning.results.leaderboard.choices import (
    LONGEST,
    MANY,
    NOT_THE_METHOD,
    brief,
    find_choices,
    is_balanced,
    levels,
    method_of,
    searched,
    settings_of,
)


def found(*configs, overrides=None):
    table = find_choices(configs, overrides or [None] * len(configs))
    return {name: dict(table[name].dropna()) for name in table}


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
    table = find_choices(configs, [None] * len(configs))
    assert [(name, searched(table[name])) for name in table] == [("lr", True), ("decay", True)]
    fewer = find_choices(configs[:-1], [None] * MANY)
    assert list(fewer) == ["lr, decay"] and not searched(fewer["lr, decay"])


def test_an_argument_concerns_only_the_entries_that_have_a_place_for_it():
    sgd = [{"optimizer": {"_target_": "t.SGD", "momentum": m}} for m in (0.0, 0.9)]
    assert found(*sgd, {"optimizer": {"_target_": "t.Adam"}}) == {
        "optimizer": {0: "SGD", 1: "SGD", 2: "Adam"},
        "optimizer.momentum": {0: "0.0", 1: "0.9"},
    }


def values(*texts):
    """The column of a choice."""
    return pd.Series(texts, dtype=object)


def test_numbers_ascend_and_words_are_in_the_order_of_their_names():
    assert list(levels(values("16", "8", "1e-3", None))) == ["1e-3", "8", "16"]
    assert list(levels(values("b", "A", "b"))) == ["A", "b"]
    assert list(levels(values("auto", "8", "16"))) == ["16", "8", "auto"]
    assert list(levels(values("true", "1"))) == ["1", "true"]
    assert list(levels(values("2", "1" + "0" * 400))) == ["1" + "0" * 400, "2"]  # too large for a number


def test_a_long_value_is_short_unless_another_would_look_the_same():
    ends = [f"{name}/{'x' * 30}" for name in "ab"]
    assert levels(values(ends[0], "b"))[ends[0]] == brief(ends[0]) != ends[0]
    assert levels(values(*ends))[ends[0]] == ends[0]
    assert brief("0.0012345678") == "0.001235"


def choices(**columns):
    return pd.DataFrame({name: values(*texts) for name, texts in columns.items()})


def test_a_full_grid_is_balanced_also_with_more_jobs_of_one_value():
    assert is_balanced(choices(a="1122", b="1212"))
    assert is_balanced(choices(a="111122", b="121212"))
    assert is_balanced(choices(a="122"))


def test_a_grid_with_a_missing_job_a_choice_of_some_and_a_search_are_not_balanced():
    assert not is_balanced(choices(a="112", b="121"))
    assert not is_balanced(choices(a="112", b=["1", "2", None]))
    assert not is_balanced(choices(a="123456789", b="121212121"))


def test_a_search_of_one_number_is_no_full_grid_and_a_list_of_numbers_is():
    numbers = [str(n) for n in range(MANY + 1)]
    assert not is_balanced(choices(a=numbers))
    assert is_balanced(choices(a=numbers[:-1]))


CE = {"_target_": "losses.CrossEntropyLoss", "class_weights": None}
DICE = {"_target_": "losses.DiceLoss"}
BOTH = {"_target_": "losses.WeightedSum", "terms": {"cross_entropy": CE, "dice": DICE}, "weights": {"dice": 1.0}}


def test_the_method_is_the_config_without_chance_place_and_machine():
    config = {
        "name": "a",
        "seed": 3,
        "model": {"base_c": 8, "seed": 1},
        "data": {"seed": 3, "fold": 2, "folds": 5, "root": "/x"},
        "trainer": {"accelerator": "gpu", "devices": 2},
        "logger": {"csv": {}},
    }
    assert method_of(config) == {"model": {"base_c": 8, "seed": 1}, "data": {"folds": 5}, "trainer": {"devices": 2}}


def test_every_name_that_is_left_out_is_a_key_of_the_training_config():
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from unet_lightning.program import CONF

    with initialize_config_dir(CONF, version_base="1.3"):
        config = OmegaConf.to_container(compose("train"))
    earlier = {"trainer.default_root_dir"}  # in the folders of earlier versions, which stay readable
    for name in {*NOT_THE_METHOD} - earlier:
        section = config
        for part in name.split("."):
            assert part in section, name
            section = section[part]


def test_differing_values_are_named_and_equal_ones_are_not():
    configs = [{"model": {"base_c": c, "bilinear": True}, "lr": 0.1} for c in (8, 16)]
    assert settings_of(configs) == [["model.base_c=8"], ["model.base_c=16"]]


def test_one_config_and_equal_configs_have_no_settings_of():
    assert settings_of([{"a": 1}]) == [[]]
    assert settings_of([{"a": {"b": [1]}}, {"a": {"b": [1]}}]) == [[], []]
    assert settings_of([]) == []


def test_classes_are_named_and_their_arguments_compared_among_themselves():
    configs = [{"optimizer": {"_target_": f"torch.optim.{name}", "lr": lr, **extra}} for name, lr, extra in (
        ("SGD", 0.1, {"momentum": 0.9}),
        ("SGD", 0.2, {"momentum": 0.9}),
        ("AdamW", 0.3, {}),
    )]  # fmt: skip
    assert settings_of(configs) == [
        ["optimizer=SGD", "optimizer.lr=0.1"],
        ["optimizer=SGD", "optimizer.lr=0.2"],
        ["optimizer=AdamW"],
    ]


def test_a_weighted_sum_is_called_by_its_terms():
    assert settings_of([{"loss": BOTH}, {"loss": CE}]) == [["loss=cross_entropy+dice"], ["loss=CrossEntropyLoss"]]
    heavier = BOTH | {"weights": {"dice": 2.0}}
    assert settings_of([{"loss": BOTH}, {"loss": heavier}]) == [["loss.weights.dice=1.0"], ["loss.weights.dice=2.0"]]


def test_null_and_a_missing_key_are_the_same_and_are_not_named():
    configs = [{"clip": None, "callbacks": {}}, {"clip": 1.0, "callbacks": {"average": {"_target_": "a.Average"}}}]
    assert settings_of(configs) == [[], ["clip=1.0", "callbacks.average=Average"]]
    assert settings_of([{"a": None}, {}]) == [[], []]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        ([1, 2], "[1,2]"),
        ("auto", "auto"),
        ({"mean": [0.1], "std": [0.2]}, "mean+std"),
        ("/long" * 20 + "/tutorial.pth", "…ng/long/long/long/tutorial.pth"),
    ],
)
def test_a_value_is_shown_as_in_a_config_and_short(value, shown):
    ((label,), _) = settings_of([{"x": value}, {"x": 0}])
    assert label.startswith("x=")
    assert label.endswith(shown.removeprefix("…"))
    assert len(label) <= LONGEST + 2
