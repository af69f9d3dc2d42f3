import pytest

from unet_lightning.results.leaderboard.settings import LONGEST, NOT_THE_METHOD, common, differences, method

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
    assert method(config) == {"model": {"base_c": 8, "seed": 1}, "data": {"folds": 5}, "trainer": {"devices": 2}}


def test_every_name_that_is_left_out_is_a_key_of_the_training_config():
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from unet_lightning.program import CONF

    with initialize_config_dir(CONF, version_base="1.3"):
        config = OmegaConf.to_container(compose("train"))
    for name in NOT_THE_METHOD:
        section = config
        for part in name.split("."):
            assert part in section, name
            section = section[part]


def test_differing_values_are_named_and_equal_ones_are_not():
    configs = [{"model": {"base_c": c, "bilinear": True}, "lr": 0.1} for c in (8, 16)]
    assert differences(configs) == [["model.base_c=8"], ["model.base_c=16"]]


def test_one_config_and_equal_configs_have_no_differences():
    assert differences([{"a": 1}]) == [[]]
    assert differences([{"a": {"b": [1]}}, {"a": {"b": [1]}}]) == [[], []]
    assert differences([]) == []


def test_classes_are_named_and_their_arguments_compared_among_themselves():
    configs = [{"optimizer": {"_target_": f"torch.optim.{name}", "lr": lr, **extra}} for name, lr, extra in (
        ("SGD", 0.1, {"momentum": 0.9}),
        ("SGD", 0.2, {"momentum": 0.9}),
        ("AdamW", 0.3, {}),
    )]  # fmt: skip
    assert differences(configs) == [
        ["optimizer=SGD", "optimizer.lr=0.1"],
        ["optimizer=SGD", "optimizer.lr=0.2"],
        ["optimizer=AdamW"],
    ]


def test_a_weighted_sum_is_called_by_its_terms():
    assert differences([{"loss": BOTH}, {"loss": CE}]) == [["loss=cross_entropy+dice"], ["loss=CrossEntropyLoss"]]
    heavier = BOTH | {"weights": {"dice": 2.0}}
    assert differences([{"loss": BOTH}, {"loss": heavier}]) == [["loss.weights.dice=1.0"], ["loss.weights.dice=2.0"]]


def test_null_and_a_missing_key_are_the_same_and_are_not_named():
    configs = [{"clip": None, "callbacks": {}}, {"clip": 1.0, "callbacks": {"average": {"_target_": "a.Average"}}}]
    assert differences(configs) == [[], ["clip=1.0", "callbacks.average=Average"]]
    assert differences([{"a": None}, {}]) == [[], []]


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
    ((label,), _) = differences([{"x": value}, {"x": 0}])
    assert label.startswith("x=")
    assert label.endswith(shown.removeprefix("…"))
    assert len(label) <= LONGEST + 2


def test_an_ensemble_has_what_its_configs_have_in_common():
    configs = [{"data": {"fold": k, "folds": 2}, "seed": 0, "lr": [1]} for k in (0, 1)]
    assert common(configs) == {"data": {"folds": 2}, "seed": 0, "lr": [1]}
    assert common([]) == {}
