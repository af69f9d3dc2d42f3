import math
import statistics

import pytest
import torch
from sklearn.metrics import brier_score_loss, matthews_corrcoef
from torchmetrics.functional.classification import binary_auroc, binary_calibration_error

from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import IGNORE, VESSEL
from unet_lightning.metrics.calibre import count_by_calibre
from unet_lightning.metrics.statistics import mean_interval
from unet_lightning.metrics.summary import (
    CALIBRATION,
    CALIBRES,
    FIGURES,
    LOWER_IS_BETTER,
    RANKINGS,
    RATES,
    SURFACE,
    TOPOLOGY,
    bounds_of,
    summarise,
)

# The first image is perfect; the second has 1 true positive, 2 false positives and 1 false negative.
VESSELS = [torch.tensor([[True, False]]), torch.tensor([[True, True, True, False, True]])]
TARGETS = [torch.tensor([[1, 0]]), torch.tensor([[1, 0, 0, 1, IGNORE]])]
PROBABILITIES = [torch.tensor([[0.9, 0.2]]), torch.tensor([[0.8, 0.7, 0.6, 0.1, 0.9]])]


def columns(summary):
    return (*summary.per_image, summary.mean, summary.sd, summary.interval)


@pytest.fixture(scope="module")
def drawn(tiny_drive):
    """Maps, targets and probabilities of eight drawn photographs."""
    dataset = DriveDataset(tiny_drive, "test").subset([f"{number:02}" for number in range(1, 9)])
    targets = [sample.target for sample in dataset]
    vessels = [dataset.second_target(index) == VESSEL for index in range(8)]
    generator = torch.Generator().manual_seed(0)
    noise = [torch.rand(target.shape, generator=generator) for target in targets]
    probabilities = [(map_ + chance) / 2 for map_, chance in zip(vessels, noise, strict=True)]
    return vessels, targets, probabilities


def thick_and_thin(thin=True, thick=True):
    """A target with a vessel 2 pixels wide and one 6 wide, or one of them."""
    target = torch.zeros(30, 20, dtype=torch.uint8)
    target[5:7] = int(thin)
    target[15:21] = int(thick)
    return target


def test_mean_and_pooled_figures_by_hand():
    summary = summarise(VESSELS, TARGETS, PROBABILITIES)
    assert [row["dice"] for row in summary.per_image] == pytest.approx([1, 2 / 5])
    assert [row["auroc"] for row in summary.per_image] == pytest.approx([1, 2 / 4])
    assert summary.mean["dice"] == pytest.approx(0.7)
    assert summary.sd["dice"] == pytest.approx(0.6 / math.sqrt(2))
    assert summary.pooled["dice"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert (summary.mean["iou"], summary.pooled["iou"]) == pytest.approx(((1 + 1 / 4) / 2, 2 / 5))
    assert (summary.mean["specificity"], summary.pooled["specificity"]) == pytest.approx((1 / 2, 1 / 3))
    # (TP x TN - FP x FN) / sqrt(...): the second image -2 / sqrt(3 x 2 x 2 x 1), pooled 0.
    assert (summary.mean["mcc"], summary.pooled["mcc"]) == pytest.approx(((1 - 2 / math.sqrt(12)) / 2, 0))
    # Vessels at 0.9, 0.8, 0.1 against background at 0.2, 0.7, 0.6: 6 of 9 pairs are in order.
    assert (summary.mean["auroc"], summary.pooled["auroc"]) == pytest.approx((3 / 4, 6 / 9))
    # The second image: precision 1 at the first vessel, 2/4 at the last; pooled: 1, 1 and 3/6.
    assert summary.mean["average_precision"] == pytest.approx((1 + 3 / 4) / 2)
    assert summary.pooled["average_precision"] == pytest.approx(2.5 / 3)
    # Squares of 0.1 and 0.2; of 0.2, 0.7, 0.6 and 0.9.
    assert [row["brier"] for row in summary.per_image] == pytest.approx([0.05 / 2, 1.7 / 4])
    assert summary.pooled["brier"] == pytest.approx(1.75 / 6)
    # Each probability is in a bin of its own.
    assert [row["ece"] for row in summary.per_image] == pytest.approx([0.3 / 2, 2.4 / 4])
    assert summary.pooled["ece"] == pytest.approx(2.7 / 6)


def test_the_order_of_the_figures_is_that_of_every_table():
    assert FIGURES == (
        *("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "mcc"),
        *("auroc", "average_precision", "ece", "brier"),
        *("cldice", "component_error", "hd95", "nsd_2px", "sensitivity_thin", "sensitivity_thick"),
    )
    assert {"ece", "brier", "component_error", "hd95", "count_error"} == LOWER_IS_BETTER


def test_every_part_has_every_figure_and_pooled_pixels_have_no_topology():
    summary = summarise(VESSELS, TARGETS, PROBABILITIES)
    assert {tuple(row) for row in columns(summary)} == {FIGURES}
    assert tuple(summary.pooled) == RATES + RANKINGS + CALIBRATION + CALIBRES


def test_a_human_observer_has_no_figures_of_probabilities():
    summary = summarise(VESSELS, TARGETS)
    assert {tuple(row) for row in columns(summary)} == {(*RATES, *TOPOLOGY, *SURFACE, *CALIBRES)}
    assert tuple(summary.pooled) == RATES + CALIBRES
    assert summary.mean["dice"] == pytest.approx(0.7)


def test_pooled_figures_agree_with_others_computations_over_all_pixels(drawn):
    vessels, targets, probabilities = drawn
    summary = summarise(*drawn)
    counted = torch.stack(targets) != IGNORE
    truth, found, soft = (torch.stack(maps)[counted] for maps in (targets, vessels, probabilities))
    expected = {
        "mcc": matthews_corrcoef(truth.numpy(), found.numpy()),
        "auroc": float(binary_auroc(soft, truth.long())),
        "ece": float(binary_calibration_error(soft, truth.long(), n_bins=15)),
        "brier": brier_score_loss(truth.numpy(), soft.double().numpy()),
    }
    assert {name: summary.pooled[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_mean_sd_and_interval_are_those_of_the_rows(drawn):
    summary = summarise(*drawn)
    for name in FIGURES:
        values = [row[name] for row in summary.per_image]
        assert summary.mean[name] == pytest.approx(statistics.fmean(values))
        assert summary.sd[name] == pytest.approx(statistics.stdev(values))
        assert summary.interval[name] == pytest.approx(mean_interval(values, bounds=bounds_of(name)), nan_ok=True)
        assert math.isnan(summary.interval[name][0]) == (name in summary.why_unknown)
    assert summary.interval["dice"][0] < summary.mean["dice"] < summary.interval["dice"][1]


def test_the_targets_themselves_are_perfect(drawn):
    _, targets, _ = drawn
    truth = [target == VESSEL for target in targets]
    summary = summarise(truth, targets, [map_.float() for map_ in truth])
    assert summary.mean == {name: 0 if name in LOWER_IS_BETTER else 1 for name in FIGURES}
    assert summary.pooled == {name: summary.mean[name] for name in summary.pooled}


def test_ignored_pixels_do_not_count(drawn):
    vessels, targets, probabilities = drawn
    ignored = [target == IGNORE for target in targets]
    flipped = [map_ ^ outside for map_, outside in zip(vessels, ignored, strict=True)]
    other = [torch.where(outside, 1 - p, p) for p, outside in zip(probabilities, ignored, strict=True)]
    assert summarise(flipped, targets, other) == summarise(*drawn)


def test_another_tolerance_is_said_in_the_name_of_the_figure(drawn):
    vessels, targets, _ = drawn
    wide = summarise(vessels, targets, tolerance=4.5)
    assert "nsd_4.5px" in wide.mean and "nsd_2px" not in wide.mean
    assert wide.mean["nsd_4.5px"] >= summarise(vessels, targets).mean["nsd_2px"]
    assert wide.mean["hd95"] > 0 and "hd95" not in wide.pooled


def test_intervals_are_by_group_where_images_have_groups(drawn):
    groups = list("aabbcdef")
    by_image, by_group = summarise(*drawn[:2]), summarise(*drawn[:2], groups=groups)
    assert by_group.mean == by_image.mean
    values = [row["dice"] for row in by_image.per_image]
    assert by_group.interval["dice"] == mean_interval(values, groups) != by_image.interval["dice"]
    few = summarise(*drawn[:2], groups=list("aabbccdd"))
    assert few.why_unknown["dice"] == "fewer than 6 groups"


def test_few_images_have_no_interval_and_the_reason(drawn):
    summary = summarise(*(one[:5] for one in drawn))
    assert all(map(math.isnan, summary.interval["dice"]))
    assert summary.why_unknown == dict.fromkeys(FIGURES, "fewer than 6 images")


def test_a_single_image_has_no_standard_deviation_and_no_interval():
    summary = summarise(VESSELS[1:], TARGETS[1:])
    assert math.isnan(summary.sd["dice"])
    assert all(map(math.isnan, summary.interval["dice"]))
    assert {name: summary.mean[name] for name in RATES} == pytest.approx({name: summary.pooled[name] for name in RATES})


def test_an_image_without_vessels_leaves_the_other_figures_as_they_are():
    targets = [TARGETS[0], torch.tensor([[0, 0, 0, 0, IGNORE]])]
    summary = summarise(VESSELS, targets, PROBABILITIES)
    assert math.isnan(summary.per_image[1]["auroc"])
    # It should have counted and did not: the mean says so.
    assert math.isnan(summary.mean["auroc"])
    assert summary.mean["dice"] == 0.5
    # Pooled, the vessel at 0.9 is above all five background pixels.
    assert summary.pooled["auroc"] == 1


def test_thin_and_thick_vessels_are_averaged_over_the_images_that_have_them():
    targets = [thick_and_thin(), thick_and_thin(thin=False), thick_and_thin(thin=False)]
    vessels = [target == 1 for target in targets]
    vessels[0][5] = False  # half of the thin vessel
    vessels[1][15:18] = False  # half of the thick vessel
    vessels[2][15:21] = False
    summary = summarise(vessels, targets)
    assert [row["sensitivity_thick"] for row in summary.per_image] == [1, 0.5, 0]
    assert summary.per_image[0]["sensitivity_thin"] == 0.5
    assert all(math.isnan(row["sensitivity_thin"]) for row in summary.per_image[1:])
    assert (summary.mean["sensitivity_thin"], summary.pooled["sensitivity_thin"]) == (0.5, 0.5)
    assert math.isnan(summary.sd["sensitivity_thin"])  # of one image
    assert all(map(math.isnan, summary.interval["sensitivity_thin"]))
    assert (summary.mean["sensitivity_thick"], summary.sd["sensitivity_thick"]) == (0.5, 0.5)
    assert summary.why_unknown["sensitivity_thick"] == "fewer than 6 images"


def test_a_calibre_that_no_image_has_is_nan_everywhere():
    targets = [thick_and_thin(thick=False)] * 2
    summary = summarise([target == 1 for target in targets], targets)
    for row in (*summary.per_image, summary.mean, summary.sd, summary.pooled):
        assert math.isnan(row["sensitivity_thick"])
    assert all(map(math.isnan, summary.interval["sensitivity_thick"]))
    assert summary.mean["sensitivity_thin"] == 1


def test_calibres_are_pooled_by_pixels(drawn):
    vessels, targets, _ = drawn
    counts = [count_by_calibre(*pair) for pair in zip(vessels, targets, strict=True)]
    expected = sum(c.thin_found for c in counts) / sum(c.thin for c in counts)
    assert summarise(vessels, targets).pooled["sensitivity_thin"] == expected


def test_one_target_and_one_probability_an_image_are_needed():
    with pytest.raises(ValueError, match="zip"):
        summarise(VESSELS, TARGETS[:1])
    with pytest.raises(ValueError, match="zip"):
        summarise(VESSELS, TARGETS, PROBABILITIES[:1])


def test_the_second_observer_of_drive_scores_what_the_literature_says(real_drive):
    dataset = DriveDataset(real_drive, "test")
    targets = [sample.target for sample in dataset]
    summary = summarise([dataset.second_target(index) == VESSEL for index in range(20)], targets)
    assert round(summary.mean["dice"], 4) == 0.7881
    pooled = [round(summary.pooled[name], 4) for name in ("dice", "accuracy", "sensitivity", "specificity")]
    assert pooled == [0.7891, 0.9473, 0.7746, 0.9725]
    # What a second person misses is thin.
    assert summary.mean["sensitivity_thin"] < summary.mean["sensitivity_thick"] - 0.1
