import torch

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL
from unet_lightning.results.report import overlay_errors

GREEN, ORANGE, BLUE = [0x00, 0x9E, 0x73], [0xE6, 0x9F, 0x00], [0x56, 0xB4, 0xE9]


def test_each_kind_of_pixel_has_its_colour():
    photo = torch.full((3, 2, 3), 100, dtype=torch.uint8)
    vessels = torch.tensor([[True, True, False], [False, True, False]])
    target = torch.tensor([[VESSEL, BACKGROUND, VESSEL], [BACKGROUND, IGNORE, IGNORE]], dtype=torch.uint8)
    painted = overlay_errors(photo, vessels, target).permute(1, 2, 0).tolist()
    found, called_falsely, missed = painted[0]
    left_alone, ignored_vessel, ignored_background = painted[1]
    assert (found, called_falsely, missed) == (GREEN, ORANGE, BLUE)
    assert left_alone == [50, 50, 50]  # half of the light
    assert ignored_vessel == ignored_background == [20, 20, 20]  # a fifth


def test_below_the_colours_the_photograph_is_grey():
    photo = torch.tensor([200, 100, 0], dtype=torch.uint8).view(3, 1, 1)
    painted = overlay_errors(photo, torch.zeros(1, 1, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.uint8))
    assert painted.flatten().tolist() == [59, 59, 59]  # 0.299 * 200 + 0.587 * 100 = 118.5, cut to 118; half of it


def test_the_photograph_stays_as_it_was():
    photo = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    overlay_errors(photo, torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 2, dtype=torch.uint8))
    assert (photo == 100).all()
