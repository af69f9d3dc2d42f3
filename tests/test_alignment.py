"""Photograph, label and map stay in place together: the shift that fits best is measured on thin lines."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms.v2.functional import InterpolationMode, resize

from unet_lightning.data.labels import IGNORE, VESSEL, Sample
from unet_lightning.data.transforms import nearest, scale_flip_crop
from unet_lightning.inference.maps import overlay
from unet_lightning.inference.predictor import PredictionOptions, Predictor
from unet_lightning.inference.scale import scaled, scaled_back
from unet_lightning.program import CONF
from unet_lightning.results import html
from unet_lightning.specs import SECTIONS, build
from unet_lightning.training.callbacks.panels import Panels

MOST = 0.05  # pixels
SIZE = (292, 283)  # (height, width): half of DRIVE's


def drawn_lines(size, seed=0):
    """A label `(H, W)` uint8 of lines of 1 to 3 pixels in all directions, one for each 1000 pixels."""
    (height, width), rng = size, np.random.default_rng(seed)
    canvas = Image.new("L", (width, height))
    for x, y, angle in rng.random((height * width // 1000, 3)) * (width, height, np.pi):
        across, down = rng.uniform(5, 40) * np.cos(angle), rng.uniform(5, 40) * np.sin(angle)
        ends = (x - across, y - down, x + across, y + down)
        ImageDraw.Draw(canvas).line(ends, fill=VESSEL, width=int(rng.integers(1, 4)))
    return torch.from_numpy(np.array(canvas))


def shift(one, other, inside=None):
    """By how many pixels down or right `one` must move to fit `other` best, both `(H, W)`: the greater of the two.

    A little blur keeps what is jagged from holding the two in place.
    """
    inside = torch.ones(one.shape, dtype=torch.bool) if inside is None else inside
    flat = [torch.where(inside, each.double() - each.double()[inside].mean(), 0).numpy() for each in (one, other)]
    blurred = [gaussian_filter(each, 1) for each in flat]
    return np.abs(phase_cross_correlation(*blurred, upsample_factor=100, normalization=None)[0]).max()


def photograph(size=SIZE):
    label = drawn_lines(size)
    return Sample(tv_tensors.Image(label.expand(3, -1, -1) * 255), tv_tensors.Mask(label), "21")


def test_the_measure_tells_parts_of_a_pixel():
    fine = drawn_lines((600, 600))[None].float()
    placed = [torch.nn.functional.avg_pool2d(fine.roll(by, 2), 4)[0] for by in range(3)]
    assert [shift(one, placed[0]) for one in placed] == pytest.approx([0, 0.25, 0.5], abs=0.03)


def test_the_resize_of_torchvision_would_be_found():
    label = photograph().target
    small = resize(label[None], [200, 194], InterpolationMode.NEAREST)[0]
    assert shift(small, resize(label[None] * 255, [200, 194])[0]) > 0.4


AUGMENTATIONS = sorted(Path(CONF, "data/augment").glob("*.yaml"))


@pytest.mark.parametrize("path", AUGMENTATIONS, ids=lambda path: path.stem)
def test_every_augmentation_keeps_label_and_photograph_in_place(path):
    transform = build(yaml.safe_load(path.read_text(encoding="utf-8")), SECTIONS["data"])
    sample = photograph((584, 565))
    for seed in range(6):
        torch.manual_seed(seed)
        image, target, _ = transform(sample)
        assert shift(image[0], target == VESSEL, target != IGNORE) <= MOST, seed


# Of DRIVE's shorter side of 565; 283 halves the longer one, so that each new pixel lies between two old ones.
@pytest.mark.parametrize("side", [282, 283, 300, 377, 400, 480, 566, 620, 678])
def test_at_every_size_of_the_tutorial_label_and_photograph_are_in_place(side):
    image, target, _ = scale_flip_crop(side, side, side)(photograph((584, 565)))
    assert shift(image[0], target) <= MOST


@pytest.mark.parametrize("size", [(146, 188), (73, 283), (292, 94), (584, 566), (101, 400)])
def test_a_label_at_any_height_and_width_is_in_place(size):
    label = drawn_lines(SIZE)
    assert shift(nearest(label, *size), resize(label[None] * 255, size)[0]) <= MOST


@pytest.mark.parametrize(("size", "most"), [((96, 92), 0.2), ((146, 141), 0.1), ((292, 283), 0.07)])
def test_small_labels_near_half_their_size_are_off_by_no_more_than_is_said(size, most):
    label = drawn_lines(size)
    for more in (-3, -1, 1, 3):
        target = [side // 2 + more for side in size]
        photo = resize(tv_tensors.Image(label.expand(3, -1, -1) * 255), target, antialias=True)
        assert shift(nearest(label, *target).float(), photo[0].float()) < most + 0.005


def test_each_new_pixel_has_the_class_at_its_centre():
    labels = torch.tensor([[0, 1, 2, 3, 4, 5]])
    assert nearest(labels, 1, 2).tolist() == [[1, 4]]  # centres of three
    assert nearest(labels, 1, 4).tolist() == [[0, 2, 3, 5]]  # centres at 0.75, 2.25, 3.75, 5.25
    assert nearest(labels, 2, 6).tolist() == labels.expand(2, -1).tolist()
    assert nearest(labels, 1, 3).tolist() == [[0, 3, 4]]  # between two: the left one, the right one, the left one
    assert nearest(labels, 1, 12).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]]


def test_panels_show_photograph_ground_truth_and_prediction_in_place():
    class Photographs(list):
        image_ids, classes = ("21",), ("background", "vessel")

        def photo(self, index):
            return self[index].image

    sample, panels = photograph(), Panels(side=188)
    data = Photographs([sample])
    called = panels._small(sample.target.as_subclass(torch.Tensor))
    shown = panels._picture(SimpleNamespace(datamodule=SimpleNamespace(val=data)), "21", called)
    assert shown.photo.shape == (3, 188, 182)
    assert shift(shown.truth, shown.photo[0]) <= MOST
    assert shift(shown.prediction, shown.photo[0]) <= MOST


class Seeing(nn.Module):
    """Calls vessel what is bright."""

    halo, stride = 0, 1

    def forward(self, x):
        bright = x[:, :1] * 8 - 4
        return {"out": torch.cat([torch.zeros_like(bright), bright], 1)}


@pytest.mark.parametrize("tta", ["none", "d4"])
@pytest.mark.parametrize("scale", [0.4, 0.5, 0.77, 1.5, 2.6])
def test_a_map_made_at_another_scale_is_in_place(scale, tta):
    photo = photograph().image.as_subclass(torch.Tensor)
    options = PredictionOptions(device="cpu", scale=scale, tta=tta, tile=96)
    probability = Predictor(Seeing(), [0.0] * 3, [1.0] * 3, options)(photo)
    assert shift(probability[0], photo[0]) <= MOST


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.9])
def test_scaling_there_and_back_leaves_all_in_place(scale):
    photo = photograph().image.as_subclass(torch.Tensor)
    assert shift(scaled_back(scaled(photo, scale)[:1] / 255, *SIZE)[0], photo[0]) <= MOST


def test_overlays_are_drawn_where_the_vessels_are():
    label = drawn_lines(SIZE)
    painted = overlay(torch.zeros(3, *SIZE, dtype=torch.uint8), label[None] == VESSEL)
    assert shift(painted[2], label) == 0


def test_the_pictures_of_a_report_are_in_place(monkeypatch):
    shrunk = []
    monkeypatch.setattr(html, "LONGEST", 146)
    monkeypatch.setattr(Image.Image, "save", lambda image, *_, **how: shrunk.append(np.array(image)))
    html.embed(photograph().image.as_subclass(torch.Tensor), quality=90)
    picture = torch.from_numpy(shrunk[0][..., 0].copy())  # (H, W)
    assert shift(picture, resize(photograph().image, picture.shape)[0]) <= MOST
