import logging
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.shares import doubts, shares_of
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.errors import ConfigError, DataError

TWO, THREE = ["background", "vessel"], ["background", "disc", "cup"]


def label(*counts, ignored=0):
    """A target with so many pixels of each class."""
    return torch.tensor([number for number, count in enumerate(counts) for _ in range(count)] + [IGNORE] * ignored)


def shares(*labels, classes=TWO):
    return shares_of([f"{number}" for number in range(1, len(labels) + 1)], classes, labels)


def test_shares_are_of_the_pixels_that_count():
    assert (
        str(shares(label(7, 1, ignored=90), label(2, 0))) == "background 90.00 %, vessel 10.00 % of the counted pixels"
    )
    assert shares(label(7, 1), label(0, 2)).counts.tolist() == [[7, 1], [0, 2]]
    assert str(shares(label(1, 2, 1), classes=THREE)).startswith("background 25.00 %, disc 50.00 %, cup 25.00 %")


def test_a_label_without_a_pixel_that_counts_is_refused():
    with pytest.raises(DataError, match=r"No pixel counts in the label of image 2, 3: all are 255 .* remove the image"):
        shares(label(1, 1), label(ignored=4), label(ignored=1))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([label(9, 1), label(6, 4)], None),
        ([label(10), label(9, 1)], None),  # nothing to find in one photograph
        ([label(10), label(9)], r"No label holds vessel: Dice says nothing here"),
        ([label(1, 9), label(2, 8)], r"vessel covers 85\.0% of the counted pixels: are the labels inverted\?"),
        (
            [label(9, 1), label(8, 2), label(1, 9)],
            r"more than 50% of the label of image 3, 20\.0% of the median label",
        ),
    ],
    ids=["right", "one-empty", "all-empty", "inverted", "one-inverted"],
)
def test_what_is_doubtful_about_masks_is_said(labels, message):
    found = doubts(shares(*labels))
    assert len(found) == (message is not None)
    if message:
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(found[0])


def test_classes_that_no_label_holds_are_named_each():
    first, second = doubts(shares(label(3), label(4), classes=THREE))
    assert first.startswith("No label holds the class disc") and second.startswith("No label holds the class cup")
    assert not doubts(shares(label(0, 3, 3), label(1), classes=THREE))  # more classes may cover all


@pytest.fixture
def data(tmp_path):
    """Makes the data of a folder, whose labels are given, and sets it up."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()

    def make(*labels, classes=TWO, **values):
        for number, values_of in enumerate(labels, start=1):
            Image.new("RGB", (4, 3)).save(tmp_path / f"images/{number}.png")
            Image.fromarray(np.array(values_of, dtype=np.uint8)).save(tmp_path / f"labels/{number}.png")
        dataset = partial(FolderDataset, classes=classes)
        module = SegmentationDataModule(dataset, tmp_path, turn_flip_crop(2, 0, 0, 0), num_workers=0, **values)
        module.setup("fit")
        return module

    return make


RIGHT = np.array([[0, 0, 0, 255], [0, 0, 255, 0], [0, 255, 0, 0]])


def test_shares_are_said_in_one_line_before_training(data, caplog):
    caplog.set_level(logging.INFO)
    data(RIGHT, RIGHT, RIGHT * 0, val_ids=["3", "3"])
    said = [record for record in caplog.records if record.name.endswith("data.shares")]
    line, doubt = [record.getMessage() for record in said]
    assert line == (
        "Labels of 2 training images: background 75.00 %, vessel 25.00 % of the counted pixels; "
        "1 validation images: background 100.00 %, vessel 0.00 % of the counted pixels"
    )
    assert doubt.startswith("Of the 1 validation images: No label holds vessel")


def test_inverted_labels_are_refused_unless_they_may_cover_most(data, caplog):
    inverted = 255 - RIGHT
    with pytest.raises(
        ConfigError, match=r"vessel covers 75\.0% .* 2 training labels, at most 50\.0% .*most_foreground=1"
    ):
        data(inverted, inverted)
    data(inverted, inverted, most_foreground=0.8)
    # Above what is refused by default, and as it was said to be.
    assert not [one for one in caplog.records if one.levelname == "WARNING"]
    data(inverted, RIGHT, RIGHT)
    assert "Of the 3 training images: vessel covers more than 50% of the label of image 1, 25.0%" in caplog.text


@pytest.mark.parametrize("values", [0, 255])
@pytest.mark.parametrize("classes", [TWO, THREE])
def test_labels_of_one_value_are_refused(data, values, classes):
    message = (
        r"No pixel counts in the label" if values and classes is THREE else r"2 training labels are (background|vessel)"
    )
    with pytest.raises(DataError, match=message):
        data(RIGHT * 0 + values, RIGHT * 0 + values, classes=classes)


@pytest.mark.parametrize("value", [0, -1, 1.1, "half", True, None])
def test_another_share_is_refused(data, value):
    with pytest.raises(ConfigError, match=rf"data\.most_foreground must be a share above 0 and up to 1, found {value}"):
        data(RIGHT, most_foreground=value)


def test_an_id_that_is_given_twice_counts_once(data):
    module = data(RIGHT, RIGHT, RIGHT, val_ids=["2", "2"])
    assert (module.train.image_ids, module.val.image_ids) == (["1", "3"], ["2"])


@pytest.mark.parametrize("ids", ["2", [{"2": 1}], [["2"]], [None], [True]], ids=str)
def test_ids_that_are_no_names_are_refused(data, ids):
    with pytest.raises(ConfigError, match=r"data\.val_ids must be a list of names"):
        data(RIGHT, RIGHT, val_ids=ids)
