import zipfile

import pytest
import torch
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.inference.submission import TEST_IDS, write_submission


@pytest.fixture
def masks():
    generator = torch.Generator().manual_seed(0)
    return {image_id: torch.rand(584, 565, generator=generator) > 0.5 for image_id in TEST_IDS}


def test_twenty_pictures_of_0_and_255_named_by_number(masks, tmp_path):
    write_submission(masks, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [f"{number}.png" for number in range(1, 21)]
        for image_id in ("01", "20"):
            with archive.open(f"{int(image_id)}.png") as file, Image.open(file) as picture:
                assert (picture.size, picture.mode) == ((565, 584), "L")
                assert set(picture.tobytes()) == {0, 255}
                expected = (masks[image_id].to(torch.uint8) * 255).numpy().tobytes()
                assert picture.tobytes() == expected


def test_the_same_masks_give_the_same_bytes(masks, tmp_path):
    for name in ("one.zip", "two.zip"):
        write_submission(masks, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda masks: masks.pop("07"), "images 01 to 20, found 01"),
        (lambda masks: masks.update({"21": masks["01"]}), "images 01 to 20"),
        (lambda masks: masks.update({"03": torch.zeros(565, 584, dtype=torch.bool)}), r"Image 03 .* \(565, 584\)"),
        (lambda masks: masks.update({"03": torch.zeros(584, 565)}), "Image 03 .* torch.float32"),
    ],
)
def test_what_the_challenge_would_refuse_is_not_written(masks, tmp_path, change, message):
    change(masks)
    with pytest.raises(DataError, match=message):
        write_submission(masks, tmp_path / "out.zip")
    assert list(tmp_path.iterdir()) == []
