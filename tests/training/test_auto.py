from types import SimpleNamespace

import pytest

from unet_lightning.data.labels import IGNORE
from unet_lightning.training.auto import (
    as_asked,
    as_recorded,
    class_weights,
    fields,
    filled,
    said,
    with_other_data,
)

AUTO = {"loss": {"class_weights": "auto"}}
FILLED = {"loss": {"class_weights": [1.0, 2.0]}, "from_data": ["loss.class_weights"]}


class Labels:
    """A training part with 9 pixels of background and 1 of a cell that count."""

    image_ids, classes = ("1", "2"), ("background", "cell")
    targets = ([0, 0, 0, 0, IGNORE], [0, 0, 0, 0, 0, 1])
    facts = tuple(SimpleNamespace(counts=[one.count(0), one.count(1)]) for one in targets)


@pytest.mark.parametrize(
    ("counts", "weights"),
    [
        ([9, 1], [1, 3]),
        ([1, 4], [2, 1]),
        ([900, 100, 36], [1, 3, 5]),
        ([10**12, 1, 0], [1, 10, 10]),  # bounded, and where no label has the class
        ([2, 1], [1, 1.414]),
    ],
)
def test_the_rarer_a_class_the_heavier_by_the_root_and_within_a_bound(counts, weights):
    assert class_weights(counts) == weights


@pytest.mark.parametrize(
    ("loss", "key"),
    [
        ({"class_weights": "auto"}, "loss.class_weights"),
        ({"terms": {"ce": {"class_weights": "auto"}, "dice": {}}}, "loss.terms.ce.class_weights"),
    ],
)
def test_auto_becomes_numbers_of_the_training_labels_wherever_the_loss_has_it(loss, key):
    found = filled({"loss": loss, "seed": 0}, Labels)
    assert found["from_data"] == [key]
    assert "[1.0, 3.0]" in str(found["loss"]) and "auto" not in str(found["loss"])
    assert said(found, Labels.classes) == [f"{key} from the training labels: background 1, cell 3"]
    assert as_asked(found) == {"loss": loss, "seed": 0}


@pytest.mark.parametrize("loss", [{"class_weights": [1, 2]}, {"class_weights": None}, {}])
def test_what_is_given_stays_and_no_label_is_looked_at(loss):
    assert filled({"loss": loss}, None) == {"loss": loss}


def test_a_run_that_goes_on_keeps_the_numbers_that_it_began_with():
    assert as_recorded(AUTO, FILLED) == FILLED
    assert as_recorded({"loss": {"class_weights": [1, 9]}}, FILLED) == {"loss": {"class_weights": [1, 9]}}
    assert as_recorded(AUTO, AUTO) == AUTO


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["seed", "data.root", "optimizer.lr"], FILLED),
        (["data.fold"], AUTO),
        (["data"], AUTO),
        (["loss.class_weights"], {"loss": FILLED["loss"]}),
        (["loss"], {"loss": FILLED["loss"]}),
    ],
)
def test_a_repeat_keeps_its_numbers_unless_the_data_are_others(typed, expected):
    assert with_other_data(FILLED, typed) == expected


@pytest.mark.parametrize("named", ["loss.class_weights", [1], ["seed"], ["loss.other"], {"loss": 1}, None])
def test_of_a_config_from_elsewhere_only_fields_of_the_loss_count(named):
    config = {"seed": 0, "loss": {"class_weights": [1, 2]}, "from_data": named}
    assert fields(config) == []
    assert as_asked(config)["loss"] == config["loss"]


PRECISE = {"trainer": {"precision": "bf16-mixed"}, "loss": {}, "from_data": ["trainer.precision"]}


def test_a_run_that_goes_on_keeps_the_precision_that_was_timed_or_that_an_earlier_version_had():
    auto = {"trainer": {"precision": "auto"}, "loss": {}}
    assert as_recorded(auto, PRECISE) == PRECISE
    assert as_recorded(auto, {"trainer": {"precision": "32-true"}}) == {"trainer": {"precision": "32-true"}, "loss": {}}
    assert as_asked(PRECISE) == auto
    assert said(PRECISE, ["background", "cell"]) == []  # of labels alone
    assert with_other_data(PRECISE, ["seed"]) == PRECISE
    assert with_other_data(PRECISE, ["data.root", "data"]) == auto
    typed = {"trainer": {"precision": "bf16-mixed"}, "loss": {}}
    assert with_other_data(PRECISE, ["trainer.precision", "data"]) == typed
