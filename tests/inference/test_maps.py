import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from unet_lightning.inference.maps import save_image, save_mask, save_probability

MASK = torch.tensor([[True, False, False], [False, True, False]])


def test_a_mask_is_0_and_255(tmp_path):
    save_mask(MASK, tmp_path / "mask.png")
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


@pytest.mark.parametrize(("save", "pixels"), [(save_mask, MASK), (save_probability, MASK.float())])
def test_a_failure_leaves_nothing_behind(save, pixels, tmp_path):
    with pytest.raises(ValueError, match="unknown file extension"):
        save(pixels, tmp_path / "map.xyz")
    assert list(tmp_path.iterdir()) == []
