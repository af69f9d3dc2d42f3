import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.arrays import as_photograph
from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.given import given
from unet_lightning.inference.photographs import check_outside, photographs_in, photographs_of, read_with_mask


@pytest.fixture
def folder(tiny_drive, tmp_path):
    """Photographs in a folder and a subfolder, with something else beside them."""
    for number, place in (("01", "photos"), ("02", "photos/left"), ("03", "photos/left")):
        (tmp_path / place).mkdir(exist_ok=True)
        shutil.copy(tiny_drive / f"test/images/{number}_test.tif", tmp_path / place)
    (tmp_path / "photos/notes.txt").write_text("not a photograph", encoding="utf-8")
    return tmp_path / "photos"


def save(path, box, size=(46, 48)):
    mask = Image.new("L", size)
    mask.paste(255, box)
    mask.save(path)


def test_a_folder_keeps_its_subfolders(folder):
    found = photographs_in(given([str(folder)]), "none")
    names = ["01_test", "notes.txt", "left/02_test", "left/03_test"]
    assert [photograph.name for photograph in found] == list(map(Path, names))
    with pytest.raises(DataError, match=r"is not an image: .*notes\.txt"):  # when its turn comes
        found[1].read()
    photo, fov = found[3].read()
    assert torch.equal(photo, read_photo(folder / "left/03_test.tif")) and fov is None


def test_files_and_folders_may_be_named_together(folder):
    found = photographs_in(given([str(folder / "01_test.tif"), str(folder / "left")]), "none")
    assert [str(photograph.name) for photograph in found] == ["01_test", "02_test", "03_test"]


@pytest.mark.parametrize("pictures", [".", "left", "left/deeper"])
def test_pictures_within_a_folder_of_photographs_are_refused(folder, pictures):
    with pytest.raises(ConfigError, match=r"give --out a folder outside .*photos"):
        check_outside([str(folder)], folder / pictures)
    check_outside([str(folder)], folder.parent / "out")


@pytest.mark.parametrize("name", ["nowhere.tif", "x" * 300 + ".tif"])
def test_a_file_that_is_not_there_is_named_when_its_turn_comes(name):
    (photograph,) = photographs_in(given([name]), "none")
    with pytest.raises(DataError, match=f"No photograph: looked for {name}"):
        photograph.read()


def test_the_field_of_view_is_found_given_or_none(folder, tmp_path):
    path = folder / "01_test.tif"
    save(tmp_path / "mask.png", (10, 10, 30, 20))
    for rule in ("auto", "none"):
        (photograph,) = photographs_in(given([str(path)]), rule)
        assert photograph.find_fov == (rule == "auto") and photograph.read()[1] is None
    mask = read_with_mask(path, str(tmp_path / "mask.png"))[1]
    assert mask.sum() == 200 and mask[10:20, 10:30].all()


def test_masks_in_a_folder_belong_to_photographs_of_their_name(folder, tmp_path):
    (tmp_path / "fov").mkdir()
    save(tmp_path / "fov/01_test_mask.png", (10, 10, 30, 20))
    save(tmp_path / "fov/02_test.png", (0, 0, 46, 48))
    first, _, second, third = photographs_in(given([str(folder)]), str(tmp_path / "fov"))
    assert first.read()[1].sum() == 200
    assert second.read()[1].all()
    with pytest.raises(DataError, match=r"0 field-of-view masks for .*03_test"):
        third.read()


def test_an_empty_mask_is_refused(folder, tmp_path):
    Image.new("L", (46, 48)).save(tmp_path / "fov.png")
    with pytest.raises(DataError, match=r"The field-of-view mask \S*fov\.png of the photograph \S* is empty"):
        read_with_mask(folder / "01_test.tif", str(tmp_path / "fov.png"))


def test_what_is_wrong_with_a_photograph_is_said_before_what_is_with_its_mask(folder, tmp_path):
    with pytest.raises(DataError, match=r"looked for \S*none\.tif"):
        read_with_mask(folder / "none.tif", str(tmp_path))


def test_a_mask_of_another_size_is_refused(folder, tmp_path):
    save(tmp_path / "fov.png", (0, 0, 20, 20), (20, 20))
    with pytest.raises(DataError, match=r"fov\.png is \(20, 20\), the photograph .* \(48, 46\) \(height, width\)"):
        read_with_mask(folder / "01_test.tif", str(tmp_path / "fov.png"))


def test_a_data_set_gives_its_photographs_with_its_own_masks(tiny_drive, tmp_path):
    dataset = DriveDataset(tiny_drive, "test")
    found = photographs_of(dataset, "auto")
    assert [str(photograph.name) for photograph in found] == [f"{number:02d}" for number in range(1, 21)]
    photo, fov = found[6].read()
    assert torch.equal(photo, read_photo(tiny_drive / "test/images/07_test.tif"))
    assert torch.equal(fov, read_binary(tiny_drive / "test/mask/07_test_mask.gif", "mask"))
    assert photographs_of(dataset, "none")[6].read()[1] is None
    save(tmp_path / "mask.png", (10, 10, 30, 20))
    assert photographs_of(dataset, str(tmp_path / "mask.png"))[6].read()[1].sum() == 200
    assert not dataset.kept.items  # each goes with its photograph


# Arrays

RGB = np.array([[[0, 51, 255], [102, 153, 204]]], dtype=np.uint8)  # (1, 2, 3)
PLANES = [[[0, 102]], [[51, 153]], [[255, 204]]]  # (3, 1, 2)


@pytest.mark.parametrize(
    "array",
    [
        RGB,
        RGB.transpose(2, 0, 1),
        torch.tensor(PLANES, dtype=torch.uint8),
        RGB / 255,  # float64
        (RGB / 255).astype(np.float16),
        (RGB / 255).astype(">f4"),
        torch.tensor(PLANES, requires_grad=True, dtype=torch.float32) / 255,
        np.ascontiguousarray(RGB[:, ::-1])[:, ::-1],  # negative strides
    ],
    ids=["HWC", "CHW", "torch", "float64", "float16", "big-endian", "torch float", "strides"],
)
def test_an_array_in_any_order_is_a_photograph(array):
    found = as_photograph(array)
    whole = np.asarray(array).dtype == np.uint8 if isinstance(array, np.ndarray) else array.dtype == torch.uint8
    assert found.dtype == (torch.uint8 if whole else torch.float32) and found.is_contiguous()
    expected = torch.tensor(PLANES, dtype=torch.float32) / (1 if whole else 255)
    torch.testing.assert_close(found.float(), expected, atol=1e-3, rtol=0)  # of float16


def test_an_array_has_the_channels_of_training():
    five = np.random.default_rng(0).integers(0, 65536, (5, 6, 7)).astype(np.uint16)
    for array in (five, five.transpose(1, 2, 0)):
        assert np.array_equal(as_photograph(array, 5).numpy(), (five / 65535).astype(np.float32))
    assert as_photograph(np.zeros((6, 7), np.uint8), 1).shape == (1, 6, 7)
    with pytest.raises(ConfigError, match=r"found \(6, 7\) uint8, expected \(H, W, 5\), \(5, H, W\) in uint8"):
        as_photograph(np.zeros((6, 7), np.uint8), 5)


def test_grey_becomes_three_equal_channels():
    assert as_photograph(np.array([[0.0, 0.5], [0.25, 1.0]])).tolist() == [[[0.0, 0.5], [0.25, 1.0]]] * 3
    assert as_photograph(torch.tensor([[7, 8]], dtype=torch.uint8)).tolist() == [[[7, 8]]] * 3
    assert as_photograph(torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16)).tolist() == [[[0.0, 1.0]]] * 3


def test_three_pixels_of_three_are_height_by_width_by_channel():
    array = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    assert as_photograph(array)[1].tolist() == [[1, 4, 7], [10, 13, 16], [19, 22, 25]]


def test_a_photograph_is_a_copy():
    array = torch.zeros(3, 4, 5, dtype=torch.uint8)
    as_photograph(array).fill_(9)
    as_photograph(array.permute(1, 2, 0)).fill_(9)
    assert (array == 0).all()


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((4, 5, 4), np.uint8), r"\(4, 5, 4\) uint8"),
        (np.zeros((1, 3, 4, 5), np.uint8), r"\(1, 3, 4, 5\) uint8"),
        (np.zeros(6), r"\(6,\) float64"),
        (np.zeros((0, 5, 3), np.uint8), r"\(0, 5, 3\) uint8"),
        (np.zeros((4, 5), np.int16), r"\(4, 5\) int16"),
        (np.zeros((4, 5), bool), r"\(4, 5\) bool"),
        (torch.zeros(4, 5, dtype=torch.int64), r"\(4, 5\) int64"),
        (np.full((4, 5), 255.0), r"\(4, 5\) float64 from 255 to 255"),
        (np.array([[-0.1, 1.0]]), r"\(1, 2\) float64 from -0\.1 to 1"),
        (np.array([[0.5, 1e300]]), r"\(1, 2\) float64 from 0\.5 to 1e\+300"),
        (np.array([[0.5, np.nan]]), r"\(1, 2\) float64 from nan to nan"),
    ],
)
def test_another_array_is_refused_with_what_was_found_and_expected(array, found):
    with pytest.raises(ConfigError, match=rf"found {found}.* expected \(H, W, 3\), \(3, H, W\) or \(H, W\) in uint8"):
        as_photograph(array)
