import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from unet_lightning.data.labels import IGNORE
from unet_lightning.metrics.calibration import ReliabilityBin
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.charts import calibration_svg, draw_charts
from unet_lightning.results.stored import SECOND

PROBABILITY = torch.linspace(0, 1, 2000)
TARGET = (PROBABILITY + 0.3 * torch.sin(100 * PROBABILITY) > 0.6).int()
BINS = [ReliabilityBin(0.0, 0.5, 1000, 0.1, 0.05), ReliabilityBin(0.5, 1.0, 100, 0.9, 0.8)]
NAN = float("nan")


def observer(sensitivity, specificity, precision, **others):
    pooled = {"sensitivity": sensitivity, "specificity": specificity, "precision": precision} | others
    return Summary([], {}, {}, {}, pooled)


MODEL = observer(0.8, 0.97, 0.9, auroc=0.98, average_precision=0.9, ece=0.03)
HUMAN = observer(0.7, 0.98, 0.95)


def draw(name="model", human=HUMAN, threshold=0.42):
    charts = draw_charts({name: MODEL, SECOND: human}, PROBABILITY, TARGET, threshold)
    return [chart["svg"] for chart in charts]


@pytest.fixture(scope="module")
def drawn():
    return draw()


def texts(svg):
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter("text")]


def test_a_chart_is_svg_alone_without_names_of_places(drawn):
    assert len(drawn) == 3
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
    roc, ranked, calibrated = drawn
    for svg, curve in ((roc, "model, AUROC 0.9800"), (ranked, "model, AP 0.9000")):
        assert {curve, "model, threshold 0.42", "second observer", "chance"} <= set(texts(svg))
    assert {"model, ECE 0.0300", "calibrated"} <= set(texts(calibrated))


def test_the_caption_says_where_the_marks_stand():
    roc, ranked, _ = draw_charts({"model": MODEL, SECOND: HUMAN}, PROBABILITY, TARGET, 0.42)
    assert roc["caption"] == (
        "Receiver operating characteristic: model, AUROC 0.9800; model, threshold 0.42: false positive rate 0.0300, "
        "sensitivity 0.8000; second observer: false positive rate 0.0200, sensitivity 0.7000."
    )
    prevalence = float((TARGET == 1).float().mean())
    assert "second observer: recall 0.7000, precision 0.9500. Chance has the precision" in ranked["caption"]
    assert f"{prevalence:.4f}, the share of vessels." in ranked["caption"]


def place(x, y):
    """Where a mark at (x, y) is drawn."""
    root = ElementTree.fromstring(draw(human=observer(y, 1 - x, 0.5))[0])
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
    assert not [text for text in texts(draw(threshold="argmax")[2]) if "threshold" in text]


def test_an_empty_bin_does_not_break_the_line():
    with_empty = [*BINS[:1], ReliabilityBin(0.5, 0.5, 0, NAN, NAN), *BINS[1:]]
    assert blue_line(calibration_svg(with_empty, "model", None)) == blue_line(calibration_svg(BINS, "model", None))


def blue_line(svg):
    """The points of the first line in the network's colour."""
    return next(
        path.get("d")
        for path in ElementTree.fromstring(svg).iter("path")
        if "fill: none; stroke: var(--blue)" in path.get("style")
    )


def test_a_label_is_text():
    for svg, figure in zip(draw(name="<b> & $x$"), ("AUROC", "AP", "ECE"), strict=True):
        assert any(text.startswith(f"<b> & $x$, {figure}") for text in texts(svg))


def test_a_chart_is_small(drawn):
    assert max(map(len, drawn)) < 30_000


@pytest.mark.parametrize("target", [torch.zeros(2000), torch.ones(2000), TARGET.clamp(max=0)])
def test_there_are_no_charts_of_one_class_alone(target):
    target[:10] = IGNORE
    assert draw_charts({"model": MODEL}, PROBABILITY, target, 0.5) == []


def test_there_are_no_charts_of_decisions():
    assert draw_charts({"model": HUMAN}, PROBABILITY, TARGET, 0.5) == []


def test_of_another_class_nothing_is_said_of_vessels():
    charts = draw_charts({"model: disc": MODEL}, PROBABILITY, TARGET, "argmax", "disc")
    assert "vessel" not in str(charts)
    assert "share of disc" in charts[2]["caption"] and "probability of disc" in charts[2]["svg"]


def test_letters_that_the_font_lacks_draw_no_warning():
    charts = draw_charts({"model: 细胞": MODEL}, PROBABILITY, TARGET, 0.5, "细胞")
    assert len(charts) == 3 and all("细胞" in "".join(texts(one["svg"])) for one in charts)
