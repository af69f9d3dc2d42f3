"""An evaluation folder: figures with the protocol that they stand under."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from unet_lightning.data.labels import one_against_rest
from unet_lightning.files import write_rows, write_text
from unet_lightning.inference.maps import save_probability
from unet_lightning.metrics.calibration import reliability
from unet_lightning.metrics.summary import Summary
from unet_lightning.results.maps import Source
from unet_lightning.results.report import Picture, write_report
from unet_lightning.results.scores import Evaluation
from unet_lightning.results.tables import cross_table, results_table, show
from unet_lightning.training.provenance import commit, versions


def protocol_of(evaluation: Evaluation, source: Source) -> dict[str, Any]:
    """What was measured how: stands on every table."""
    maps = evaluation.maps
    two = len(maps.dataset.classes) == 2
    return {
        "dataset": maps.dataset.name,
        "split": maps.split,
        "images": len(maps.dataset),
        "reference": "first observer",
        "region": maps.dataset.region,
        "resolution": "the photographs' own",
        "threshold": evaluation.threshold.shown if two else "argmax",
        "threshold_source": evaluation.threshold.source if two else "the most probable class",
        **source.stamp(),
        "commit": commit(),
        "versions": versions(),
        "leak": [image_id for image_id in maps.dataset.image_ids if any(image_id in ids for ids in maps.leak.values())],
        "leak_reasons": maps.leak,
    }


def write_evaluation(evaluation: Evaluation, source: Source, report: bool, shown: bool = True) -> Path:
    """Writes the evaluation folder and prints the table.

    Args:
        evaluation: the figures.
        source: where the maps come from.
        report: whether report.html is drawn too.
        shown: whether the terminal gets the table.

    Returns:
        `<folder of the source>/evaluation/<data set>-<split>`.
    """
    maps, dataset = evaluation.maps, evaluation.maps.dataset
    folder = source.folder / "evaluation" / f"{dataset.name}-{maps.split}"
    protocol = protocol_of(evaluation, source)
    for stale in (*folder.glob("report*.html"), *folder.glob("probabilities/*.png")):
        stale.unlink()  # of an earlier evaluation
    for image_id, probability in zip(dataset.image_ids, maps.probabilities, strict=True):
        for name, one in zip(dataset.classes[1:], probability, strict=True):
            stem = image_id if len(probability) == 1 else f"{image_id}_{name}"
            save_probability(one, folder / "probabilities" / f"{stem}.png")
    rows = [
        {"observer": observer, "image_id": image_id, "leak": image_id in protocol["leak"]} | row
        for observer, summary in evaluation.observers.items()
        for image_id, row in zip(dataset.image_ids, summary.per_image, strict=True)
    ]
    write_rows(rows, folder / "per_image.csv")
    figures = {name: figures_of(summary) for name, summary in evaluation.observers.items()}
    calibration = {name: calibration_of(evaluation, number) for number, name in enumerate(evaluation.names)}
    written = {"protocol": protocol, "figures": figures, "calibration": calibration}
    write_text(folder / "metrics.json", json.dumps(written, indent=2))
    write_text(folder / "table.md", show(results_table(evaluation.observers, protocol), shown))
    if report:
        for number, name in enumerate(evaluation.names):
            stem = "report" if len(evaluation.names) == 1 else f"report_{dataset.classes[number + 1]}"
            page = folder / f"{stem}.html"
            others = {key: one for key, one in evaluation.observers.items() if key not in evaluation.names}
            title = f"{'/'.join(source.folder.resolve().parts[-2:])}: {dataset.name} {maps.split}"
            observers = {name: evaluation.observers[name]} | others
            write_report(page, title, protocol, observers, pictures(evaluation, number))
    if shown:
        print(f"Written to {folder}")
    return folder


def pictures(evaluation: Evaluation, number: int) -> list[Picture]:
    """What the report shows of each photograph."""
    dataset, maps = evaluation.maps.dataset, evaluation.maps
    targets = [one_against_rest(sample.target, number + 1) for sample in dataset.samples]
    return [
        Picture(image_id, dataset.photo(index), maps.probabilities[index][number], vessels[number], targets[index])
        for index, (image_id, vessels) in enumerate(zip(dataset.image_ids, evaluation.vessels, strict=True))
    ]


def write_matrix(done: Mapping[str, Sequence[Evaluation]]) -> None:
    """Prints the Dice of runs (down) on data sets (across) and writes it into each run as evaluation/matrix.md.

    Args:
        done: the evaluations of each run, by its folder.
    """
    cells = {
        folder: {
            f"{one.maps.dataset.name} {one.maps.split}": cell(one.observers[one.names[0]], bool(one.maps.leak))
            for one in evaluations
        }
        for folder, evaluations in done.items()
    }
    caption = "Dice per image with its 95 % bootstrap interval; the protocol of each cell is in its evaluation folder."
    text = show(cross_table(cells, caption))
    for folder in done:
        write_text(Path(folder) / "evaluation" / "matrix.md", text)


def cell(summary: Summary, leak: bool) -> str:
    """Mean Dice with its interval."""
    low, high = summary.interval["dice"]
    return f"{summary.mean['dice']:.4f} [{low:.4f}, {high:.4f}]" + " LEAK" * leak


def calibration_of(evaluation: Evaluation, number: int) -> list[dict[str, float | None]]:
    """The bins of the reliability diagram over all images."""
    targets = [one_against_rest(sample.target, number + 1).flatten() for sample in evaluation.maps.dataset.samples]
    probability = torch.cat([one[number].flatten() for one in evaluation.maps.probabilities])
    bins = reliability(probability, torch.cat(targets))
    return [known(asdict(one)) for one in bins]


def figures_of(summary: Summary) -> dict[str, dict[str, float | None]]:
    """A summary for JSON."""
    return {
        "mean": known(summary.mean),
        "sd": known(summary.sd),
        "low": known({figure: low for figure, (low, _) in summary.interval.items()}),
        "high": known({figure: high for figure, (_, high) in summary.interval.items()}),
        "pooled": known(summary.pooled),
    }


def known(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures for JSON, which has no NaN: null where there is none, such as the SD of one image."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
