import pytest
import torch

from unet_lightning.data.drive import expected_files
from unet_lightning.data.fov import diameter, find_field_of_view
from unet_lightning.data.reading import read_binary, read_photo


def disc(height, width, radius):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (y - height // 2) ** 2 + (x - width // 2) ** 2 <= radius**2


def iou(found, expected):
    return float((found & expected).sum() / (found | expected).sum())


@pytest.mark.parametrize("radius", [90, 130])  # within the photograph, and cut off above and below
def test_a_disc_before_a_dark_ground_is_found_with_the_dark_spots_in_it(radius):
    expected = disc(200, 280, radius)
    photo = torch.where(expected, 180, 4).expand(3, -1, -1).to(torch.uint8).clone()
    photo[:, 100:115, 140:160] = 0
    assert iou(find_field_of_view(photo), expected) > 0.97


@pytest.mark.parametrize("level", [0, 7, 200])
def test_a_photograph_without_a_dark_ground_is_all_field_of_view(level):
    assert find_field_of_view(torch.full((3, 30, 40), level, dtype=torch.uint8)).all()


@pytest.mark.parametrize("scale", [1, 7])
def test_a_large_photograph_is_looked_at_in_a_small_copy(scale):
    expected = disc(200, 280, 90)
    photo = torch.where(expected, 180, 4).expand(3, -1, -1).to(torch.uint8)
    large = photo.repeat_interleave(scale, 1).repeat_interleave(scale, 2)  # up to 1400 x 1960
    found = find_field_of_view(large)
    assert found.shape == (200 * scale, 280 * scale)
    assert found.dtype == torch.bool
    assert iou(found, expected.repeat_interleave(scale, 0).repeat_interleave(scale, 1)) > 0.97
    assert diameter(found) / scale == pytest.approx(181, abs=2)


def test_the_small_copy_does_not_widen_the_field_of_view():
    photo = torch.where(disc(1500, 2400, 600), 180, 4).expand(3, -1, -1).to(torch.uint8)
    small = torch.where(disc(750, 1200, 300), 180, 4).expand(3, -1, -1).to(torch.uint8)
    shares = [float(find_field_of_view(image).float().mean()) for image in (photo, small)]
    assert shares[0] == pytest.approx(shares[1], rel=2e-3)  # half a small pixel of the radius would be 3e-3


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 1300)])
def test_the_smallest_photographs_have_a_field_of_view_too(size):
    assert find_field_of_view(torch.full((3, *size), 90, dtype=torch.uint8)).all()


def test_every_field_of_view_of_the_real_data_set_is_found(real_drive):
    for number in range(1, 41):
        files = expected_files(number)
        found = find_field_of_view(read_photo(real_drive / files["photo"]))
        assert iou(found, read_binary(real_drive / files["fov"], "mask")) > 0.98, number
