import pytest
import torch

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.predictor import PredictionOptions
from unet_lightning.inference.scale import scale_for, scaled, scaled_back

ROWS, COLS = torch.meshgrid(torch.arange(60), torch.arange(80), indexing="ij")
WIDE = ((ROWS - 30) ** 2 + (COLS - 40) ** 2 <= 24.5**2) & (ROWS >= 10) & (ROWS < 50)  # 49 pixels wide, cut off to 40
PHOTO = torch.full((3, 60, 80), 100, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("trained", "factor"), [(100, 2.0), (25, 0.5), (50, 1.0), (51, 1.0), (48, 1.0), (54, 1.09), (45, 0.91)]
)
def test_the_field_of_view_is_brought_to_the_diameter_of_training_if_it_differs_by_5_percent(trained, factor):
    assert scale_for(PHOTO, WIDE, trained) == (pytest.approx(factor, rel=0.03), None)


def test_without_a_mask_the_field_of_view_is_found():
    photo = torch.where(WIDE, 200, 0).to(torch.uint8).expand(3, -1, -1)
    assert scale_for(photo, None, 100) == (pytest.approx(2.0, rel=0.1), None)


@pytest.mark.parametrize("fov", [None, torch.ones(60, 80, dtype=torch.bool)], ids=["found", "given"])
def test_a_photograph_without_a_dark_ground_stays_as_it_is_and_it_is_said(fov):
    assert scale_for(PHOTO, fov, 100) == (1, "no field of view was found, by which to scale it")


def test_a_field_of_view_that_is_not_round_is_not_followed():
    square = torch.zeros_like(WIDE)
    square[10:50, 20:60] = True
    assert scale_for(PHOTO, square, 100) == (1, "the field of view is not round, by which to scale it")


def test_without_a_field_of_view_in_training_a_photograph_stays_as_it_is():
    assert scale_for(PHOTO, WIDE, None) == (1, None)


@pytest.mark.parametrize("trained", [3, 801])
def test_two_fields_of_view_that_no_two_cameras_have_are_refused(trained):
    with pytest.raises(
        ConfigError, match=rf"is (49|50) pixels wide, that of the training photographs {trained}: a factor"
    ):
        scale_for(PHOTO, WIDE, trained)


def test_an_empty_mask_is_refused():
    with pytest.raises(DataError, match="field-of-view mask is empty"):
        scale_for(PHOTO, torch.zeros_like(WIDE), 100)


@pytest.mark.parametrize("scale", ["none", "auto", 1, 0.0625, 16.0])
def test_scales_that_are_taken(scale):
    PredictionOptions(scale=scale)


@pytest.mark.parametrize("scale", ["half", "2", 0, -1, 0.06, 16.1, True, None, float("nan")])
def test_scales_that_are_refused(scale):
    with pytest.raises(ConfigError, match=r"scale must be auto, none or a factor from 1/16 to 16, found"):
        PredictionOptions(scale=scale)


@pytest.mark.parametrize(("factor", "size"), [(2.0, (120, 160)), (0.5, (30, 40)), (0.0625, (4, 5)), (0.001, (2, 2))])
def test_a_photograph_is_scaled_in_uint8_and_keeps_its_level(factor, size):
    found = scaled(PHOTO, factor)
    assert found.shape == (3, *size)
    assert found.dtype == torch.uint8
    assert (found == 100).all()


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = torch.tensor([0, 0, 150], dtype=torch.uint8).repeat(27).expand(3, 60, 81)  # the middle of three is dark
    found = scaled(stripes, 1 / 3)
    assert (found[..., 1:-1].int() - 50).abs().max() <= 1


def test_a_map_comes_back_in_the_size_of_the_photograph_and_in_range():
    probability = torch.rand(2, 30, 40, generator=torch.Generator().manual_seed(0)).round()
    found = scaled_back(probability, 61, 79)
    assert found.shape == (2, 61, 79)
    assert 0 <= found.min() and found.max() <= 1
    assert scaled_back(probability, 30, 40) is probability
    assert scaled_back(torch.ones(1, 7, 7), 3, 3).max() == 1  # rounding alone would leave 1.0000002


def test_a_scale_with_too_many_pixels_is_refused():
    photo = torch.zeros(3, 1, 1, dtype=torch.uint8).expand(3, 1000, 800)  # 800,000 pixels without their memory
    with pytest.raises(ConfigError, match=r"A scale of 12 makes 9600 x 12000 pixels .* at most 100,000,000"):
        scaled(photo, 12.0)
