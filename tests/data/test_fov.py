import pytest
import torch

from unet_lightning.data.drive import expected_files
from unet_lightning.data.fov import diameter, doubt, find_field_of_view
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary


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


def on_ground(name):
    """A photograph of a disc of 180 pixels, off the middle, before a ground of some kind; the disc."""
    height, width = (700, 900) if name == "wide border" else (240, 320)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    field = (y - 120) ** 2 + (x - 140) ** 2 <= 90**2
    generator = torch.Generator().manual_seed(0)
    texture = 120 + 60 * torch.rand(height, width, generator=generator) + x * 0.1
    ground = {"white": 250.0, "grey": 100.0}.get(name, 4.0) * torch.ones(height, width)
    if name == "letters":
        for column in range(6, 300, 9):
            ground[8:22, column : column + 3] = 255  # strokes
            ground[14:17, column : column + 6] = 255
    if name == "frame":
        ground[:2] = ground[:, -2:] = 255
    photo = torch.stack([torch.where(field, texture * share, ground) for share in (1, 0.5, 0.3)])
    if name == "noise":
        photo += 25 * torch.randn(photo.shape, generator=generator)
    if name == "letters over the rim":
        photo[:, 118:122, 220:290] = 255
    if name == "shadow":
        photo *= torch.where((y - 120) ** 2 + (x - 235) ** 2 < 40**2, 0.03, 1.0)
    return photo.clamp(0, 255).to(torch.uint8), field


GROUNDS = "dark, wide border, letters, frame, noise, letters over the rim, shadow, white, grey".split(", ")


@pytest.mark.parametrize("name", GROUNDS)
def test_a_disc_is_found_and_measured_before_any_ground(name):
    photo, field = on_ground(name)
    found = find_field_of_view(photo)
    assert iou(found, field) > 0.95
    assert diameter(found) == pytest.approx(181, abs=5) and doubt(found) is None


@pytest.mark.parametrize(
    "part",
    [
        (slice(60, 200), slice(None)),
        (slice(50, 190), slice(70, 210)),
        (slice(None), slice(140, None)),
        (slice(120), slice(140)),
    ],
    ids=["above and below", "on all sides", "half", "quarter"],
)
def test_a_disc_that_is_cut_off_keeps_its_diameter(part):
    photo, field = on_ground("dark")
    found = find_field_of_view(photo[:, *part])
    assert iou(found, field[part]) > 0.97
    assert diameter(found) == pytest.approx(181, abs=5)


def test_a_stretched_disc_is_found_but_tells_no_diameter():
    photo, field = (one.repeat_interleave(2, -1) for one in on_ground("dark"))
    found = find_field_of_view(photo)
    assert iou(found, field) > 0.96
    assert diameter(found) is None and doubt(found) == "the field of view is not round"


def skin():
    photo, _ = on_ground("dark")
    return torch.where(disc(240, 320, 60).roll((120, 160), (0, 1)), 20, photo.amax() - photo // 8).to(torch.uint8)


UNCLEAR = {
    "a part of a retina": lambda: on_ground("dark")[0][:, 70:170, 90:190],
    "two eyes": lambda: torch.cat([on_ground("dark")[0]] * 2, dim=2),
    "a dark corner": skin,
    "a dark strip": lambda: torch.cat([torch.zeros(3, 200, 60), torch.full((3, 200, 240), 170.0)], 2).to(torch.uint8),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_where_no_disc_is_clear_all_is_field_of_view_and_it_is_said(name):
    found = find_field_of_view(UNCLEAR[name]())
    assert found.all()
    assert doubt(found) == "no field of view was found"


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
        assert iou(found, read_binary(real_drive / files["fov"], "mask")) > 0.985, number
        assert doubt(found) is None, number
