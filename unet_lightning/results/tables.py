"""Figures as text, and tables of them for the terminal and for Markdown."""

import io
import math
import re
import textwrap
from collections.abc import Callable, Mapping

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from unet_lightning.metrics.statistics import METHOD
from unet_lightning.metrics.summary import TOPOLOGY, Summary, of_images_alone
from unet_lightning.results.protocol import Protocol
from unet_lightning.results.stored import MODEL
from unet_lightning.text import published, shown
from unet_lightning.training.trained import NOBODY

NAMES = {
    "dataset": "Data set",
    "iou": "Intersection over union",
    "miou_with_background": "Mean intersection over union, with the background",
    "mcc": "Matthews correlation",
    "auroc": "AUROC",
    "ece": "Expected calibration error",
    "brier": "Brier score",
    "cldice": "clDice",
    "hd95": "Hausdorff distance, 95th percentile, pixels",
    "sensitivity_thin": "Sensitivity, thin vessels",
    "sensitivity_thick": "Sensitivity, thick vessels",
    "instance_f1": "F1 of objects (recognition quality)",
    "instance_sq": "Mean IoU of matched objects (segmentation quality)",
    "pq": "Panoptic quality",
    "count_error": "Error in the number of objects",
    "tta": "Test-time augmentation",
}
# Pieces, pixels, and a rank correlation; all others are rates.
DECIMALS = {"component_error": 1, "count_error": 1, "hd95": 1, "rho": 2}
WITH_INTERVAL = ("dice", "auroc", "average_precision")  # of the pooled figures in the table
WIDE = 10_000  # characters: a row of Markdown is one line
AT_START = re.compile(r"^(?:[#>+=-])(?=[\s#=-]|$)")  # of a line, where it would make a heading or a list


def readable_name(name: str, thing: str = "vessel") -> str:
    """A figure of a class, or an entry of the protocol: `average_precision` becomes `Average precision`."""
    if name.startswith("nsd_"):
        return f"Normalised surface distance, tolerance {name.removeprefix('nsd_')}"
    named = NAMES.get(name, name.replace("_", " ").capitalize())
    return named.replace("vessels", "parts") if thing != "vessel" else named


def one_of(thing: str) -> str:
    """The name of a class in `probability of ...`; only for vessels is it known how to say it."""
    return "a vessel" if thing == "vessel" else thing


def many_of(thing: str) -> str:
    """The name of a class in `share of ...`."""
    return "vessels" if thing == "vessel" else thing


def readable(value: float | None, name: str = "", sign: str = "") -> str:
    """A figure as text, with the decimals that its name asks for; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value:{sign}.{DECIMALS.get(name, 4)}f}"


def mean_and_sd(summary: Summary, name: str) -> str:
    """A figure as mean (SD) over images; a dash where the observer has no such figure."""
    mean, sd = (readable(found.get(name), name) for found in (summary.mean, summary.sd))
    return mean if mean == "-" else f"{mean} ({sd})"


def interval_of(summary: Summary, name: str) -> str:
    """The interval of a figure's mean over images, such as `0.8101 to 0.8254`; where there is none, why."""
    return _interval(summary.interval[name], name, summary.why_unknown.get(name, ""))


def pooled_interval_of(summary: Summary, name: str) -> str:
    """The same of a figure of the pooled pixels; empty where there is no such figure."""
    if math.isnan(summary.pooled.get(name, math.nan)) or name not in summary.pooled_interval:
        return ""
    return _interval(summary.pooled_interval[name], name, summary.why_unknown.get(name, ""))


def _interval(ends: tuple[float, float], name: str, reason: str) -> str:
    low, high = (readable(end, name) for end in ends)
    return f"{low} to {high}" if low != "-" else f"none: {reason or 'the images do not say how far it could be off'}"


def results_table(observers: Mapping[str, Summary], mark: str) -> pd.DataFrame:
    """One column an observer: Dice and topology per image as mean (SD), the rest from the pooled pixels.

    The model's columns get the `mark` of its protocol.
    """
    columns, interval = {}, "  95 % interval"
    for observer, summary in observers.items():
        cells = {"dice_per_image": mean_and_sd(summary, "dice"), interval: interval_of(summary, "dice")}
        for name in ("dice", *(name for one in observers.values() for name in (*one.mean, *one.pooled))):
            text = mean_and_sd(summary, name) if of_images_alone(name) else readable(summary.pooled.get(name))
            cells["dice_pooled" if name == "dice" else name] = text
            if name in WITH_INTERVAL:
                cells[f"{interval} of {name}"] = pooled_interval_of(summary, name) or "-"
        columns[f"{observer} {mark}".rstrip() if observer.startswith(MODEL) else observer] = cells
    return pd.DataFrame(columns).rename(index=lambda label: interval if label.startswith(interval) else label)


def words_of(protocol: Protocol) -> str:
    """The protocol as a paragraph, with LEAK where it applies."""
    how = f"TTA {protocol.tta}; scale {protocol.scale}; {protocol.tiles}"
    if protocol.tiles == "-":
        how = f"maps of another program, read from {protocol.predictions or 'a folder'}"
    of_images = ["dice_per_image", *(name for name in TOPOLOGY if name in protocol.terms.shape)]
    said = [
        f"{protocol.dataset} {protocol.split}, {protocol.images} images; against the {protocol.reference}; "
        f"{protocol.region}; resolution: {protocol.resolution}; threshold {protocol.threshold} "
        f"({protocol.threshold_source}); {how}.",
        f"{', '.join(of_images)}, hd95 (pixels) and nsd are the mean (SD) over images; the others are of the pooled "
        f"pixels. Intervals: 95 %, {METHOD}{by_group(protocol)}.",
    ]
    if protocol.instances:
        said.append(f"Objects (instance_f1, instance_sq, pq, and over images count_error): {protocol.instances}.")
    if protocol.out_of_fold:
        said.append(f"Out-of-fold: {protocol.out_of_fold}.")
    if normalised := protocol.assumed:
        said.append(f"Photographs are normalised by mean {normalised['mean']} and SD {normalised['std']}, as was said.")
    if protocol.labels:
        said.append(f"Labels: {protocol.labels}.")
    said += [
        f"Network: {network.checkpoint} ({network.sha256[:12]}), "
        + f"epoch {network.epoch}, " * (network.epoch != NOBODY)
        + f"seed {network.seed}, " * (network.seed != NOBODY)
        + f"trained on {protocol.trained_on}."
        for network in protocol.networks
    ]
    versions = ", ".join(f"{name} {version}" for name, version in protocol.versions.items())
    said.append(f"Commit {protocol.commit or 'unknown'}; {versions}.")
    if protocol.initial_weights:
        saw = ", ".join(protocol.initial_weights_saw or {})
        seen = f"they saw images of {saw}" if saw else "the file does not say what they saw"
        said.append(f"Training began from {protocol.initial_weights}: {seen}.")
    return " ".join([*said, *doubts_of(protocol)])


def by_group(protocol: Protocol) -> str:
    """By how many groups of images, such as patients, intervals are; empty where each image stands for itself."""
    return f", by group: the images are of {protocol.patients} patients" if protocol.patients else ""


def doubts_of(protocol: Protocol) -> list[str]:
    """Sentences on labels, and on images that the network has seen or may have: LEAK, copies, what nobody knows."""
    said = [f"{unknown[0].upper()}{unknown[1:]}." for unknown in protocol.unknown]
    said += protocol.label_doubts
    if protocol.leak:
        names = {image_id: f"{image_id} ({seen})" for image_id, seen in protocol.seen_as.items()}
        reasons = (
            f"{reason.words} {', '.join(names.get(image_id, image_id) for image_id in ids)}"
            for reason, ids in protocol.leak_reasons.items()
        )
        said.append(f"LEAK: {'; '.join(reasons)}.")
    if protocol.watched:
        watched = ", ".join(protocol.watched)
        said.append(
            f"Validation images, which did not choose this checkpoint: {watched}. Whatever they chose, such "
            "as settings or the number of epochs, has too good figures here: report those of images that chose nothing."
        )
    if protocol.near_duplicates:
        pairs = ", ".join(f"{image_id} ({seen})" for image_id, seen in protocol.near_duplicates.items())
        said.append(f"Look like copies of images that the network has seen, changed or compressed with loss: {pairs}.")
    for doubt, image_ids in protocol.own_scale.items():
        said.append(f"At their own scale: {', '.join(image_ids)}: {doubt}. Set scale to a factor, or to none.")
    if protocol.same_patient:
        pairs = ", ".join(f"{image_id} ({seen})" for image_id, seen in protocol.same_patient.items())
        said.append(
            f"Of patients of whom the network has seen another image, by the names of their groups: {pairs}. For new "
            "patients figures may be lower. Where they are others of the same names, name one data set otherwise."
        )
    if protocol.leak_by_names:
        said.append("The checkpoint is of an earlier version: what it has seen is known by names, not by content.")
    return said


def show(frame: pd.DataFrame, caption: str) -> None:
    """Prints a table of text, its caption below."""
    for part in in_width(frame, Console().width):
        Console().print(_grid(part, shown))
    Console(highlight=False).print(shown(caption), markup=False)


def markdown(frame: pd.DataFrame, caption: str) -> str:
    """The same as Markdown, with the caption, where there is one, as a paragraph."""
    text = io.StringIO()
    Console(file=text, width=WIDE, color_system=None, force_terminal=False).print(_grid(frame, markdown_text))
    rows = [line.strip() for line in text.getvalue().splitlines() if line.strip()]
    lines = textwrap.wrap(markdown_text(caption), 100, break_long_words=False, break_on_hyphens=False)
    paragraph = ["", *(AT_START.sub(r"\\\g<0>", line) for line in lines)] if lines else []
    return "\n".join([*rows, *paragraph]) + "\n"


def in_width(frame: pd.DataFrame, width: int) -> list[pd.DataFrame]:
    """The columns of a table on as many tables as it takes that none is wider than a terminal; a figure is not broken.

    Headings are broken between words, the names of rows where they take more than half of the width.
    """
    home = min(max((len(str(name)) for name in frame.index), default=0), width // 2) + 4  # with the lines beside it
    groups: list[list[int]] = [[]]
    room = width - home
    for place, name in enumerate(frame):
        wide = max(map(len, (*frame.iloc[:, place].map(str), *str(name).split()))) + 3
        if groups[-1] and wide > room:
            groups.append([])
            room = width - home
        groups[-1].append(place)
        room -= wide
    return [frame.iloc[:, group] for group in groups]


def _grid(frame: pd.DataFrame, as_text: Callable[[str], str]) -> Table:
    names = (Column(escape(as_text(name)), justify="right") for name in frame)
    table = Table(Column("", overflow="fold"), *names, box=box.MARKDOWN)
    for row in frame.itertuples():
        dim = row[0] in frame.attrs.get("dim", ())
        table.add_row(*(escape(as_text(cell)) for cell in row), style="dim" if dim else "")
    return table


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is, in a table too: the name of a folder or an image is no markup."""
    one_line = published(text.replace("\n", " "))
    escaped = re.sub(r"[\\`*|$~]|&(?=#?\w+;)|(?<!\w)_|_(?!\w)|\](?=[(\[:])", r"\\\g<0>", one_line)
    return re.sub(r"<(?=\S)", "&lt;", escaped)
