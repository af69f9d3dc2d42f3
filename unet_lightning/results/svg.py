"""Matplotlib's figures as SVG that stands inside HTML: small, in the page's colours, the same for the same figure."""

import io
import re
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# Stand for colours of the page: a chart then reads on light and on dark.
INK, MODEL_COLOUR, HUMAN_COLOUR = "#010203", "#010204", "#010205"
PAGE = {INK: "currentColor", MODEL_COLOUR: "var(--blue)", HUMAN_COLOUR: "var(--orange)"}  # named in templates/style.css
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: selectable, and small
    "font.family": ["DejaVu Sans"],  # comes with Matplotlib: the layout does not depend on the machine
    "text.parse_math": False,  # a name with dollar signs is a name
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
}


def inline_svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element that takes its size and colours from the page.

    Args:
        figure: made and drawn under STYLE, in the colours of PAGE or in its own.
        name: the charts of one page need different ones, or their ids are the same.
    """
    file = io.StringIO()
    undated = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": name}):  # ids follow from it, else they are drawn by chance
        figure.savefig(file, format="svg", transparent=True, metadata=undated)
    svg = file.getvalue()
    # Matplotlib's style sheet would hold for the whole page, and the attributes of <svg> fix a size.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    view = re.search(r'viewBox="[^"]*"', svg)
    assert view is not None
    svg = f"<svg {view.group()}" + re.sub(r"\s+", " ", svg[svg.index(">", svg.index("<svg")) :])
    used = set(re.findall(r'(?:url\(|href=")#([^)"]*)', svg))
    # The ids of groups, such as axes_1, are the same in every chart, and nothing refers to them.
    svg = re.sub(r' id="([^"]*)"', lambda found: found.group() if found.group(1) in used else "", svg)
    for stand_in, colour in PAGE.items():
        svg = svg.replace(stand_in, colour)
    svg = svg.replace("xlink:href", "href").replace("'DejaVu Sans'", "inherit")
    return svg.replace("> <", "><").strip()
