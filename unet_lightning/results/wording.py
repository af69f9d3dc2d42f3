"""Names and figures as a reader of a report wants them."""

import math
from collections.abc import Sequence
from typing import Any

from unet_lightning.metrics.summary import Summary

NAMES = {
    "dataset": "Data set",
    "iou": "Intersection over union",
    "mcc": "Matthews correlation",
    "auroc": "AUROC",
    "ece": "Expected calibration error",
    "brier": "Brier score",
    "cldice": "clDice",
    "sensitivity_thin": "Sensitivity, thin vessels",
    "sensitivity_thick": "Sensitivity, thick vessels",
    "tta": "Test-time augmentation",
}
DECIMALS = {"component_error": 1}  # a number of pieces; all others are rates


def readable_name(name: str) -> str:
    """A figure or an entry of the protocol: `average_precision` becomes `Average precision`."""
    return NAMES.get(name, name.replace("_", " ").capitalize())


def readable(value: float | None, decimals: int = 4) -> str:
    """A figure as text; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def table_rows(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """A row a figure.

    Returns:
        each with its `name` and `cells`, one a summary: `mean` with the SD in brackets, `interval` (empty where there
        is none, as for a single image) and `pooled`.
    """
    names = dict.fromkeys(name for summary in summaries for name in (*summary.mean, *summary.pooled))
    return [{"name": readable_name(name), "cells": [_cell(summary, name) for summary in summaries]} for name in names]


def _cell(summary: Summary, name: str) -> dict[str, str]:
    """The figure called `name` as text; a dash where the observer has none."""
    decimals = DECIMALS.get(name, 4)
    mean, sd, pooled, low, high = (
        readable(value, decimals)
        for value in (
            summary.mean.get(name),
            summary.sd.get(name),
            summary.pooled.get(name),
            *summary.interval.get(name, (None, None)),
        )
    )
    return {
        "mean": mean if mean == "-" else f"{mean} ({sd})",
        "interval": "" if "-" in (low, high) else f"{low} to {high}",
        "pooled": pooled,
    }
