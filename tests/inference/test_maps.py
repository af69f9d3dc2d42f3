import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from unet_lightning.errors import DataError
from unet_lightning.inference.maps import BAND, read_probability, save_image, save_probability

MASK = torch.tensor([[255, 0, 0], [0, 255, 0]], dtype=torch.uint8)


def test_a_mask_is_0_and_255(tmp_path):
    save_image(MASK, tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as image:
        assert (image.mode, image.size) == ("L", (3, 2))
        assert pil_to_tensor(image)[0].tolist() == [[255, 0, 0], [0, 255, 0]]


def test_a_probability_is_kept_in_16_bits(tmp_path):
    probability = torch.rand(9, 11, generator=torch.Generator().manual_seed(0))
    probability[0, :3] = torch.tensor([0.0, 1.0, 0.5])
    save_probability(probability, tmp_path / "probability.png")
    with Image.open(tmp_path / "probability.png") as image:
        assert (image.mode, image.size) == ("I;16", (11, 9))
        levels = torch.tensor([[image.getpixel((x, y)) for x in range(11)] for y in range(9)])
    assert levels[0, :2].tolist() == [0, 65535]
    assert (levels / 65535 - probability).abs().max() <= 0.5001 / 65535  # rounded, not cut


@pytest.mark.parametrize(("shape", "mode"), [((4, 5), "L"), ((3, 4, 5), "RGB")])
def test_an_image_reads_back_as_it_was(shape, mode, tmp_path):
    pixels = torch.arange(60, dtype=torch.uint8)[: 20 if len(shape) == 2 else 60].reshape(shape)
    save_image(pixels, tmp_path / "image.png")
    with Image.open(tmp_path / "image.png") as image:
        assert image.mode == mode
        assert torch.equal(pil_to_tensor(image).reshape(shape), pixels)


@pytest.mark.parametrize("height", [BAND - 1, BAND, BAND + 1, 2 * BAND + 3])
def test_an_image_of_several_bands_reads_back_as_it_was(height, tmp_path):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (height, 7, 3), dtype=torch.uint8, generator=generator).permute(2, 0, 1)
    probability = torch.rand(height, 7, generator=generator)
    save_image(pixels, tmp_path / "image.png")
    save_probability(probability, tmp_path / "map.png")
    with Image.open(tmp_path / "image.png") as image:
        assert torch.equal(pil_to_tensor(image), pixels)
    assert (read_probability(tmp_path / "map.png") - probability).abs().max() <= 0.5001 / 65535


@pytest.mark.parametrize(("save", "pixels"), [(save_image, MASK), (save_probability, MASK / 255)])
def test_a_failure_leaves_nothing_behind(save, pixels, tmp_path):
    with pytest.raises(ValueError, match="unknown file extension"):
        save(pixels, tmp_path / "map.xyz")
    assert list(tmp_path.iterdir()) == []


LEVELS = np.array([[0, 51, 255], [102, 204, 153]], dtype=np.uint8)  # fifths
FIFTHS = torch.tensor([[0.0, 0.2, 1.0], [0.4, 0.8, 0.6]])


@pytest.mark.parametrize(
    ("suffix", "levels"),
    [("png", LEVELS), ("png", LEVELS.astype(np.uint16) * 257), ("tif", LEVELS.astype(">u2") * 257)],
)
def test_a_grey_map_is_read_by_the_greatest_value_of_its_type(suffix, levels, tmp_path):
    Image.fromarray(levels).save(tmp_path / f"map.{suffix}")
    found = read_probability(tmp_path / f"map.{suffix}")
    assert found.dtype == torch.float32
    assert torch.allclose(found, FIFTHS, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3)])
def test_an_array_of_floats_is_read_as_it_is(shape, dtype, tmp_path):
    np.save(tmp_path / "map.npy", FIFTHS.numpy().astype(dtype).reshape(shape))
    found = read_probability(tmp_path / "map.npy")
    assert (found.shape, found.dtype) == ((2, 3), torch.float32)
    assert torch.allclose(found, FIFTHS, atol=1e-3)
    found[0, 0] = 1  # a copy, not the file


def test_what_rounding_adds_is_cut_off(tmp_path):
    np.save(tmp_path / "map.npy", np.array([[1.0000002, -1e-8]], dtype=np.float32))
    assert read_probability(tmp_path / "map.npy").tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[0.5, np.nan]]), r"has values from nan to nan, expected 0 to 1"),
        (np.array([[0.5, np.inf]]), r"has values from 0\.5 to inf"),
        (np.array([[-3.2, 4.7]]), r"has values from -3\.2 to 4\.7, .* not logits"),
        (LEVELS, r"holds \(2, 3\) uint8, expected \(H, W\) or \(1, H, W\) floats"),
        (np.zeros((2, 3, 4)), r"holds \(2, 3, 4\) float64"),
        (np.zeros(6), r"holds \(6,\) float64"),
        (np.zeros((0, 3)), r"array\.npy"),
        (np.array([[{"probability": 1}]], dtype=object), r"holds more than plain numbers"),
    ],
    ids=lambda value: None if isinstance(value, str) else f"{value.shape}-{value.dtype}",
)
def test_an_array_that_is_no_map_is_refused(array, message, tmp_path):
    np.save(tmp_path / "array.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=message):
        read_probability(tmp_path / "array.npy")


@pytest.mark.parametrize("mode", ["RGB", "LA", "P", "1", "F", "I"])
def test_an_image_that_is_not_grey_of_8_or_16_bits_is_refused(mode, tmp_path):
    Image.new(mode, (3, 2)).save(tmp_path / ("map.tif" if mode in "FI" else "map.png"))
    with pytest.raises(DataError, match=rf"has Pillow mode {mode}, expected grey of 8 or 16 bits"):
        read_probability(next(tmp_path.iterdir()))


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archived(array):
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("map.npy", b"", "is broken"),
        ("map.npy", b"\x93NUMPY", "is broken"),
        ("map.npy", b"a text", "is broken"),
        ("map.npy", saved(np.zeros((20, 30)))[:-8], "is broken"),
        ("map.npy", archived(np.zeros((2, 3))), "is broken, or holds more than plain numbers"),
        ("map.npy", archived(np.zeros((2, 3)))[:-8], "is broken"),
        ("map.png", b"a text", "is not an image"),
        ("map.png", b"", "is not an image"),
    ],
)
def test_a_broken_file_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"map\.(npy|png).*{message}|{message}.*map\.(npy|png)"):
        read_probability(tmp_path / name)


def test_a_truncated_image_is_named(tmp_path):
    save_probability(torch.rand(60, 50), tmp_path / "map.png")
    content = (tmp_path / "map.png").read_bytes()
    (tmp_path / "map.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"is broken: .*map\.png"):
        read_probability(tmp_path / "map.png")


def test_a_missing_map_is_named(tmp_path):
    with pytest.raises(DataError, match=r"No probability map: looked for .*nowhere\.png"):
        read_probability(tmp_path / "nowhere.png")
