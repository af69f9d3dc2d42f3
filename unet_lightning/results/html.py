"""Pages of HTML that need no network: templates filled by Jinja, with pictures and charts inside the file."""

import base64
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from unet_lightning.text import published

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 900  # pixels; three pictures an image for 20 images then stay below 10 MB
# Stand for colours of the page: a chart then reads on light and on dark.
INK, MODEL_COLOUR, HUMAN_COLOUR = "#010203", "#010204", "#010205"
PAGE = {INK: "currentColor", MODEL_COLOUR: "var(--blue)", HUMAN_COLOUR: "var(--orange)"}  # named in templates/style.css
STYLE = matplotlib.rc_params_from_file(TEMPLATES / "charts.mplstyle", use_default_template=False)


@contextmanager
def quiet_about_glyphs() -> Iterator[None]:
    """No warning of letters that Matplotlib's font lacks, as names may have: readers have fonts of their own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def render(template: str, **values: Any) -> str:
    """Fills a file of `templates/`; text is escaped, so that a folder called `<b>` is shown as it is.

    Raises:
        jinja2.UndefinedError: the template names a value that is not given.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=lambda value: published(value, keep="\n\t") if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)


def embed(picture: Tensor, quality: int) -> dict[str, str | int]:
    """What `<img>` takes for a JPEG of the picture, with no side above LONGEST; a thin vessel fades but stays.

    Args:
        picture: `(H, W)` or `(3, H, W)` uint8.
        quality: of the JPEG, 1 to 95.
    """
    image = Image.fromarray((picture.permute(1, 2, 0) if picture.ndim == 3 else picture).contiguous().numpy())
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX, reducing_gap=None)
    file = io.BytesIO()
    # subsampling=0 keeps colour at full resolution: a coloured vessel may be one pixel wide.
    image.save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    uri = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"src": uri, "width": image.width, "height": image.height}


def inline_svg(figure: Figure, name: str) -> str:
    """A figure drawn under STYLE as an `<svg>` element that takes its size and the colours of PAGE from the page.

    The charts of one page need different names, or their ids are the same. The page has the font.
    """
    file = io.StringIO()
    undated = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # Ids follow from the salt, else they are drawn by chance.
    with matplotlib.rc_context({"svg.hashsalt": name}), quiet_about_glyphs():
        figure.savefig(file, format="svg", transparent=True, metadata=undated)
    # Matplotlib's style sheet would hold for the whole page, and the attributes of <svg> fix a size.
    svg = re.sub(r"<style.*?</style>", "", file.getvalue(), flags=re.DOTALL)
    svg = re.sub(r'.*?<svg[^>]*( viewBox="[^"]*")[^>]*>', r"<svg\1>", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"\s+", " ", svg)
    used = set(re.findall(r'(?:url\(|href=")#([^)"]*)', svg))
    # The ids of groups, such as axes_1, are the same in every chart, and nothing refers to them.
    svg = re.sub(r' id="([^"]*)"', lambda found: found.group() if found.group(1) in used else "", svg)
    for written, wanted in (*PAGE.items(), ("xlink:href", "href"), ("'DejaVu Sans'", "inherit"), ("> <", "><")):
        svg = svg.replace(written, wanted)
    return svg.strip()
