import shutil
from dataclasses import replace

import pytest
import torch

from unet_lightning.data.labels import Sample
from unet_lightning.data.seen import Leak, Seen, why_it_leaks
from unet_lightning.inference.predictor import PredictionOptions
from unet_lightning.results.decided import Maps, choose_threshold
from unet_lightning.results.maps import NetworkSource
from unet_lightning.training.folds import load_networks

CPU = PredictionOptions(device="cpu")


@pytest.fixture(scope="module")
def trained(tiny_run):
    """Trained on DRIVE's training images but 25, 30, 35 and 40, which chose its epoch."""
    return load_networks(tiny_run)[0]


def image(dataset, name, **content):
    return Seen(dataset, name, content)


def without_content(images):
    return [Seen(one.dataset, one.image_id) for one in images]


@pytest.mark.parametrize(
    ("name", "dataset", "selected", "reason"),
    [
        ("21", "drive", True, Leak.TRAINED),
        ("25", "drive", True, Leak.EPOCH),
        ("25", "drive", False, None),  # the last checkpoint was not chosen
        ("01", "drive", True, None),
        ("21", "stare", True, None),
        ("25", "stare", True, None),
    ],
)
def test_names_tell_what_a_network_of_an_earlier_version_has_seen(trained, name, dataset, selected, reason):
    old = replace(
        trained,
        learned=without_content(trained.learned),
        watched=without_content(trained.watched),
        selected=selected,
    )
    found = why_it_leaks(image(dataset, name, photograph="0"), [old])
    assert (found and found[0]) is reason


def test_an_image_leaks_under_every_name_and_another_does_not_under_the_same_name(trained):
    seen = {one.image_id: one.content for one in trained.seen}
    other = Seen("drive", "21", {"photograph": "0", "label": seen["21"]["label"]})
    assert why_it_leaks(Seen("folder", "a", seen["21"]), [trained]) == (Leak.TRAINED, trained.learned[0])
    assert why_it_leaks(Seen("folder", "21", seen["25"]), [trained]) == (Leak.EPOCH, trained.watched[0])
    assert why_it_leaks(other, [trained]) is None


def test_a_label_drawn_by_hand_tells_the_image_of_a_changed_photograph(trained):
    seen = trained.learned[0].content
    changed = Seen("folder", "a", {"photograph": "0", "drawing": seen["drawing"]})
    assert why_it_leaks(changed, [trained]) == (Leak.TRAINED, trained.learned[0])


def test_an_ensemble_leaks_where_one_of_its_networks_does(trained):
    other = replace(trained, learned=[image("drive", "01", photograph="1")], watched=[])
    assert why_it_leaks(image("x", "y", photograph="1"), [trained, other]) == (Leak.TRAINED, other.learned[0])
    assert why_it_leaks(image("x", "y", photograph="2"), [trained, other]) is None


def test_a_run_is_measured_on_its_own_data_and_on_the_test_images(tiny_run, tiny_drive, monkeypatch):
    monkeypatch.setenv("DRIVE_ROOT", str(tiny_drive))
    source = NetworkSource(tiny_run, {"root": None}, None, CPU)
    assert source.splits(None) == ["test"] and source.splits("val") == ["val"]
    maps = source.maps("val")
    assert maps.dataset.image_ids == ["25", "30", "35", "40"]
    assert maps.found.leak_reasons == {Leak.EPOCH: ["25", "30", "35", "40"]}
    assert (maps.thresholds, maps.threshold_source) == ([0.5] * 4, "default")
    assert source.maps("val", 0.3).thresholds == [0.3] * 4


def test_validation_images_are_named_where_another_checkpoint_than_the_chosen_one_is_measured(
    tiny_run, tiny_drive, monkeypatch
):
    monkeypatch.setenv("DRIVE_ROOT", str(tiny_drive))
    last = NetworkSource(tiny_run, {}, "last", CPU).maps("val")
    assert last.found.leak_reasons == {} and last.found.watched == ["25", "30", "35", "40"]
    assert NetworkSource(tiny_run, {}, "best", CPU).maps("val").found.watched == []
    assert NetworkSource(tiny_run, {}, "last", CPU).maps("test").found.watched == []


def test_a_threshold_that_the_images_chose_leaks_as_a_number_too(tiny_run, tiny_drive, tmp_path, monkeypatch):
    monkeypatch.setenv("DRIVE_ROOT", str(tiny_drive))
    run = shutil.copytree(tiny_run, tmp_path / "run")
    chosen = NetworkSource(run, {}, "last", CPU).maps("val", "val")
    value = chosen.thresholds[0]
    assert chosen.found.leak_reasons == {Leak.THRESHOLD: ["25", "30", "35", "40"]}
    source = NetworkSource(run, {}, "last", CPU)
    assert source.maps("val", value).found == chosen.found
    assert source.maps("val", value / 2).found.leak_reasons == {}
    assert source.maps("test", value).found.leak_reasons == {}


def test_a_data_set_elsewhere_is_the_same_data_set(tiny_run, tmp_path):
    assert NetworkSource(tiny_run, {"root": str(tmp_path)}, None, CPU).data["root"] == str(tmp_path)


def test_the_threshold_is_the_best_for_the_images_that_are_named():
    class Drawn(list):
        image_ids = ("a", "b")

    dataset = Drawn(Sample(torch.zeros(3, 1, 2), torch.tensor([[1, 0]]), name) for name in "ab")
    maps = Maps(dataset, "val", [torch.tensor([[[0.2, 0.1]]]), torch.tensor([[[0.9, 0.8]]])], {})
    assert choose_threshold(maps, ["a"]) == 0.11
    assert choose_threshold(maps, ["b"]) == 0.81
