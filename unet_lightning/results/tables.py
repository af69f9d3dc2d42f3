"""Tables of evaluations, for the terminal and for Markdown."""

import io
import math
import textwrap
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unet_lightning.metrics.summary import Summary

WIDE = 10_000  # characters: a row of Markdown is one line
PER_IMAGE = ("cldice", "component_error")  # no figures of pooled pixels


def results_table(observers: Mapping[str, Summary], protocol: Mapping[str, Any]) -> Table:
    """One column an observer: Dice and topology per image as mean (SD), the rest from the pooled pixels.

    Args:
        observers: figures by name.
        protocol: what was measured how; shown below the table, with LEAK where it applies.
    """
    table = Table(box=box.MARKDOWN, caption=escape(stamp(protocol)), caption_justify="left", caption_style="")
    table.add_column("")
    for name in observers:
        leaked = protocol["leak"] and name.startswith("model")
        table.add_column(escape(f"{name} LEAK" if leaked else name), justify="right")
    figures = observers.values()
    table.add_row("dice_per_image", *(_mean(s, "dice") for s in figures))
    table.add_row(
        "  95 % interval", *(f"{low:.4f} to {high:.4f}" for low, high in (s.interval["dice"] for s in figures))
    )
    table.add_row("dice_pooled", *(f"{s.pooled['dice']:.4f}" for s in figures))
    names = dict.fromkeys(name for s in figures for name in s.mean if name != "dice")
    for name in names:
        if name in PER_IMAGE:
            table.add_row(name, *(_mean(s, name) if name in s.mean else "-" for s in figures))
        else:
            table.add_row(name, *(_number(s.pooled.get(name, math.nan)) for s in figures))
    return table


def stamp(protocol: Mapping[str, Any]) -> str:
    """The protocol in words."""
    said = [
        f"{protocol['dataset']} {protocol['split']}, {protocol['images']} images; against the {protocol['reference']}; "
        f"{protocol['region']}; resolution: {protocol['resolution']}; threshold {protocol['threshold']} "
        f"({protocol['threshold_source']}); TTA {protocol['tta']}; scale {protocol['scale']}; {protocol['tiles']}.",
        f"dice_per_image, {' and '.join(PER_IMAGE)} are the mean (SD) over images, intervals from 10,000 bootstrap "
        "resamples of the images; the other figures are of the pooled pixels.",
    ]
    for network in protocol["networks"]:
        said.append(
            f"Network: {network['checkpoint']} ({network['sha256'][:12]}), epoch {network['epoch']}, seed "
            f"{network['seed']}, trained on {protocol['trained_on']}."
        )
    said.append(
        f"Commit {protocol['commit'] or 'unknown'}; "
        + ", ".join(f"{name} {version}" for name, version in protocol["versions"].items())
        + "."
    )
    if protocol["initial_weights"]:
        saw = ", ".join(protocol["initial_weights_saw"] or {})
        known = f"they saw images of {saw}" if saw else "the file does not say what they saw"
        said.append(f"Training began from {protocol['initial_weights']}: {known}.")
    if protocol["leak"]:
        reasons = (f"{reason} {', '.join(ids)}" for reason, ids in protocol["leak_reasons"].items())
        said.append(f"LEAK: {'; '.join(reasons)}.")
    return " ".join(said)


def cross_table(cells: Mapping[str, Mapping[str, str]], caption: str) -> Table:
    """Runs down, data sets across.

    Args:
        cells: what stands where: run to data set to text; a missing one is a dash.
        caption: below the table.
    """
    columns = list(dict.fromkeys(name for row in cells.values() for name in row))
    table = Table(box=box.MARKDOWN, caption=escape(caption), caption_justify="left", caption_style="")
    for name in ("", *columns):
        table.add_column(escape(name), justify="right" if name else "left")
    for run, row in cells.items():
        table.add_row(escape(run), *(escape(row.get(name, "-")) for name in columns))
    return table


def show(table: Table, terminal: bool = True) -> str:
    """Prints the table to the terminal where wanted, and returns it as Markdown, its caption as a paragraph below."""
    # Rich would wrap the caption at the width of the table.
    words, table.caption = Text.from_markup(str(table.caption)), None
    text = io.StringIO()
    Console(file=text, width=WIDE, color_system=None, force_terminal=False).print(table)
    if terminal:
        Console().print(table)
        Console(highlight=False).print(words)
    rows = [line.strip() for line in text.getvalue().splitlines() if line.strip()]
    return (
        "\n".join([*rows, "", *textwrap.wrap(words.plain, 100, break_long_words=False, break_on_hyphens=False)]) + "\n"
    )


def _number(value: float) -> str:
    """Four decimals; a dash where there is no figure."""
    return "-" if math.isnan(value) else f"{value:.4f}"


def _mean(summary: Summary, name: str) -> str:
    """Mean (SD) over images."""
    digits = 1 if name == "component_error" else 4
    return f"{summary.mean[name]:.{digits}f} ({summary.sd[name]:.{digits}f})"
