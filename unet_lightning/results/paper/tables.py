"""Tables for a paper, with the figures of the leaderboard to the digit: LaTeX in the manner of booktabs."""

import pandas as pd

from unet_lightning.metrics.summary import of_images_alone
from unet_lightning.results.leaderboard.board import Leaderboard
from unet_lightning.results.leaderboard.tables import WORDS, in_lines, with_intervals
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
    head, *body = [" & ".join(map(as_latex, row)) + r" \\" for row in in_lines(table)]
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{as_latex(caption)}}}", rf"\label{{tab:{label}}}"]
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}", r"\end{table}"]) + "\n"


def all_figures(board: Leaderboard, most: int) -> pd.DataFrame:
    """A row a figure that is measured, a column a method: means over images with intervals, or over pooled pixels."""
    lines = board.lines.iloc[:most]
    names = [name.removesuffix("_low") for name in lines if name.endswith("_low") and name != "difference_low"]
    rows = []
    for name in names:
        means = with_intervals(lines[[f"{name}_{end}" for end in ENDS]], name)
        rows.append([f"{readable_name(name)}, per image", *means])
        if not of_images_alone(name):
            pooled = (readable(value, name) for value in lines[f"{name}_pooled"])
            rows.append([f"{readable_name(name)}, pooled", *pooled])
    return pd.DataFrame(rows, columns=["entry", *lines["entry"]], dtype=object)
