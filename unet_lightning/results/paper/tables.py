"""Tables for a paper, with the figures of the leaderboard to the digit: LaTeX in the manner of booktabs."""

import pandas as pd

from unet_lightning.metrics.summary import of_images_alone
from unet_lightning.results.leaderboard.board import Leaderboard
from unet_lightning.results.leaderboard.tables import WORDS, in_one_line, with_intervals
from unet_lightning.results.tables import readable, readable_name
from unet_lightning.text import published

LATEX: dict[str, str | int | None] = {character: rf"\{character}" for character in "&%$#_{}"}
LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"}
ENDS = ("per_image", "low", "high")


def as_latex(text: str) -> str:
    """Text that LaTeX shows as it is; letters beyond ASCII ask for a font that has them."""
    return published(text).translate(str.maketrans(LATEX))


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A table of texts, as `table` environment for the package booktabs."""
    columns = "".join("l" if heading in WORDS else "r" for heading in table)
    rows = [
        [as_latex(in_one_line(str(cell))) for cell in row] for row in (table.columns, *table.itertuples(index=False))
    ]
    head, *body = [" & ".join(row) + r" \\" for row in rows]
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{as_latex(caption)}}}", rf"\label{{tab:{label}}}"]
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}", r"\end{table}"]) + "\n"


def all_figures(board: Leaderboard, most: int) -> pd.DataFrame:
    """A row a figure that is measured, a column a method: means over images with intervals, or over pooled pixels."""
    lines = board.lines.iloc[:most]
    names = [name.removesuffix("_low") for name in lines if name.endswith("_low") and name != "difference_low"]
    columns: dict[str, list[str]] = {"entry": []}
    cells: dict[int, list[str]] = {place: [] for place in lines.index}
    for name in names:
        columns["entry"].append(f"{readable_name(name)}, per image")
        values = with_intervals(lines[[f"{name}_{end}" for end in ENDS]], name)
        for place, value in zip(lines.index, values, strict=True):
            cells[place].append(value)
        if not of_images_alone(name):
            columns["entry"].append(f"{readable_name(name)}, pooled")
            for place, value in lines[f"{name}_pooled"].items():
                cells[place].append(readable(value, name))
    table = pd.DataFrame(columns | {f"{place}": one for place, one in cells.items()}, dtype=object)
    return table.set_axis(["entry", *lines["entry"]], axis=1)
