"""The sentences below a leaderboard: what was measured how."""

from collections.abc import Sequence
from typing import Any

from unet_lightning.metrics.statistics import RESAMPLES
from unet_lightning.metrics.summary import LOWER_IS_BETTER
from unet_lightning.results.leaderboard.entries import Entry
from unet_lightning.results.leaderboard.lines import Line

POOLED = ("dice", "auroc", "average_precision", "sensitivity_thin")  # columns of the pooled pixels
COMMIT = 12  # characters of a commit shown


def make_notes(lines: Sequence[Line], figure: str) -> list[str]:
    """What was measured how, in sentences."""
    models = [line.entry for line in lines if not line.entry.human]
    protocol = models[0].runs[0].evaluation.protocol
    compared = sum(line.standing.against_best is not None for line in lines)
    order = "lowest first" if figure in LOWER_IS_BETTER else "highest first"
    notes = [
        f"{protocol['dataset']} {protocol['split']}: {len(models[0].images)} images, against the "
        f"{protocol['reference']}, region: {protocol['region']}, resolution: {protocol['resolution']}.",
        f"Ranked by {figure}_per_image, the mean over images, {order}. Runs of one method are averaged image by image. "
        f"Intervals: 95 %, {RESAMPLES:,} bootstrap resamples of the images. Spread: SD of the seeds' means.",
        f"Of the pooled pixels, averaged over the runs: {', '.join(pooled_columns(models))}.",
    ]
    if compared:
        notes.append(
            "Difference to best: the entry less rank 1, image by image. p: Wilcoxon's signed-rank test, "
            f"two-sided, corrected by Holm's method for {compared} comparison{'s' * (compared > 1)}."
        )
    leaked: dict[str, list[str]] = {}
    for line in lines:
        if line.leak:
            leaked.setdefault(", ".join(line.entry.leak), []).append(line.entry.name)
    notes += [
        f"LEAK, without rank or comparison: trained or selected on {images}: {', '.join(names)}."
        for images, names in leaked.items()
    ]
    return [*notes, _made_by(models)]


def pooled_columns(entries: Sequence[Entry]) -> dict[str, str]:
    """The figures of pooled pixels that an entry has, by the names of their columns."""
    return {
        "dice_pooled" if name == "dice" else name: name
        for name in POOLED
        if any(name in entry.pooled for entry in entries)
    }


def _made_by(entries: Sequence[Entry]) -> str:
    """Which code and libraries evaluated."""
    protocols = [run.evaluation.protocol for entry in entries for run in entry.runs]
    versions: dict[str, dict[str, None]] = {}
    for protocol in protocols:
        for library, version in (protocol.get("versions") or {}).items():
            versions.setdefault(library, {})[str(version)] = None
    used = ", ".join(f"{library} {' and '.join(found)}" for library, found in versions.items())
    commits = dict.fromkeys(_short(protocol.get("commit")) for protocol in protocols)
    return f"Evaluated by {used or 'unknown versions'}; commit {', '.join(commits)}."


def _short(commit: Any) -> str:
    """The beginning of a commit, and whether files differed from it."""
    name, dash, dirty = str(commit or "unknown").partition("-")
    return name[:COMMIT] + dash + dirty
