import pytest
import torch
from torch import nn

from unet_lightning.errors import ConfigError
from unet_lightning.models.context import Geometry, cut, mirrored, same_size
from unet_lightning.models.unet import UNet
from unet_lightning.models.unet_paper import UNetPaper


class Eroded(nn.Module):
    """Three pixels lost on each side, inputs of 8, 12, 16 and so on; sums each neighbourhood of 7 x 7."""

    margin, stride, least = 3, 4, 8

    def forward(self, image):
        assert all(side >= 8 and side % 4 == 0 for side in image.shape[-2:])
        summed = nn.functional.conv2d(image, torch.ones(1, 1, 7, 7, dtype=image.dtype))
        return {"out": summed, "aux": image[..., 3:-3, 3:-3]}


def test_mirrored_indices_by_hand():
    assert mirrored(-3, 7, 4).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    assert mirrored(-3, 4, 2).tolist() == [1, 0, 1, 0, 1, 0, 1]  # further than the axis is long
    assert mirrored(-2, 3, 1).tolist() == [0] * 5


def test_a_window_beyond_the_border_is_what_reflection_padding_gives():
    image = torch.rand(2, 3, 9, 12)
    expected = nn.functional.pad(image, (4, 6, 2, 7), mode="reflect")
    assert torch.equal(cut(image, -2, -4, 9 + 9, 12 + 10), expected)


def test_a_window_within_the_image_is_a_view():
    image = torch.rand(3, 9, 12)
    window = cut(image, 2, 5, 4, 7)
    assert torch.equal(window, image[:, 2:6, 5:12])
    assert window.untyped_storage().data_ptr() == image.untyped_storage().data_ptr()


@pytest.mark.parametrize(("length", "side"), [(1, 8), (2, 8), (3, 12), (6, 12), (7, 16)])
def test_the_next_side_that_a_network_takes(length, side):
    assert Geometry.of(Eroded()).side_for(length) == side
    assert Geometry().side_for(length) == length


def test_a_network_says_what_it_needs_by_its_attributes():
    assert Geometry.of(nn.Identity()) == (None, 1, False, 0, 0)
    assert Geometry.of(Eroded()) == (None, 4, False, 3, 8)
    assert Geometry.of(UNetPaper(base_c=1)) == (0, 16, False, 92, 188)
    assert Geometry.of(UNet(base_c=1)) == (128, 16, True, 0, 0)
    assert Geometry.of(UNet(base_c=1, bilinear=False)) == (112, 16, True, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (4, 3), (37, 20)])
def test_every_output_has_the_size_of_the_image_and_sees_it_mirrored(size):
    image = torch.rand(2, 1, *size, dtype=torch.float64)
    outputs = same_size(Eroded(), image)
    assert torch.equal(outputs["aux"], image)
    rows, cols = ([abs(x) if n == 1 else x for x in mirrored(-3, n + 3, n).tolist()] for n in size)
    for y in range(size[0]):
        for x in range(size[1]):
            seen = image[:, :, rows[y : y + 7]][..., cols[x : x + 7]]
            assert torch.allclose(outputs["out"][..., y, x], seen.sum((-2, -1)))


def test_a_network_without_margin_gets_the_image_itself():
    image = torch.rand(1, 3, 5, 7)
    outputs = same_size(seen := Recorder(), image)
    assert seen.image is image and outputs["out"].data_ptr() == image.data_ptr()


class Recorder(nn.Module):
    def forward(self, image):
        self.image = image
        return {"out": image}


def test_an_image_is_continued_to_multiples_of_a_stride_unless_the_network_takes_any_size():
    seen = Recorder()
    seen.stride = 32
    outputs = same_size(seen, image := torch.rand(1, 3, 33, 64))
    assert seen.image.shape == (1, 3, 64, 64)
    assert torch.equal(seen.image[:, :, 33], image[:, :, 31])  # mirrored
    assert torch.equal(outputs["out"], image)
    seen.any_size = True
    same_size(seen, image)
    assert seen.image is image


def test_logits_may_come_alone():
    image = torch.rand(1, 3, 5, 7)
    assert torch.equal(same_size(nn.Identity(), image)["out"], image)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([torch.zeros(1)], r'Fixed returns list, expected logits \(B, C, H, W\), or \{"out": logits\}'),
        ({"logits": torch.zeros(1)}, "Fixed returns dict with logits, expected"),
        (torch.zeros(1, 2, 4, 4), r"image of \(8, 8\) pixels with out of \(4, 4\), expected \(8, 8\)"),
        ({"out": torch.zeros(1, 2, 8, 8), "aux": torch.zeros(1, 2, 4, 4)}, "pixels with aux of"),
    ],
)
def test_what_are_no_logits_of_the_image_is_said(found, said):
    class Fixed(nn.Module):
        def forward(self, image):
            return found

    with pytest.raises(ConfigError, match=said):
        same_size(Fixed(), torch.zeros(1, 3, 8, 8))


def test_the_memory_format_of_the_image_stays():
    class Checked(Eroded):
        def forward(self, image):
            assert image.is_contiguous(memory_format=torch.channels_last)
            return {"out": image[..., 3:-3, 3:-3]}

    same_size(Checked(), torch.rand(2, 3, 9, 12).contiguous(memory_format=torch.channels_last))


def test_gradients_come_back_through_the_mirrored_border():
    image = torch.rand(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: same_size(Eroded(), x)["out"], image)
