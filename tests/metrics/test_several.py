import math

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.several import summarise_classes
from unet_lightning.metrics.summary import CALIBRES, SURFACE, TOPOLOGY, summarise

# Class 3 is in no image. In the first class 1 has 2 true positives and a false one, class 2 is missed; in the second
# class 1 is in neither, class 2 has 1 true positive and a false negative; the third is of background alone.
TARGETS = [torch.tensor([row], dtype=torch.uint8) for row in ([1, 1, 0, 2, IGNORE], [0, 2, 2, 0, 0], [0, 0, 0, 0, 0])]
CALLED = [torch.tensor([row]) for row in ([1, 1, 1, 0, 3], [0, 2, 0, 0, 0], [0, 0, 0, 0, 0])]


def near(expected):
    return pytest.approx(expected, nan_ok=True)


@pytest.fixture(scope="module")
def found():
    probabilities = [torch.stack([0.8 * (one == number) + 0.1 for number in (1, 2, 3)]) for one in CALLED]
    return summarise_classes(CALLED, TARGETS, probabilities, 4)


def test_the_headline_is_the_mean_over_the_classes_but_the_background_of_each_image(found):
    first = (4 / 5 + 0) / 2
    assert [row["dice"] for row in found.mean.per_image] == near([first, 2 / 3, math.nan])
    assert found.mean.mean["dice"] == near((first + 2 / 3) / 2)
    assert found.mean.sd["dice"] == near(abs(first - 2 / 3) / math.sqrt(2))
    assert [row["accuracy"] for row in found.mean.per_image] == near([2 / 4, 4 / 5, 1])


def test_pooled_figures_are_means_of_the_classes_that_are_somewhere(found):
    assert found.mean.pooled["dice"] == near((4 / 5 + 2 * 1 / (1 + 3)) / 2)
    assert found.mean.pooled["iou"] == near((2 / 3 + 1 / 3) / 2)
    # The background: 8 right, 2 of class 2 called so, 1 of it called class 1.
    assert found.each[0].pooled["iou"] == near(8 / 11)
    assert found.mean.pooled["miou_with_background"] == near((8 / 11 + 2 / 3 + 1 / 3) / 3)
    assert found.mean.pooled["accuracy"] == near(11 / 14)


def test_what_a_class_has_no_figure_for_is_left_out(found):
    _, one, two, three = found.each
    assert [row["dice"] for row in one.per_image] == near([4 / 5, math.nan, math.nan])
    assert one.mean["dice"] == near(4 / 5)
    assert [row["specificity"] for row in one.per_image] == near([1 / 2, 1, 1])
    assert [row["sensitivity"] for row in two.per_image] == near([0, 1 / 2, math.nan])
    assert [row["precision"] for row in two.per_image] == near([math.nan, 1, math.nan])
    assert math.isnan(three.mean["dice"]) and math.isnan(three.pooled["dice"]) and three.mean["specificity"] == 1
    assert all(math.isnan(three.mean[name]) for name in (*TOPOLOGY, *CALIBRES, *SURFACE))


def test_the_outlines_of_a_class_are_measured_where_label_or_map_has_it(found):
    _, one, two, _ = found.each
    # In the first image one of three pixels called class 1 is a pixel beside it: the 95th percentile is 0.9.
    assert [row["hd95"] for row in one.per_image] == near([0.9, math.nan, math.nan])
    # Class 2 is missed in the first, and half of it in the second.
    assert [row["hd95"] for row in two.per_image] == near([math.hypot(1, 5), 0.95, math.nan])
    assert [row["nsd_2px"] for row in two.per_image] == near([0, 1, math.nan])
    assert found.mean.per_image[0]["nsd_2px"] == near((1 + 0) / 2)


def test_the_confusion_matrix_and_the_shares_are_of_all_counted_pixels(found):
    assert found.confusion.tolist() == [[8, 1, 0, 0], [0, 2, 0, 0], [2, 0, 1, 0], [0, 0, 0, 0]]
    assert found.shares == near([9 / 14, 2 / 14, 3 / 14, 0])


def test_images_without_a_counted_pixel_have_no_figures():
    nothing = [torch.full_like(TARGETS[0], IGNORE)]
    found = summarise_classes(CALLED[:1], nothing, [], 4)
    assert all(math.isnan(value) for one in (found.mean, *found.each) for value in one.mean.values())
    assert all(math.isnan(share) for share in found.shares)


def test_of_the_one_class_of_two_an_image_without_it_still_has_1():
    assert summarise([CALLED[2] == 1], [TARGETS[2]]).mean["dice"] == 1
