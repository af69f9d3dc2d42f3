import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from unet_lightning.errors import ConfigError
from unet_lightning.sweeps.search.space import parse


def only(argument):
    space = parse([argument], {})
    assert list(space.swept) == [argument.partition("=")[0]]
    return next(iter(space.swept.values()))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a=8,16", CategoricalDistribution([8, 16])),
        ("a=choice(8)", CategoricalDistribution([8])),
        ("a=true,null,x,'q r'", CategoricalDistribution([True, "null", "x", "'q r'"])),
        ("a=[1,2],[3]", CategoricalDistribution(["[1,2]", "[3]"])),
        ("a=8,16,8", CategoricalDistribution([8, 16])),
        ("+a=1,2", CategoricalDistribution([1, 2])),
        ("a=range(2,10)", IntDistribution(2, 9)),
        ("a=range(10,2,-3)", IntDistribution(4, 10, step=3)),
        ("a=range(1,65)", IntDistribution(1, 64)),
        ("a=tag(log,range(1,65))", IntDistribution(1, 64, log=True)),
        ("a=range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("a=interval(0,1)", FloatDistribution(0, 1)),
        ("a=int(interval(1,5))", IntDistribution(1, 5)),
        ("a=tag(log, interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
    ],
)
def test_hydras_syntax_is_optunas_distribution(written, meant):
    assert only(written) == meant


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a=tag(log,interval(0,1))", "no space to search"),
        ("a=tag(log,choice(8,16))", "has no scale"),
        ("a=tag(wide,interval(0,1))", "no tag but log"),
        ("a=tag(log,range(0.1,1,0.1))", "no steps"),
        ("a=interval(2,1)", "no space to search"),
        ("a=range(3,3)", "empty"),
        ("a=range(3,5,-1)", "empty"),
        ("a=range(3,5,0)", "empty"),
        ("sweep.n_trials=5,10", "cannot be searched itself"),
        ("sweep/sampler=tpe,random", "cannot be searched itself"),
        ("a=8", "Nothing to search"),
        ("a=intervall(0,1)", "Unknown function 'intervall'"),
    ],
)
def test_what_is_no_space_is_one_clear_error(written, said):
    with pytest.raises(ConfigError, match=said):
        parse([written], {})


def test_a_trial_has_the_fixed_overrides_and_its_values():
    space = parse(["experiment=quick", "sweep=optuna", "sweep.n_trials=5", "~logger", "a=8,16", "b=true,false"], {})
    assert space.overrides({"a": 16, "b": False}) == ["experiment=quick", "sweep=optuna", "~logger", "a=16", "b=False"]


def test_the_command_line_goes_before_the_configured_space():
    space = parse(["a=3", "c=interval(0,1)"], {"a": "1,2", "b": "true,null", "c": "1,2"})
    assert space.fixed == ("a=3",)
    assert space.swept == {"b": CategoricalDistribution([True, "null"]), "c": FloatDistribution(0, 1)}


def test_every_choice_and_both_ends_are_tried_out():
    space = parse(["a=1,2,3", "b=interval(0.5,1)"], {})
    assert space.corners() == [{"a": 1, "b": 0.5}, {"a": 2, "b": 1.0}, {"a": 3, "b": 1.0}]


def test_the_points_of_a_space_are_counted():
    assert parse(["a=range(0,0.4,0.1)", "b=range(2,10,3)", "c=x,y"], {}).size() == 4 * 3 * 2
    with pytest.raises(ConfigError, match="can be counted"):
        parse(["a=interval(0,1)"], {}).size()


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-30, 1e30), st.floats(1e-30, 1e30), st.integers(0, 99))
def test_a_proposed_number_survives_the_command_line(one, other, seed):
    low, high = sorted((one, other))
    space = parse([f"a=interval({low!r},{high!r})"], {})
    study = optuna.create_study(sampler=RandomSampler(seed=seed))
    value = study.ask(space.swept).params["a"]
    (override,) = OverridesParser.create().parse_overrides(space.overrides({"a": value}))
    assert override.value() == value and low <= value <= high


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_a_choice_of_any_text_survives_the_command_line(text):
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    try:
        (meant,) = OverridesParser.create().parse_overrides([f"a={quoted}"])
    except Exception:  # what Hydra does not read as one value is not our matter
        return
    space = parse([f"a={quoted},b"], {})
    (override,) = OverridesParser.create().parse_overrides(space.overrides({"a": space.swept["a"].choices[0]}))
    assert override.value() == meant.value()
