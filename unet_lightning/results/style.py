"""How figures for a paper look: sizes of columns, text of 7 to 8 points, methods told apart without colour too."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unet_lightning.inference.colours import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from unet_lightning.results.html import STYLE, TEMPLATES, quiet_about_glyphs

BLACK, GREY = "#000000", "#808080"
PAPER = matplotlib.rc_params_from_file(TEMPLATES / "paper.mplstyle", use_default_template=False)
PIXELS = 300  # of photographs an inch
MILLIMETRE = 1 / 25.4  # inches
# Colour, line and marker of the first, second, ... method.
LOOKS: tuple[tuple[str, Any, str], ...] = (
    (BLUE, "-", "o"),
    (VERMILLION, "--", "s"),
    (GREEN, "-.", "^"),
    (PURPLE, ":", "D"),
    (ORANGE, (0, (5, 1)), "v"),
    (SKY, (0, (3, 1, 1, 1)), "P"),
    (BLACK, (0, (1, 1)), "X"),
)


@dataclass(frozen=True)
class Sizes:
    """Widths in millimetres."""

    column: float
    page: float


@contextmanager
def on_paper() -> Iterator[None]:
    """What is drawn and saved within it looks so; letters that the font lacks are boxes without a warning."""
    with matplotlib.rc_context(STYLE), matplotlib.rc_context(PAPER), quiet_about_glyphs():
        yield


def grid(number: int, sizes: Sizes, height: float, columns: int = 3, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A figure of panels, in rows of some columns; `height` is that of a row, in millimetres.

    A single panel is as wide as a column, several are as wide as a page.
    """
    columns, width = min(number, columns), sizes.column if number == 1 else sizes.page
    rows = -(-number // columns)
    figure = Figure(figsize=(width * MILLIMETRE, rows * height * MILLIMETRE), layout="constrained")
    panels = list(np.ravel(figure.subplots(rows, columns, squeeze=False, **shared)))
    for empty in panels[number:]:
        empty.set_axis_off()
    return figure, panels[:number]


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """One legend for all panels, of what one of them shows."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def saved(figure: Figure, kind: Literal["pdf", "svg"]) -> bytes:
    """A figure as a file: the same bytes for the same figure, as it has no date."""
    file = io.BytesIO()
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
    figure.savefig(file, format=kind, dpi=PIXELS, metadata=undated)
    return file.getvalue()
