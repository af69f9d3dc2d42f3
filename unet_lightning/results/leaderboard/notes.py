"""What is said below a leaderboard: what was measured how, and what speaks against figures."""

from collections.abc import Sequence

import pandas as pd

from unet_lightning.metrics.comparison import Groups, comparisons
from unet_lightning.metrics.statistics import LEAST, METHOD
from unet_lightning.metrics.summary import LOWER_IS_BETTER
from unet_lightning.results.leaderboard.entries import Entry

POOLED = ("dice", "auroc", "average_precision", "sensitivity_thin")  # figures of pooled pixels in the tables


def pooled_columns(lines: pd.DataFrame) -> dict[str, str]:
    """The columns of pooled pixels that have a figure, by their headings."""
    columns = {"dice_pooled" if name == "dice" else name: f"{name}_pooled" for name in POOLED}
    return {label: name for label, name in columns.items() if name in lines and lines[name].notna().any()}


def notes_on(lines: pd.DataFrame, models: Sequence[Entry], figure: str, groups: Groups) -> list[str]:
    """What was measured how, in sentences."""
    protocols = [one for entry in models for one in entry.protocols]
    first, what = protocols[0], "images" if groups is None else "groups of images"
    means = lines.loc[lines["kind"].isin(("model", "human")), ["rank", f"{figure}_per_image"]].dropna(
        subset=[f"{figure}_per_image"]
    )
    pairs = comparisons(int(means["rank"].notna().sum()), len(means))
    order = "lowest first" if figure in LOWER_IS_BETTER else "highest first"
    notes = [
        f"{first.dataset} {first.split}: {len(models[0].images)} images, against the {first.reference}, "
        f"region: {first.region}, resolution: {first.resolution}.",
        f"Ranked by {figure}_per_image, the mean over images, {order}. Runs of one method are averaged image by image. "
        f"Intervals: 95 %, {METHOD}{' by group' if groups is not None else ''}; none below {LEAST} {what}. "
        "Spread: SD of the seeds' means.",
        f"Of the pooled pixels, averaged over the runs: {', '.join(pooled_columns(lines))}.",
    ]
    if lines["difference"].notna().any():
        notes.append(
            "Difference to best: the entry less rank 1, image by image. Its interval leaves out 0 where p, of the same "
            f"method, is below 0.05; both are corrected (Bonferroni) for {pairs} pair{'s' * (pairs > 1)}, of which any "
            "could have been the best and another."
        )
    if models[0].several:
        notes.append(_of_classes(models, figure))
    if trivial := list(lines.loc[lines["kind"] == "trivial", "entry"]):
        notes.append(f"Without rank or comparison, as they look at no photograph: {', '.join(trivial)}.")
    versions = pd.DataFrame([protocol.versions for protocol in protocols])
    used = ", ".join(f"{library} {' and '.join(versions[library].dropna().map(str).unique())}" for library in versions)
    commits = ((protocol.commit or "unknown").partition("-") for protocol in protocols)
    short = ", ".join(dict.fromkeys(name[:12] + dash + dirty for name, dash, dirty in commits))
    return [*notes, f"Evaluated by {used or 'unknown versions'}; commit {short}."]


def doubts_on(lines: pd.DataFrame, models: Sequence[Entry]) -> list[str]:
    """What networks have seen of the images, or may have."""
    leaks = lines[lines["kind"] == "leak"]
    notes = [
        f"LEAK, without rank or comparison: trained or selected on {images}: {', '.join(names)}."
        for images, names in leaks["entry"].groupby(leaks["leak"].map(", ".join), sort=False)
    ]
    notes += [f"LEAK: the maps of {entry.name} are those of {entry.twin}." for entry in models if entry.twin]
    for unknown in dict.fromkeys(words for entry in models for words in entry.unknown):
        names = ", ".join(entry.name for entry in models if unknown in entry.unknown)
        notes.append(f"{unknown[0].upper()}{unknown[1:]}: {names}.")
    for entry in models:
        for words, found in (
            ("Look like changed copies of images that {} has seen", [one.near_duplicates for one in entry.protocols]),
            ("Of patients of whom {} has seen another image", [one.same_patient for one in entry.protocols]),
        ):
            if images := sorted({image for one in found for image in one}):
                notes.append(f"{words.format(entry.name)}: {', '.join(images)}.")
    return notes


def _of_classes(models: Sequence[Entry], figure: str) -> str:
    """What a figure is where there are more than two classes, and whose mean lacks images."""
    classes, name = models[0].runs[0].evaluation.classes, models[0].observer.partition(": ")[2]
    what = f"of the class {name}" if name else f"the mean over {', '.join(classes[1:])}"
    counted = [(model.name, len(model.counting(figure)), len(model.images)) for model in models]
    few = [f"{entry} {number} of {every}" for entry, number, every in counted if number < every]
    left = f" Images that have it: {'; '.join(few)}." if few else ""
    return f"Each figure is {what}; a class that is in neither label nor map of an image is left out of it.{left}"
