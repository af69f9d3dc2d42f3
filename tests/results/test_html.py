import re

import pytest
from jinja2 import UndefinedError

from unet_lightning.results import html
from unet_lightning.results.html import TEMPLATES, render


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
