import base64
import io
import math
import random
from html.parser import HTMLParser

import pytest
import torch
from evaluation_folders import PROTOCOL, protocol_of
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL
from unet_lightning.data.synthetic import draw_photograph
from unet_lightning.metrics.summary import Summary, summarise
from unet_lightning.results.report import table_rows, write_report
from unet_lightning.results.scores import MeasuredImage

EMPTY = {"meta", "img", "br", "path", "use", "rect", "input", "link"}  # elements without an end


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text by element."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.open = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag, f"{tag} ends where another element is open"

    def handle_data(self, data):
        if self.open and data.strip():
            self.text.append((self.open[-1], data.strip()))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def texts(self, tag):
        return [text for name, text in self.text if name == tag]


def picture(image_id, wrong, size=24):
    """A bar of vessel in the middle, of which `wrong` rows are missed; the outermost rows are ignored."""
    target = torch.full((size, size), BACKGROUND, dtype=torch.uint8)
    target[:, 8:12] = VESSEL
    target[0] = target[-1] = IGNORE
    vessels = target == VESSEL
    vessels[1 : 1 + wrong] = False
    probability = torch.where(vessels, 0.9, 0.1)
    return MeasuredImage(image_id, torch.full((3, size, size), 90, dtype=torch.uint8), probability, vessels, target)


def figures(pictures, ranked=True):
    return summarise(
        [one.vessels for one in pictures],
        [one.target for one in pictures],
        [one.probability for one in pictures] if ranked else (),
    )


def protocol(**changed):
    values = PROTOCOL | {
        "dataset": "drawn",
        "split": "test",
        "images": 3,
        "region": "field of view, masks of the data set",
        "threshold": 0.42,
        "tta": "none",
        "tiles": "whole",
        "networks": [{"checkpoint": "best.ckpt", "epoch": 3}, {"checkpoint": "last.ckpt", "epoch": 4}],
        "versions": {"torch": "2.15"},
        "leak": [],
        "leak_reasons": {},
    }
    return protocol_of(values | changed)


LEAK = {"leak": ["b"], "leak_reasons": {"epoch": ["b"]}}
THREE = [picture("a", 2), picture("b", 9), picture("c", 0)]


def write(path, pictures=THREE, human=False, title="quick on drawn test", observers=None, **changed):
    """Writes a report and returns its text."""
    if observers is None:
        observers = {"model": figures(pictures)}
        if human:
            observers["second observer"] = figures(pictures, ranked=False)
    write_report(path, title, protocol(**changed), observers, pictures)
    return path.read_text(encoding="utf-8")


@pytest.fixture
def report(tmp_path):
    """Writes a report of its own and returns its text."""
    return lambda *pictures, **changed: write(tmp_path / "report.html", *pictures, **changed)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The network alone."""
    return write(tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """With a second observer and a leak."""
    return write(tmp_path_factory.mktemp("report") / "report.html", human=True, **LEAK)


def test_nothing_comes_from_elsewhere(full):
    page = Page(full)
    assert "http:" not in full and "https:" not in full and "@import" not in full
    places = [value for _, a in page.elements for name, value in a.items() if name in ("src", "href", "srcset")]
    assert places and all(place.startswith(("data:", "#")) for place in places)
    assert not page.all("link") and all("src" not in script for script in page.all("script"))


def test_the_page_is_well_formed_and_names_its_language(full):
    page = Page(full)
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert all(heading.get("scope") for heading in page.all("th"))


def test_every_picture_has_words(plain):
    pictures = Page(plain).all("img")
    assert len(pictures) == 9  # photograph, probability and errors of three images
    assert all(one["alt"] and int(one["width"]) == int(one["height"]) == 24 for one in pictures)
    assert len({one["alt"] for one in pictures}) == 9


def test_the_lowest_dice_comes_first_with_its_own_figures(plain):
    page = Page(plain)
    assert page.texts("h3") == ["Image b", "Image a", "Image c"]
    # Of 22 rows of the bar b misses 9 and a 2: Dice is 2 * 13 / (22 + 13), 2 * 20 / (22 + 20), and 1 for c.
    dice = [value for name, value in zip(page.texts("dt"), page.texts("dd"), strict=False) if name == "Dice"]
    assert dice == ["0.7429", "0.9524", "1.0000"]


def test_an_image_without_a_dice_comes_last(report):
    pictures = [picture("a", 9), picture("b", 2)]
    model = figures(pictures)
    model.per_image[0]["dice"] = math.nan
    assert Page(report(pictures, observers={"model": model})).texts("h3") == ["Image b", "Image a"]


def test_a_leak_is_shouted(full):
    page = Page(full)
    assert [a for a in page.all("p") if a.get("class") == "banner"]
    assert page.texts("strong") == ["LEAK: the epoch was selected on b."]
    # Beside the model in the table and beside the image, and not beside the second observer.
    assert page.texts("span").count("LEAK") == 2


def test_without_a_leak_the_word_is_absent(plain):
    assert "LEAK" not in plain and 'class="banner"' not in plain


def test_the_second_observer_is_a_point_where_there_is_one(plain, full):
    alone, beside = Page(plain), Page(full)
    assert alone.texts("text").count("second observer") == 0
    assert beside.texts("text").count("second observer") == 2  # ROC, precision over recall
    assert not [mark for mark in alone.all("use") if "--orange" in mark["style"]]
    assert [mark for mark in beside.all("use") if "--orange" in mark["style"]]


def test_curves_name_their_areas_and_the_threshold(plain):
    model = figures(THREE)
    legends = Page(plain).texts("text")
    for label, name in (("AUROC", "auroc"), ("AP", "average_precision"), ("ECE", "ece")):
        assert f"model, {label} {model.pooled[name]:.4f}" in legends
    assert legends.count("model, threshold 0.42") == 2 and "threshold 0.42" in legends


def test_one_class_of_several_has_its_own_report(report):
    pictures = THREE[:2]
    page = Page(report(pictures, observers={"model: artery": figures(pictures)}, threshold="argmax"))
    assert "model: artery, threshold argmax" in page.texts("text")


def test_figures_of_a_single_image_have_no_spread(report):
    page = Page(report(THREE[:1]))
    assert "0.9524 (-)" in page.texts("td")
    assert not [text for tag, text in page.text if tag not in ("script", "style") and "nan" in text.lower()]


def test_without_probabilities_or_vessels_there_are_no_curves(report):
    decisions = report(observers={"model": figures(THREE, ranked=False)})
    assert Page(decisions).all("svg") == []
    empty = picture("a", 0)
    empty.target[empty.target == VESSEL] = BACKGROUND
    assert Page(report([empty])).all("svg") == []


def test_the_protocol_is_told(plain):
    page = Page(plain)
    assert "Data set" in page.texts("dt") and "Test-time augmentation" in page.texts("dt")
    assert "field of view, masks of the data set" in page.texts("dd")
    checkpoints = [text for text in page.texts("li") if text.startswith("checkpoint")]
    assert checkpoints == ["checkpoint: best.ckpt", "checkpoint: last.ckpt"]
    assert "torch: 2.15" in page.texts("li")


def test_text_is_shown_as_it_is(report):
    pictures = [picture("<b>1</b>", 2), picture('"><script>x</script>', 3)]
    page = Page(
        report(pictures, title="<i>run</i>", dataset="<u>", leak=["<b>1</b>"], leak_reasons={"trained": ["<b>"]})
    )
    assert not page.all("b") and not page.all("i") and not page.all("u") and len(page.all("script")) == 1
    assert page.texts("h1") == ["<i>run</i>"] and "Image <b>1</b>" in page.texts("h3")


def test_the_same_evaluation_gives_the_same_bytes(full, report):
    assert report(human=True, **LEAK) == full


def test_outside_the_field_of_view_the_probability_is_dim(report):
    one = picture("a", 0, size=32)
    one.probability[:] = 1.0
    one.target[:16] = IGNORE
    uri = Page(report([one])).all("img")[1]["src"]
    image = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert image.getpixel((16, 4)) == pytest.approx(51, abs=2)  # a fifth of 255
    assert image.getpixel((16, 28)) == pytest.approx(255, abs=2)


def test_a_photograph_takes_less_than_a_twentieth_of_ten_megabytes(report):
    drawn = draw_photograph(random.Random(0), (584, 565))
    photo, label, fov = (pil_to_tensor(drawn[name]) for name in ("photo", "label", "fov"))
    target = (label[0] > 0).to(torch.uint8).masked_fill(fov[0] == 0, IGNORE)
    noise = torch.rand(target.shape, generator=torch.Generator().manual_seed(0))
    probability = 0.9 * (target == VESSEL) + 0.1 * noise
    pictures = [MeasuredImage(str(number), photo, probability, probability > 0.5, target) for number in range(3)]
    rates = dict.fromkeys(("dice", "sensitivity", "specificity", "precision", "auroc"), 0.8)
    interval = dict.fromkeys(rates, (0.7, 0.9))
    model = Summary([rates] * 3, rates, dict.fromkeys(rates, 0.01), interval, rates)
    assert len(report(pictures, observers={"model": model})) < 3 * 10_000_000 / 20


def test_a_row_holds_mean_interval_and_pooled_of_each_observer():
    two = Summary(
        per_image=[{"dice": 0.7, "component_error": 3.0}, {"dice": 0.8, "component_error": 4.0}],
        mean={"dice": 0.75, "component_error": 3.5},
        sd={"dice": 0.0707, "component_error": 0.7071},
        interval={"dice": (0.7, 0.8), "component_error": (3.0, 4.0)},
        pooled={"dice": 0.74, "auroc": 0.97},
        pooled_interval={"dice": (0.72, 0.76)},
    )
    nan = math.nan
    few = {"dice": "fewer than 6 images"}
    one = Summary([{"dice": 0.7}], {"dice": 0.7}, {"dice": nan}, {"dice": (nan, nan)}, pooled={}, why_unknown=few)
    dice, pieces, auroc = table_rows([two, one])
    assert dice["name"] == "Dice"
    assert dice["cells"] == [
        {
            "mean": "0.7500 (0.0707)",
            "interval": "0.7000 to 0.8000",
            "pooled": "0.7400",
            "pooled_interval": "0.7200 to 0.7600",
        },
        {"mean": "0.7000 (-)", "interval": "none: fewer than 6 images", "pooled": "-", "pooled_interval": ""},
    ]
    assert pieces["cells"][0] == {"mean": "3.5 (0.7)", "interval": "3.0 to 4.0", "pooled": "-", "pooled_interval": ""}
    assert auroc["cells"] == [
        {"mean": "-", "interval": "", "pooled": "0.9700", "pooled_interval": ""},
        {"mean": "-", "interval": "", "pooled": "-", "pooled_interval": ""},
    ]
