"""The table of an evaluation, for the terminal and for Markdown."""

import io
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unet_lightning.metrics.summary import RANKINGS, Summary

POOLED = ("accuracy", "sensitivity", "specificity", "precision", *RANKINGS)


def results_table(observers: Mapping[str, Summary], protocol: Mapping[str, Any]) -> Table:
    """One column an observer: Dice per image as mean (SD), the rest from the pooled pixels.

    Args:
        observers: figures by name.
        protocol: what was measured how; shown below the table, with LEAK where it applies.
    """
    leak = protocol["leak"]
    caption = (
        f"{protocol['dataset']} {protocol['split']}, {protocol['images']} images, inside the {protocol['region']}, "
        f"threshold {protocol['threshold']}. dice_per_image is the mean (SD) over images with its "
        "bootstrap interval; the others are of the pooled pixels."
    )
    if protocol["initial_weights"]:
        caption += (
            f" Training began from {protocol['initial_weights']}; other programs' files do not say what they saw."
        )
    if leak:
        caption += f" LEAK: the network was trained or selected on {', '.join(leak)}."
    table = Table(box=box.MARKDOWN, caption=escape(caption), caption_justify="left", caption_style="")
    table.add_column("")
    for name in observers:
        table.add_column(escape(f"{name} LEAK" if leak and name == "model" else name), justify="right")
    figures = observers.values()
    table.add_row("dice_per_image", *(f"{s.mean['dice']:.4f} ({s.sd['dice']:.4f})" for s in figures))
    table.add_row(
        "  95 % interval", *(f"{low:.4f} to {high:.4f}" for low, high in (s.interval["dice"] for s in figures))
    )
    table.add_row("dice_pooled", *(f"{s.pooled['dice']:.4f}" for s in figures))
    for name in POOLED:
        table.add_row(name, *(f"{s.pooled[name]:.4f}" if name in s.pooled else "-" for s in figures))
    return table


def show(table: Table) -> str:
    """Prints the table to the terminal and returns it as Markdown."""
    Console().print(table)
    text = io.StringIO()
    Console(file=text, width=100, color_system=None, force_terminal=False).print(table)
    lines = [line.strip() for line in text.getvalue().splitlines()]
    end = max(number for number, line in enumerate(lines) if line.startswith("|")) + 1
    return "\n".join([*filter(None, lines[:end]), "", *filter(None, lines[end:])]) + "\n"
