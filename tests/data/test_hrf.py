import shutil

import numpy as np
import pytest
from PIL import Image

from unet_lightning.data.hrf import HRFDataset
from unet_lightning.errors import ConfigError, DataError

GROUPS = ("dr", "g", "h")


@pytest.fixture
def root(tmp_path):
    """45 photographs of 8 x 12 in HRF's layout, a row of vessels each, the left and right column outside the field."""
    folder = tmp_path / "HRF"
    for name in ("images", "manual1", "mask"):
        (folder / name).mkdir(parents=True)
    label, mask = np.zeros((8, 12), dtype=np.uint8), np.full((8, 12, 3), 255, dtype=np.uint8)
    label[3], mask[:, [0, -1]] = 255, 0
    for number in range(1, 16):
        for group in GROUPS:
            image_id = f"{number:02d}_{group}"
            photo = Image.fromarray(np.full((8, 12, 3), 10 * number, dtype=np.uint8))
            photo.save(folder / "images" / f"{image_id}{'.JPG' if group == 'dr' else '.jpg'}", format="JPEG")
            Image.fromarray(label).save(folder / "manual1" / f"{image_id}.tif")
            Image.fromarray(mask).save(folder / "mask" / f"{image_id}_mask.tif")
    return folder


def test_the_first_five_of_each_group_are_train_and_the_others_test(root):
    train, test, every = (HRFDataset(root, split).image_ids for split in ("train", "test", "all"))
    assert train == [f"{number:02d}_{group}" for number in range(1, 6) for group in GROUPS]
    assert test == [f"{number:02d}_{group}" for number in range(6, 16) for group in GROUPS]
    assert every == train + test and len(every) == 45


def test_photograph_label_and_mask_go_together_and_the_mask_may_be_coloured(root):
    dataset = HRFDataset(root.parent, "test")  # the parent of HRF/ will do
    image, target, image_id = dataset[28]
    assert image_id == "15_g" and dataset.name == "hrf"
    assert abs(image.float().mean() - 150) < 3
    assert target[3].tolist() == [255, *[1] * 10, 255] and target[4].tolist() == [255, *[0] * 10, 255]
    assert dataset.region == "field of view, masks of the data set" and dataset.second_target(28) is None


def test_without_masks_the_field_of_view_may_be_found(root):
    shutil.rmtree(root / "mask")
    with pytest.raises(DataError, match=r"mask for image 06_dr: .*_dr_mask\.tif.* Or set data\.dataset\.fov=auto\.$"):
        HRFDataset(root, "test")
    assert HRFDataset(root, "test", fov="auto")[0].target.shape == (8, 12)


@pytest.mark.parametrize(
    ("name", "words"),
    [("images/02_dr.JPG", r"photograph for image 02_dr"), ("manual1/05_h.tif", r"label for image 05_h")],
)
def test_a_missing_file_is_named_with_its_image(root, name, words):
    (root / name).unlink()
    with pytest.raises(DataError, match=rf"No {words}: looked for {root}/\S+\. .*HRF_ROOT.*manual1/ and mask/\.$"):
        HRFDataset(root, "train")
    assert len(HRFDataset(root, "test")) == 30


def test_what_macos_leaves_behind_is_no_image(root):
    for path in [*root.glob("*/*.jpg"), *root.glob("*/*.tif")]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7")
    assert len([*HRFDataset(root, "all")]) == 45


def test_a_folder_without_the_data_set_and_an_unknown_split_are_refused(root, tmp_path):
    with pytest.raises(DataError, match=r"No HRF in \S*nowhere: looked for images/ and manual1/ .*HRF_ROOT"):
        HRFDataset(tmp_path / "nowhere", "train")
    with pytest.raises(ConfigError, match="train, test and all"):
        HRFDataset(root, "val")
