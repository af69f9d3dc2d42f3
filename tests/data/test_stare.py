import gzip

import numpy as np
import pytest
from PIL import Image

from unet_lightning.data.stare import StareDataset
from unet_lightning.errors import ConfigError, DataError

NUMBERS = (1, 2, 3, 4, 5, 44, 77, 81, 82, 139, 162, 163, 235, 236, 239, 240, 255, 291, 319, 324)
IDS = [f"im{number:04d}" for number in NUMBERS]


@pytest.fixture
def official(tmp_path):
    """20 photographs of 10 x 12 in a layout: in folders or flat, gzipped or not, labels with a suffix."""

    def draw(root, folders=True, packed=True, suffix=".ppm"):
        for image_id in IDS:
            photo = np.full((10, 12, 3), int(image_id[2:]) % 200 + 20, dtype=np.uint8)
            label = np.zeros((10, 12), dtype=np.uint8)
            files = {"stare-images": (photo, ".ppm")}
            for observer, row in (("ah", 2), ("vk", 5)):
                drawn = label.copy()
                drawn[row] = 255
                drawn = drawn if suffix == ".pgm" else np.repeat(drawn[..., None], 3, axis=2)
                files[f"labels-{observer}"] = (drawn, f".{observer}{suffix}")
            for folder, (values, ending) in files.items():
                path = (root / folder if folders else root) / f"{image_id}{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(path)
                if packed:
                    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
                    path.unlink()
        return root

    return draw


@pytest.mark.parametrize("folders", [True, False], ids=["folders", "flat"])
@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "unpacked"])
@pytest.mark.parametrize("suffix", [".ppm", ".pgm"])
@pytest.mark.parametrize("below", ["", "STARE"])
def test_every_official_form_is_read(official, tmp_path, folders, packed, suffix, below):
    official(tmp_path / below, folders, packed, suffix)
    dataset = StareDataset(tmp_path, "all")
    assert dataset.image_ids == IDS and dataset.name == "stare"
    assert dataset[11].image[:, 0, 0].tolist() == [183] * 3  # im0163
    assert dataset[11].target[:, 0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert dataset.second_target(11)[:, 0].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_the_first_ten_are_train_and_the_last_ten_test(official, tmp_path):
    official(tmp_path)
    assert StareDataset(tmp_path, "train").image_ids == IDS[:10]
    assert StareDataset(tmp_path, "test").image_ids == IDS[10:]
    assert StareDataset(tmp_path, "test").region == "field of view, found in the photographs"
    with pytest.raises(ConfigError, match="train, test and all"):
        StareDataset(tmp_path, "val")


def test_a_photograph_beside_its_archive_counts_once_and_a_backup_not_at_all(official, tmp_path):
    official(tmp_path)
    (tmp_path / "stare-images/im0400.ppm.bak").write_bytes(b"")
    path = tmp_path / "stare-images/im0005.ppm.gz"
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    assert StareDataset(tmp_path, "train").image_ids == IDS[:10]


def test_a_second_observer_may_be_missing(official, tmp_path):
    official(tmp_path)
    (tmp_path / "labels-vk/im0044.vk.ppm.gz").unlink()
    dataset = StareDataset(tmp_path, "train")
    assert dataset.second_target(5) is None and dataset.second_target(6) is not None


def test_a_missing_label_is_named_with_its_image(official, tmp_path):
    official(tmp_path)
    (tmp_path / "labels-ah/im0044.ah.ppm.gz").unlink()
    with pytest.raises(
        DataError, match=r"label for image im0044: looked for \S*labels-ah/im0044\.ah\.ppm\(\.gz\)\. .*STARE_ROOT"
    ):
        StareDataset(tmp_path, "train")


@pytest.mark.parametrize("more", [-1, 1])
def test_another_number_of_photographs_is_refused(official, tmp_path, more):
    official(tmp_path)
    path = tmp_path / "stare-images/im0324.ppm.gz"
    path.rename(path.with_name("gone")) if more < 0 else path.with_name("im0400.ppm.gz").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=rf"STARE has 20 photographs with labels, \S*stare-images holds {20 + more}"):
        StareDataset(tmp_path, "train")


def test_a_folder_without_photographs_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"No STARE in \S*nowhere: looked for stare-images/im0001\.ppm.*STARE_ROOT"):
        StareDataset(tmp_path / "nowhere", "train")
