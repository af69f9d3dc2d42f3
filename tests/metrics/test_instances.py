import math

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from skimage.metrics import contingency_table

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.instances import InstanceCounts, count_instances
from unet_lightning.metrics.several import summarise_classes
from unet_lightning.metrics.summary import summarise

# Three cells; the map has the first but for one pixel, half of the second, nothing of the third, and one of its own.
TARGET = torch.tensor([[1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0], [0] * 12, [0] * 12])
FOUND = torch.tensor([[1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], [0] * 12, [0, 1, 1] + [0] * 9]) == 1


def test_objects_are_matched_above_an_iou_of_a_half():
    counts = count_instances(FOUND, TARGET)
    assert counts == InstanceCounts(matched=1, extra=2, missed=2, overlap=3 / 4)  # 1 / 2 is not above a half
    assert (counts.instance_f1, counts.instance_sq, counts.pq, counts.count_error) == (2 / 6, 3 / 4, 1 / 4, 0)


def test_cells_that_touch_at_a_corner_are_one_and_a_map_that_parts_them_is_wrong():
    target = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    counts = count_instances((target == 1) & (torch.arange(4) != 2), target)
    assert counts == InstanceCounts(matched=0, extra=2, missed=1, overlap=0)
    assert counts.count_error == 1


def test_nothing_to_find_and_nothing_found():
    empty, cell = torch.zeros(3, 3, dtype=torch.uint8), torch.ones(3, 3, dtype=torch.uint8)
    assert count_instances(empty == 1, empty).pq == 1
    missed = count_instances(empty == 1, cell)
    assert (missed.pq, missed.instance_f1, missed.count_error) == (0, 0, 1) and math.isnan(missed.instance_sq)


def test_ignored_pixels_change_nothing():
    covered = TARGET.clone()
    covered[2] = IGNORE  # where the map has an object of its own
    assert count_instances(FOUND, covered) == InstanceCounts(1, 1, 2, 3 / 4)


def test_matches_are_those_of_scikit_images_contingency_table():
    generator = torch.Generator().manual_seed(0)
    target = (torch.rand(60, 60, generator=generator) > 0.75).to(torch.uint8)
    found = (target == 1) ^ (torch.rand(60, 60, generator=generator) > 0.97)
    mine, theirs = (label(mask, structure=np.ones((3, 3)))[0] for mask in (found.numpy(), target.numpy()))
    table = contingency_table(theirs, mine).toarray()  # (target, map), background first
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table
    iou = (table / union)[1:, 1:]
    counts = count_instances(found, target)
    assert counts.matched == (iou > 0.5).sum() > 20
    assert counts.overlap == pytest.approx(iou[iou > 0.5].sum())
    assert (counts.matched + counts.missed, counts.matched + counts.extra) == iou.shape


def test_figures_of_a_set_of_images_pool_objects_and_leave_out_what_is_not_there():
    nothing = torch.zeros_like(TARGET)
    summary = summarise([FOUND, FOUND & False], [TARGET, TARGET], instances=True)
    assert [row["pq"] for row in summary.per_image] == [1 / 4, 0]
    assert (summary.mean["pq"], summary.mean["instance_sq"], summary.mean["count_error"]) == (1 / 8, 3 / 4, 1.5)
    assert summary.pooled["pq"] == pytest.approx(3 / 4 / (1 + (2 + 5) / 2))
    assert "count_error" not in summary.pooled and "pq" not in summarise([FOUND], [TARGET]).mean
    # Of two classes the second is found exactly in one image, and in the other is neither there nor called.
    called = [torch.where(FOUND, 1, nothing), torch.where(TARGET == 1, 2, nothing)]
    there = [TARGET, torch.where(TARGET == 1, 2, nothing)]
    figures = summarise_classes(called, there, [], 3, instances=True)
    assert [row["pq"] for row in figures.mean.per_image] == [1 / 4, 1]
    assert math.isnan(figures.each[2].per_image[0]["count_error"]) and figures.each[2].mean["pq"] == 1
