import shutil

import pytest
import torch

from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.errors import ConfigError, DataError


@pytest.fixture
def copy(tiny_drive, tmp_path):
    return shutil.copytree(tiny_drive, tmp_path / "DRIVE")


def test_root_may_be_the_folder_or_its_parent(tiny_drive):
    found = [DriveDataset(root, "test").files for root in (tiny_drive, tiny_drive.parent)]
    assert found[0] == found[1] and len(found[0]) == 20


@pytest.mark.parametrize(("split", "first"), [("train", 21), ("test", 1)])
def test_splits_hold_the_official_images_in_order(tiny_drive, split, first):
    dataset = DriveDataset(str(tiny_drive), split)
    assert dataset.image_ids == [f"{number:02d}" for number in range(first, first + 20)]
    assert dataset.name == "drive"
    for image in dataset.files:
        for path in (image.photo, image.label, image.fov):
            assert path.name.startswith(f"{image.image_id}_")
    assert (dataset.second_target(19) is None) == (split == "train")


def test_missing_root_names_both_remedies(tmp_path):
    with pytest.raises(DataError, match=r"No DRIVE in .*unet_lightning\.prepare drive .*data=synthetic"):
        DriveDataset(tmp_path / "nowhere", "train")


@pytest.mark.parametrize(
    ("split", "file", "words"),
    [
        ("train", "training/mask/21_training_mask.gif", "field-of-view mask for image 21"),
        ("train", "training/images/40_training.tif", "photograph for image 40"),
        ("train", "training/1st_manual/33_manual1.gif", "label for image 33"),
        ("test", "test/1st_manual/07_manual1.gif", "label for image 07"),
    ],
)
def test_missing_file_is_named_with_its_image(copy, split, file, words):
    (copy / file).unlink()
    with pytest.raises(DataError, match=rf"No {words}: looked for {copy / file}\. Unpack .* set data\.root"):
        DriveDataset(copy, split)


def test_missing_mask_ends_with_the_remedy_and_other_fields_of_view_need_none(copy):
    shutil.rmtree(copy / "training/mask")
    with pytest.raises(DataError, match=r"mask for image 21: .* Or set data\.dataset\.fov=auto\.$"):
        DriveDataset(copy, "train")
    for fov in ("auto", "none"):
        assert len([*DriveDataset(copy, "train", fov=fov)]) == 20


def test_download_without_test_labels_trains_and_predicts_but_cannot_be_tested_on(copy):
    shutil.rmtree(copy / "test/1st_manual")
    shutil.rmtree(copy / "test/2nd_manual")
    assert len([*DriveDataset(copy, "train")]) == 20
    test = DriveDataset(copy, "test")
    assert len(test) == 20
    assert test.photo(0).shape == (3, 48, 46) and test.field_of_view(0).any()
    message = r"test images have no labels here: \S*test/1st_manual.* challenge.* split=val"
    for dataset in (test, test.subset(["07"]), DriveDataset(copy, "all")):
        with pytest.raises(DataError, match=message):
            _ = [*dataset]
        with pytest.raises(DataError, match=message):
            dataset.second_target(0)


def test_all_is_both_splits_in_order(tiny_drive):
    ids = {split: DriveDataset(tiny_drive, split).image_ids for split in ("train", "test", "all")}
    assert ids["all"] == ids["train"] + ids["test"]


def test_unknown_split_is_refused(tiny_drive):
    with pytest.raises(ConfigError, match=r"splits train, test and all \(both\), found val"):
        DriveDataset(tiny_drive, "val")


def test_second_observer_may_be_missing(copy):
    (copy / "test/2nd_manual/03_manual2.gif").unlink()
    dataset = DriveDataset(copy, "test")
    assert dataset.second_target(2) is None and dataset.second_target(3) is not None


def test_real_drive_has_its_published_sizes_and_shares(real_drive):
    train, test = [*DriveDataset(real_drive, "train")], [*DriveDataset(real_drive, "test")]
    assert len(train) == len(test) == 20
    assert {sample.image.shape for sample in train + test} == {(3, 584, 565)}
    inside = torch.cat([sample.target[sample.target != IGNORE] for sample in test])
    every = torch.cat([sample.target.flatten() for sample in train + test])
    assert (every != IGNORE).double().mean().item() == pytest.approx(0.688, abs=0.0005)
    assert (inside == VESSEL).double().mean().item() == pytest.approx(0.1273, abs=0.00005)


def test_real_second_observer_is_read_through_its_palette(real_drive):
    dataset = DriveDataset(real_drive, "test")
    second, first = dataset.second_target(0), dataset[0].target
    assert set(second.unique().tolist()) == {0, 1, IGNORE}
    both = ((second == VESSEL) & (first == VESSEL)).sum()
    assert 2 * both / ((second == VESSEL).sum() + (first == VESSEL).sum()) > 0.7
