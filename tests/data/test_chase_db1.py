import os
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.chase_db1 import ChaseDB1Dataset
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.fov import diameter
from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.errors import ConfigError, DataError

IDS = [f"{child:02d}{eye}" for child in range(1, 15) for eye in ("L", "R")]


def lines(every):
    return Image.fromarray((np.arange(30)[:, None] % every == 0) & np.ones((1, 32), dtype=bool)).convert("1")


@pytest.fixture
def root(tmp_path):
    """28 photographs of 30 x 32, a bright disc each, with lines that two observers have drawn."""
    folder = tmp_path / "CHASE_DB1"
    folder.mkdir()
    y, x = np.mgrid[:30, :32]
    disc = ((y - 15) ** 2 + (x - 16) ** 2 <= 12**2)[..., None]
    for number, image_id in enumerate(IDS):
        photo = np.where(disc, (200, 100 + number, 50), 0).astype(np.uint8)
        Image.fromarray(photo).save(folder / f"Image_{image_id}.jpg", quality=95)
        lines(5).save(folder / f"Image_{image_id}_1stHO.png")
        lines(3).save(folder / f"Image_{image_id}_2ndHO.png")
    return folder


@pytest.fixture(scope="module")
def real_chase():
    """The real data set."""
    folder = os.environ.get("CHASE_DB1_ROOT")
    if not folder or not Path(folder, "Image_01L.jpg").is_file():
        pytest.skip("needs the real CHASE_DB1: set CHASE_DB1_ROOT to the folder with its photographs")
    return ChaseDB1Dataset(folder, "all")


def test_the_first_20_photographs_are_train_and_the_last_8_test(root):
    ids = {split: ChaseDB1Dataset(root, split).image_ids for split in ("train", "test", "all")}
    assert ids == {"train": IDS[:20], "test": IDS[20:], "all": IDS}
    assert (ids["train"][-1], ids["test"][0]) == ("10R", "11L")


def test_no_child_is_in_both_splits(root):
    children = [{i[:2] for i in ChaseDB1Dataset(root, split).image_ids} for split in ("train", "test")]
    assert not children[0] & children[1]


@pytest.mark.parametrize("val_ids", [["05L"], ["05L", "05R", "10R"]])
def test_a_validation_split_that_parts_a_child_is_refused(root, val_ids):
    data = SegmentationDataModule(ChaseDB1Dataset, root, turn_flip_crop(16, 0, 0, 0), val_ids=val_ids)
    for split in ("train", "val"):
        with pytest.raises(ConfigError, match=r"data\.val_ids parts the images of one patient"):
            data.photographs(split)


def test_the_first_observer_is_the_reference_within_a_field_of_view_that_is_found(root):
    dataset = ChaseDB1Dataset(root.parent, "test")  # the parent of CHASE_DB1/ will do
    sample, second = dataset[0], dataset.second_target(0)
    assert dataset.region == "field of view, found in the photographs" and dataset.name == "chase_db1"
    assert sample.image_id == "11L" and sample.image.shape == (3, 30, 32)
    assert abs(int(sample.image[1, 15, 16]) - 120) < 10  # the photograph is the one of its id
    column = [int(value) for value in sample.target[:, 16]]
    assert [row for row, value in enumerate(column) if value == VESSEL] == [5, 10, 15, 20, 25]
    assert [row for row, value in enumerate(second[:, 16]) if value == VESSEL] == [6, 9, 12, 15, 18, 21, 24, 27]
    assert column[0] == column[-1] == sample.target[15, 0] == second[15, 0] == IGNORE


def test_a_second_observer_may_be_missing(root):
    (root / "Image_12L_2ndHO.png").unlink()
    dataset = ChaseDB1Dataset(root, "test")
    assert dataset.second_target(2) is None and dataset.second_target(3) is not None


@pytest.mark.parametrize(
    ("name", "words"),
    [("Image_03R.jpg", "photograph for image 03R"), ("Image_10L_1stHO.png", "label for image 10L")],
)
def test_a_missing_file_is_named_with_its_image(root, name, words):
    (root / name).unlink()
    with pytest.raises(DataError, match=rf"No {words}: looked for {root / name}\. .*CHASE_DB1_ROOT"):
        ChaseDB1Dataset(root, "train")
    assert len(ChaseDB1Dataset(root, "test")) == 8


def test_a_folder_without_photographs_and_an_unknown_split_are_refused(root, tmp_path):
    with pytest.raises(
        DataError,
        match=r"No CHASE_DB1 in \S*nowhere: looked for Image_\*\.jpg there and in CHASE_DB1/\. .*CHASE_DB1_ROOT",
    ):
        ChaseDB1Dataset(tmp_path / "nowhere", "train")
    with pytest.raises(ConfigError, match="train, test and all"):
        ChaseDB1Dataset(root, "val")


def test_real_photographs_have_their_published_size_and_a_field_of_view_of_918_pixels(real_chase):
    fields = [real_chase.field_of_view(index) for index in range(28)]
    diameters = [diameter(field) for field in fields]
    assert {tuple(real_chase.photo(index).shape) for index in range(28)} == {(3, 960, 999)}
    assert statistics.median(diameters) == 918
    assert [i for i, length in zip(IDS, diameters, strict=True) if not 915 <= length <= 920] == ["08L", "08R"]
    assert all(0.64 < field.float().mean() < 0.70 for field in fields)  # a disc of 917 is 0.689 of 960 x 999


def test_real_observers_draw_a_tenth_of_the_field_of_view_and_agree_mostly(real_chase):
    first = torch.stack([sample.target for sample in real_chase])
    second = torch.stack([real_chase.second_target(index) for index in range(28)])
    inside = first != IGNORE
    assert torch.equal(inside, second != IGNORE)
    assert ((first == VESSEL).sum() / inside.sum()).item() == pytest.approx(0.10068, abs=0.00005)
    assert ((second == VESSEL).sum() / inside.sum()).item() == pytest.approx(0.09664, abs=0.00005)
    both = ((first == VESSEL) & (second == VESSEL)).sum()
    assert 0.75 < 2 * both / ((first == VESSEL).sum() + (second == VESSEL).sum()) < 0.85
