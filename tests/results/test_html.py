import base64
import io
import re

import pytest
import torch
from jinja2 import UndefinedError
from PIL import Image

from unet_lightning.results import html
from unet_lightning.results.html import LONGEST, TEMPLATES, embed, render


@pytest.fixture
def template(tmp_path, monkeypatch):
    """Renders a template of its own."""
    monkeypatch.setattr(html, "TEMPLATES", tmp_path)

    def made(text, **values):
        (tmp_path / "page.html.j2").write_text(text)
        return render("page.html.j2", **values)

    return made


def test_text_is_escaped(template):
    assert template("<p>{{ name }}</p>\n", name="<b> & co") == "<p>&lt;b&gt; &amp; co</p>\n"


def test_a_value_that_is_missing_is_an_error(template):
    with pytest.raises(UndefinedError, match="name"):
        template("{{ name }}")


def test_the_style_is_taken_in_as_it_is(template, tmp_path):
    style = (TEMPLATES / "style.css").read_text()
    (tmp_path / "style.css").write_text(style)
    assert template('<style>{% include "style.css" %}</style>') == f"<style>{style}</style>"


def test_the_style_asks_nothing_of_a_network_and_knows_light_and_dark():
    style = (TEMPLATES / "style.css").read_text()
    assert not re.search(r"url\(|@import|https?:", style)
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    names = re.compile(r"(--\w+):")
    assert sorted(names.findall(light)) == sorted(names.findall(dark)) != []


def decoded(picture, quality=90):
    """What an <img> gets, and the picture in it."""
    embedded = embed(picture, quality)
    kind, data = embedded["src"].split(",")
    assert kind == "data:image/jpeg;base64"
    return embedded, Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_small_picture_keeps_its_size():
    embedded, image = decoded(torch.zeros(3, 584, 565, dtype=torch.uint8))
    assert image.size == (565, 584) == (embedded["width"], embedded["height"])


def test_a_large_picture_keeps_its_shape():
    embedded, image = decoded(torch.zeros(3, 2336, 3504, dtype=torch.uint8))
    assert image.size == (LONGEST, LONGEST * 2 // 3) == (embedded["width"], embedded["height"])


def test_a_probability_is_grey():
    assert decoded(torch.zeros(8, 9, dtype=torch.uint8))[1].mode == "L"


def test_a_thin_line_fades_but_stays(monkeypatch):
    monkeypatch.setattr(html, "LONGEST", 100)
    for column in range(4):  # nearest-pixel sampling would lose it at three of four places
        wide = torch.zeros(400, 400, dtype=torch.uint8)
        wide[:, column] = 255
        assert decoded(wide, quality=95)[1].getpixel((0, 50)) == pytest.approx(64, abs=2)  # a quarter of 255


def test_a_very_long_picture_keeps_a_pixel_of_width():
    assert decoded(torch.zeros(3000, 1, dtype=torch.uint8))[1].size == (1, LONGEST)


def test_a_coloured_line_of_one_pixel_keeps_its_colour():
    picture = torch.full((3, 64, 64), 40, dtype=torch.uint8)
    picture[:, :, 32] = torch.tensor([230, 159, 0], dtype=torch.uint8)[:, None]
    red, _, blue = decoded(picture, quality=80)[1].getpixel((32, 30))
    assert red - blue > 150
