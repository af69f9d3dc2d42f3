import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from unet_lightning.metrics.calibration import ReliabilityBin
from unet_lightning.results.charts import Point, calibration_chart, precision_recall_chart, roc_chart

CURVE = (torch.tensor([0.0, 0.1, 1.0]), torch.tensor([0.0, 0.9, 1.0]))
MARKS = [Point(0.03, 0.8, "model, threshold 0.42"), Point(0.02, 0.7, "second observer", human=True)]
BINS = [ReliabilityBin(0.0, 0.5, 1000, 0.1, 0.05), ReliabilityBin(0.5, 1.0, 100, 0.9, 0.8)]
NAN = float("nan")


def draw(label="model, AUROC 0.9800", threshold=0.42):
    return [
        roc_chart(CURVE, label, MARKS),
        precision_recall_chart(CURVE, label, MARKS, 0.1),
        calibration_chart(BINS, label, threshold),
    ]


@pytest.fixture(scope="module")
def drawn():
    return draw()


def texts(svg):
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("text")]


def test_a_chart_is_svg_alone_without_names_of_places(drawn):
    for svg in drawn:
        assert ElementTree.fromstring(svg).tag == "svg"
        assert not re.search("http|<style|<metadata|<\\?xml|<!DOCTYPE", svg)


def test_a_chart_takes_size_and_colours_from_the_page(drawn):
    for svg in drawn:
        assert set(ElementTree.fromstring(svg).attrib) == {"viewBox"}
        assert "currentColor" in svg
        assert not re.search("#[0-9a-fA-F]{6}", svg)  # no colour of its own


def test_the_same_figures_give_the_same_chart(drawn):
    assert draw() == drawn


def test_ids_are_known_and_differ_between_charts(drawn):
    ids = []
    for svg in drawn:
        own = re.findall(r' id="([^"]*)"', svg)
        assert set(re.findall(r'(?:url\(|href=")#([^)"]*)', svg)) <= set(own)
        ids += own
    assert len(ids) == len(set(ids))


def test_curve_and_marks_are_in_the_legend(drawn):
    roc, ranked, _ = drawn
    for svg in (roc, ranked):
        assert {"model, AUROC 0.9800", "model, threshold 0.42", "second observer", "chance"} <= set(texts(svg))


def place(x, y):
    """Where a mark at (x, y) is drawn."""
    root = ElementTree.fromstring(roc_chart(CURVE, "model", [Point(x, y, "second observer", human=True)]))
    mark = next(use for use in root.iter("use") if "--orange" in use.get("style"))
    return float(mark.get("x")), float(mark.get("y"))


def test_a_mark_stands_where_its_figures_say():
    left, bottom = place(0, 0)
    right, top = place(1, 1)
    x, y = place(0.25, 0.5)
    assert x == pytest.approx(left + 0.25 * (right - left), abs=0.01)
    assert y == pytest.approx((bottom + top) / 2, abs=0.01)
    assert left < right and top < bottom  # y grows downwards in SVG


def test_the_threshold_is_marked_where_there_is_one(drawn):
    assert "threshold 0.42" in texts(drawn[2])
    assert not [text for text in texts(draw(threshold=None)[2]) if "threshold" in text]


def test_an_empty_bin_does_not_break_the_line(drawn):
    with_empty = [*BINS[:1], ReliabilityBin(0.5, 0.5, 0, NAN, NAN), *BINS[1:]]
    assert blue_line(calibration_chart(with_empty, "model", None)) == blue_line(drawn[2])


def blue_line(svg):
    """The points of the first line in the network's colour."""
    return next(
        path.get("d")
        for path in ElementTree.fromstring(svg).iter("path")
        if "fill: none; stroke: var(--blue)" in path.get("style")
    )


def test_a_label_is_text():
    for svg in draw(label="<b> & $x$"):
        assert "<b> & $x$" in texts(svg)


def test_a_chart_is_small():
    along = torch.linspace(0, 1, 400, dtype=torch.float64)
    assert len(roc_chart((along, along**0.1), "model", MARKS)) < 30_000
