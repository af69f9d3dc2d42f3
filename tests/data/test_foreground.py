from collections import Counter

import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from unet_lightning.data import foreground
from unet_lightning.data.foreground import ForegroundCrop, Rows
from unet_lightning.data.labels import IGNORE, Sample
from unet_lightning.data.sampling import TransformedDataset, Visit
from unet_lightning.data.transforms import FILL, rotate_zoom_crop, scale_flip_crop, turn_flip_crop
from unet_lightning.errors import ConfigError

still = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
AUGMENTATIONS = {
    "turn": lambda share: turn_flip_crop(32, **still, foreground=share),
    "rotate": lambda share: rotate_zoom_crop(32, 180, (0.8, 1.25), **still, foreground=share),
    "scale": lambda share: scale_flip_crop(48, 80, 120, foreground=share),
}


def sample(target, name="21"):
    """The photograph shows the number of each pixel's class."""
    return Sample(tv_tensors.Image(target.expand(3, -1, -1).clone()), tv_tensors.Mask(target), name)


def blank(height=100, width=90):
    return torch.zeros(height, width, dtype=torch.uint8)


def draws(transform, one, count=40):
    for seed in range(count):
        torch.manual_seed(seed)
        yield transform(one)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
@pytest.mark.parametrize("place", [(50, 45), (0, 0), (98, 2), (3, 87)], ids=str)
def test_a_crop_on_foreground_has_it_wherever_it_is(augmentation, place):
    target = blank()
    target[60:70, 30:40] = IGNORE
    target[place[0] : place[0] + 2, place[1] : place[1] + 2] = 1
    for image, label, _ in draws(augmentation(1.0), sample(target)):
        assert (label == 1).any()
        assert label.shape == image.shape[1:]
        assert (image[0][label == 0] == 0).float().mean() > 0.95  # aligned, but for blended edges


def test_away_from_the_border_the_pixel_is_at_the_centre():
    target = blank()
    target[40, 50] = 2
    for image, label, _ in draws(ForegroundCrop(32, 1.0, FILL), sample(target)):
        assert label[16, 16] == image[0, 16, 16] == 2


def test_a_share_of_the_crops_is_on_foreground():
    target = blank(400, 400)
    target[200, 200] = 1
    found = sum(bool((label == 1).any()) for _, label, _ in draws(ForegroundCrop(4, 0.25, FILL), sample(target), 400))
    assert 70 < found < 130  # 100 +- 8.7, and next to none by chance


def test_each_class_of_the_image_has_the_same_chance_and_each_of_its_pixels():
    target = blank()
    target[20, 30] = 1
    target[70:80, 40:50] = 2
    target[90, 0] = IGNORE
    rows, chance = Rows(target), torch.Generator().manual_seed(0)
    found = [rows.find(target, torch.rand(2, generator=chance).tolist()) for _ in range(4000)]
    by_class = Counter(int(target[place]) for place in found)
    assert set(by_class) == {1, 2} and 1850 < by_class[1] < 2150
    pixels = Counter(place for place in found if target[place] == 2)
    assert len(pixels) == 100 and max(pixels.values()) < 45  # 20 each


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_without_a_share_not_a_bit_is_another(augmentation):
    crops = [one for one in augmentation(0.0).transforms if isinstance(one, v2.RandomCrop)]
    assert [type(one) for one in crops] == [v2.RandomCrop]


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_an_image_of_background_is_cropped_anywhere(augmentation):
    target = blank()
    target[:30] = IGNORE
    for _, label, _ in draws(augmentation(1.0), sample(target), 5):
        assert set(label.unique().tolist()) <= {0, IGNORE}


@pytest.mark.parametrize("side", [20, 40])
def test_a_photograph_smaller_than_the_crop_stays_whole(side):
    target = blank(side, 24)
    target[0, 0] = 1
    for image, label, _ in draws(ForegroundCrop(64, 1.0, FILL), sample(target)):
        assert label.shape == (64, 64)
        assert (label != IGNORE).sum() == side * 24
        assert (image[:, label == IGNORE] == 0).all()


def test_pixels_are_counted_once_an_image(monkeypatch):
    counted = []
    monkeypatch.setattr(foreground, "Rows", lambda target: counted.append(1) or Rows(target))
    target = blank()
    target[10, 10] = 1
    transform = turn_flip_crop(32, **still, foreground=1.0)
    for name in ("21", "22", "21"):
        list(draws(transform, sample(target, name), 5))
    assert len(counted) == 2
    list(draws(transform, sample(blank(), "23"), 5))
    assert len(counted) == 3


def test_another_target_of_the_same_name_is_counted_anew():
    first, second = blank(), blank(60, 60)
    first[90, 80], second[5, 5] = 1, 1
    transform = ForegroundCrop(16, 1.0, FILL)
    for target in (first, second, first):
        assert all((label == 1).any() for _, label, _ in draws(transform, sample(target), 5))


def test_a_visit_gives_the_same_crop_whatever_came_before():
    target = (torch.rand(100, 90, generator=torch.Generator().manual_seed(0)) < 0.05).to(torch.uint8)
    photographs = [sample(target, "21"), sample(target.flip(0), "22")]
    used, fresh = (TransformedDataset(photographs, turn_flip_crop(32, **still, foreground=0.5)) for _ in range(2))
    visits = [Visit(number % 2, seed=number) for number in range(12)]
    before = [used[visit].target for visit in visits]
    for visit, expected in reversed(list(zip(visits, before, strict=True))):
        assert torch.equal(used[visit].target, expected)
        assert torch.equal(fresh[visit].target, expected)


@pytest.mark.parametrize("share", [-0.1, 1.1, True, "0.5", None])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ConfigError, match=r"data\.augment\.foreground must be a share from 0 to 1"):
        turn_flip_crop(32, **still, foreground=share)
