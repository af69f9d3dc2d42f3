import torch

from unet_lightning.inference.maps import overlay

PHOTO = torch.randint(256, (3, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_vessels_are_painted_and_the_rest_stays():
    vessels = torch.zeros(9, 7, dtype=torch.bool)
    vessels[2, 3:6] = vessels[8, 0] = True
    painted = overlay(PHOTO.clone(), vessels[None])
    assert painted.dtype == torch.uint8
    assert torch.equal(painted[:, ~vessels], PHOTO[:, ~vessels])
    # Sky blue, #56B4E9, at 85 %.
    expected = [
        [round(0.15 * int(old) + 0.85 * new) for new, old in zip((86, 180, 233), p, strict=True)]
        for p in PHOTO[:, vessels].T
    ]
    assert painted[:, vessels].T.tolist() == expected


def test_a_photograph_stored_pixel_by_pixel_is_painted_alike():
    vessels = torch.rand(9, 7, generator=torch.Generator().manual_seed(1)) < 0.5
    by_pixel = PHOTO.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(overlay(by_pixel, vessels[None]), overlay(PHOTO.clone(), vessels[None]))


def test_no_copy_is_made():
    photo = PHOTO.clone()
    assert overlay(photo, torch.ones(1, 9, 7, dtype=torch.bool)) is photo


def test_each_class_has_its_colour():
    drawn = torch.zeros(2, 9, 7, dtype=torch.bool)
    drawn[0, 0, 0] = drawn[1, 0, 1] = True
    painted = overlay(torch.zeros(3, 9, 7, dtype=torch.uint8), drawn)
    # Sky blue and orange, #E69F00, at 85 % on black.
    assert painted[:, 0, :3].T.tolist() == [[73, 153, 198], [196, 135, 0], [0, 0, 0]]
