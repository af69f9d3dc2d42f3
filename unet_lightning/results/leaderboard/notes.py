"""The sentences below a leaderboard: what was measured how."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from unet_lightning.metrics.statistics import RESAMPLES
from unet_lightning.metrics.summary import LOWER_IS_BETTER
from unet_lightning.results.leaderboard.entries import Entry

POOLED = {
    "dice_pooled": "dice_pooled",
    "auroc": "auroc_pooled",
    "average_precision": "average_precision_pooled",
    "sensitivity_thin": "sensitivity_thin_pooled",
}  # columns of `lines`, by their headings
COMMIT = 12  # characters of a commit


def pooled_columns(lines: pd.DataFrame) -> dict[str, str]:
    """The columns of pooled pixels that have a figure, by their headings."""
    return {label: name for label, name in POOLED.items() if name in lines and lines[name].notna().any()}


def make_notes(lines: pd.DataFrame, models: Sequence[Entry], figure: str) -> list[str]:
    """What was measured how, in sentences."""
    protocols = [run.evaluation.protocol for entry in models for run in entry.runs]
    first, compared = protocols[0], int(lines["difference"].notna().sum())
    order = "lowest first" if figure in LOWER_IS_BETTER else "highest first"
    notes = [
        f"{first['dataset']} {first['split']}: {len(models[0].images)} images, against the {first['reference']}, "
        f"region: {first['region']}, resolution: {first['resolution']}.",
        f"Ranked by {figure}_per_image, the mean over images, {order}. Runs of one method are averaged image by image. "
        f"Intervals: 95 %, {RESAMPLES:,} bootstrap resamples of the images. Spread: SD of the seeds' means.",
        f"Of the pooled pixels, averaged over the runs: {', '.join(pooled_columns(lines))}.",
    ]
    if compared:
        notes.append(
            "Difference to best: the entry less rank 1, image by image. p: Wilcoxon's signed-rank test, "
            f"two-sided, corrected by Holm's method for {compared} comparison{'s' * (compared > 1)}."
        )
    leaks = lines[lines["kind"] == "leak"]
    for images, names in leaks["entry"].groupby(leaks["leak"].map(", ".join), sort=False):
        notes.append(f"LEAK, without rank or comparison: trained or selected on {images}: {', '.join(names)}.")
    return [*notes, _made_by(protocols)]


def _made_by(protocols: Sequence[Mapping[str, Any]]) -> str:
    """Which code and libraries evaluated."""
    versions: dict[str, dict[str, None]] = {}
    for protocol in protocols:
        for library, version in (protocol.get("versions") or {}).items():
            versions.setdefault(library, {})[str(version)] = None
    used = ", ".join(f"{library} {' and '.join(found)}" for library, found in versions.items())
    commits = dict.fromkeys(str(protocol.get("commit") or "unknown").partition("-") for protocol in protocols)
    short = ", ".join(dict.fromkeys(name[:COMMIT] + dash + dirty for name, dash, dirty in commits))
    return f"Evaluated by {used or 'unknown versions'}; commit {short}."
