import math

import pytest
from evaluation_folders import dice, write_evaluation, write_run

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.results.leaderboard.entries import Run, make_entries, shared_name
from unet_lightning.results.stored import AGAINST_SECOND, SECOND, read_stored, stored_evaluations
from unet_lightning.training.folder import RunFolder

CLASSES = ["background", "artery", "vein"]
SEVERAL = {"model": dice(0.75), "model: artery": dice(0.8), "model: vein": dice(0.7)}


@pytest.fixture
def run(tmp_path):
    """Makes a run: figures as in `write_evaluation`; config of `write_run`, or None for maps from elsewhere."""

    def make(name, figures, config=(), **evaluation):
        folder = tmp_path / name
        folder.mkdir()
        if config is not None:
            write_run(folder, **dict(config))
        write_evaluation(folder, figures, **evaluation)
        (home,) = stored_evaluations(folder).values()
        return Run(name, {} if config is None else RunFolder(folder).read_config(), read_stored(home))

    return make


def test_seeds_of_one_config_are_one_entry_averaged_image_by_image(run):
    runs = [run(str(seed), dice(0.8 + seed / 10, 0.7), {"seed": seed, "name": f"n{seed}"}) for seed in (0, 1)]
    (entry,) = make_entries(runs)
    assert entry.per_image["dice"] == pytest.approx({"01": 0.85, "02": 0.7})
    assert entry.name == "0,1"
    assert [run.seed for run in entry.runs] == [0, 1]
    assert entry.settings == []


def test_folds_are_one_entry_over_the_images_of_all(run):
    def fold(k, images):
        return run(
            f"{k}", {"dice": images}, {"data__folds": 2, "data__fold": k}, pooled={"model": {"dice": 0.7 + k / 10}}
        )

    (entry,) = make_entries([fold(0, {"01": 0.8, "03": 0.6}), fold(1, {"02": 0.9, "03": 0.8})])
    assert entry.per_image["dice"] == pytest.approx({"01": 0.8, "02": 0.9, "03": 0.7})
    assert entry.pooled == pytest.approx({"dice": 0.75})
    assert [run.fold for run in entry.runs] == [0, 1]


def test_another_config_is_another_entry_and_its_settings_say_why(run):
    entries = make_entries([run("a", dice(0.8), {"model__base_c": 8}), run("b", dice(0.8), {"model__base_c": 16})])
    assert [(entry.name, entry.settings) for entry in entries] == [
        ("a", ["model.base_c=8"]),
        ("b", ["model.base_c=16"]),
    ]


NETWORK = {"checkpoint": "run/checkpoints/best.ckpt"}
LAST = {"checkpoint": "run/checkpoints/last.ckpt"}


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [
        ({"tta": "none"}, {"tta": "flips"}, 2),
        ({"scale": "auto"}, {"scale": 0.5}, 2),
        ({"networks": [NETWORK]}, {"networks": [NETWORK] * 5}, 2),
        ({"networks": [NETWORK]}, {"networks": [LAST]}, 2),
        ({"threshold": 0.5}, {"threshold": 0.4, "threshold_source": "given"}, 2),
        ({"threshold": 0.3, "threshold_source": "given"}, {"threshold": 0.4, "threshold_source": "given"}, 2),
        (
            {"threshold": 0.41, "threshold_source": "validation images 25, 30"},
            {"threshold": 0.44, "threshold_source": "validation images 21, 26"},
            1,
        ),
    ],
)
def test_how_the_map_is_made_belongs_to_the_method(run, one, other, number):
    runs = [run("a", dice(0.8), {"seed": 0}, **one), run("b", dice(0.9), {"seed": 1}, **other)]
    assert len(make_entries(runs)) == number


def test_maps_from_elsewhere_are_never_averaged(run):
    entries = make_entries([run(name, dice(0.8), None, networks=[]) for name in "ab"])
    assert [entry.name for entry in entries] == ["a", "b"]
    assert entries[0].settings == []


def test_the_second_observer_is_an_entry_of_their_own(run):
    figures = {"model": dice(0.8, 0.9), SECOND: dice(0.7, 0.8), AGAINST_SECOND: dice(0.6, 0.7)}
    model, human = make_entries([run("a", figures)])
    assert (human.name, human.human, model.human) == (SECOND, True, False)
    assert human.per_image["dice"] == {"01": 0.7, "02": 0.8}
    assert human.pooled["dice"] == pytest.approx(0.75)
    assert model.against_second == pytest.approx(0.65)
    assert math.isnan(human.against_second)


def test_the_second_observer_is_there_where_one_evaluation_has_them(run):
    runs = [run("a", dice(0.8)), run("b", {"model": dice(0.9), SECOND: dice(0.7)}, {"model__base_c": 1})]
    assert [entry.name for entry in make_entries(runs)] == ["a", "b", SECOND]


def test_a_second_observer_of_some_images_is_left_out(run):
    assert [entry.name for entry in make_entries([run("a", {"model": dice(0.8, 0.9), SECOND: dice(0.7)})])] == ["a"]


def test_two_second_observers_are_refused(run):
    runs = [run(name, {"model": dice(0.8), SECOND: dice(value)}) for name, value in (("a", 0.7), ("b", 0.71))]
    with pytest.raises(RunError, match=r"image 01 is 0.7000 in a and 0.7100 in b"):
        make_entries(runs)


def test_a_second_observer_without_a_dice_hides_no_difference_between_others(run):
    values = (("a", math.nan), ("b", 0.7), ("c", 0.71))
    runs = [
        run(name, {"model": dice(0.8), SECOND: dice(value)}, {"model__base_c": n})
        for n, (name, value) in enumerate(values)
    ]
    with pytest.raises(RunError, match=r"image 01 is 0.7000 in b and 0.7100 in c"):
        make_entries(runs)


def test_a_leak_of_one_seed_is_the_entrys(run):
    runs = [run("0", dice(0.8, 0.8), {"seed": 0}), run("1", dice(0.8, 0.8), {"seed": 1}, leak=["02"])]
    (entry,) = make_entries(runs)
    assert entry.leak == ["02"]


@pytest.mark.parametrize("key", ["dataset", "split", "reference", "region", "resolution"])
def test_entries_measured_in_different_ways_are_refused(run, key):
    runs = [run("a", dice(0.8)), run("b", dice(0.8), **{key: "whole image"})]
    with pytest.raises(RunError, match=rf"a and b cannot be compared: their {key} is '.*' and 'whole image'"):
        make_entries(runs)


def test_images_that_an_entry_lacks_are_named(run):
    runs = [run("a", dice(0.8, 0.8, 0.8), {"model__base_c": 1}), run("b", dice(0.8), {"model__base_c": 2})]
    with pytest.raises(RunError, match=r"b lacks 02, 03\."):
        make_entries(runs)


def test_a_class_is_chosen_where_there_are_several(run):
    several = run("a", SEVERAL, classes=CLASSES)
    assert make_entries([several])[0].per_image["dice"] == {"01": 0.75}
    assert make_entries([several], "vein")[0].per_image["dice"] == {"01": 0.7}
    with pytest.raises(ConfigError, match="a has the classes background, artery, vein, found --class capillary"):
        make_entries([several], "capillary")
    with pytest.raises(ConfigError, match="b has two classes: leave --class out"):
        make_entries([run("b", dice(0.8))], "vein")


def test_an_evaluation_of_an_earlier_version_has_classes_and_no_mean_over_them(run):
    several = run("a", {"model: artery": dice(0.8), "model: vein": dice(0.7)})
    assert make_entries([several], "vein")[0].per_image["dice"] == {"01": 0.7}
    with pytest.raises(ConfigError, match="a has the classes artery, vein, and no mean over them"):
        make_entries([several])


def test_other_classes_are_not_compared(run):
    runs = [run("a", SEVERAL, classes=CLASSES), run("b", dice(0.8))]
    with pytest.raises(RunError, match="a and b cannot be compared: they have background, artery, vein, and two"):
        make_entries(runs)


def test_an_image_without_the_class_is_left_out_of_its_mean_and_one_seed_may_have_called_it(run):
    values = ((0.8, math.nan, math.nan), (0.6, 0.0, math.nan))
    accuracy = {"accuracy": {"01": 0.9, "02": 0.9, "03": 0.9}}
    runs = [
        run(
            str(seed),
            {"model": dice(*of) | accuracy, "model: vein": dice(*of) | accuracy},
            {"seed": seed},
            classes=CLASSES,
        )
        for seed, of in enumerate(values)
    ]
    (entry,) = make_entries(runs)
    assert entry.counting("dice") == pytest.approx({"01": 0.7, "02": 0.0})
    assert entry.images == {"01", "02", "03"}


def test_folders_share_a_name_by_their_parents():
    assert shared_name(["0", "1"]) == "0,1"
    assert shared_name(["a/x/0", "a/x/2", "b"]) == "a/x/0,2 b"
