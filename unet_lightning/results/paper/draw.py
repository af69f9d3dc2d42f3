"""All figures and tables of a set of methods, as the contents of files, and what could not be drawn and why."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from unet_lightning.errors import UserError
from unet_lightning.results.leaderboard.formats import csv_rows
from unet_lightning.results.leaderboard.tables import ranking
from unet_lightning.results.paper import pictures
from unet_lightning.results.paper.methods import MOST, Methods
from unet_lightning.results.paper.pixels import open_pixels
from unet_lightning.results.paper.tables import all_figures, latex
from unet_lightning.results.style import Sizes, on_paper, saved
from unet_lightning.text import published

DEEPEST = 3  # levels of a table that a page has room for
Rows = list[dict[str, Any]]


def draw(methods: Methods, data: Mapping[str, Any] | None, sizes: Sizes) -> tuple[dict[str, bytes], list[str]]:
    """Pictures as PDF and SVG with their captions, by the names of the files; and what is left out, in sentences.

    `data` is the section of the data set; None: that of the runs.
    """
    once = cache(lambda: open_pixels(methods.models, data, methods.class_name))

    def names() -> Sequence[str]:
        """Of two classes, which the data set has."""
        try:
            return once().dataset.classes
        except UserError:
            return "background", "foreground"

    makers: dict[str, Callable[[], pictures.Drawn]] = {
        "per_image": lambda: pictures.per_image(methods, sizes),
        "montage": lambda: pictures.examples(methods, sizes, once()),
        "confusion": lambda: pictures.confusion(methods, sizes, names()),
        "reliability": lambda: pictures.reliability(methods, sizes, names()),
        "agreement": lambda: pictures.agreement(methods, sizes, once()),
        "learning": lambda: pictures.learning(methods, sizes),
    }
    files: dict[str, bytes] = {}
    left_out = []
    with on_paper():
        for name, make in makers.items():
            try:
                figure, words = make()
            except UserError as error:
                left_out.append(f"{name} is left out: {str(error).rstrip('.')}.")
                continue
            files |= {f"{name}.pdf": saved(figure, "pdf"), f"{name}.svg": saved(figure, "svg")}
            files[f"{name}.txt"] = f"{methods.caption(words)}\n".encode("utf-8", "backslashreplace")
    return files, left_out


def tables(methods: Methods) -> tuple[dict[str, str], dict[str, Rows]]:
    """LaTeX, and the rows of CSV files, by the names of the files."""
    board = methods.board
    ranked, every = ranking(board), all_figures(board, MOST)
    levels = ranked.attrs["levels"]
    ranked = ranked[[heading for heading in ranked if levels[heading] is not None and levels[heading] <= DEEPEST]]
    texts = {
        "comparison.tex": latex(ranked, methods.caption("Methods in their order."), "comparison"),
        "figures.tex": latex(every, methods.caption("Means over images with 95 % intervals, and pooled."), "figures"),
    }
    rows: Rows = all_figures(board, len(board.lines)).to_dict("records")
    texts["notes.txt"] = "\n".join(published(note) for note in (board.lead, *board.notes) if note) + "\n"
    return texts, {"comparison.csv": csv_rows(board), "figures.csv": rows}
