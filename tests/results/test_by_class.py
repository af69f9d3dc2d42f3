import csv
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from test_report import Page

from unet_lightning.data.folder import FolderDataset
from unet_lightning.inference.colours import class_colours
from unet_lightning.results.by_class import class_table, confusion_table, fitting, left_out
from unet_lightning.results.decided import Maps
from unet_lightning.results.places import held
from unet_lightning.results.published import dice_with_interval, tracker_results, write_evaluation
from unet_lightning.results.scores import evaluate_maps
from unet_lightning.results.stored import read_stored
from unet_lightning.training.origin import Origin

CLASSES = ["background", "disc", "cup", "drusen", "scar"]
# Labels and maps of images of 4 x 4, by rows: scars are called once and never there, drusen are nowhere.
LABELS = {"a": [1, 1, 0, 2], "b": [0, 2, 2, 0], "c": [0, 0, 0, 0]}
CALLED = {"a": [1, 1, 1, 4], "b": [0, 2, 2, 0], "c": [0, 0, 0, 0]}
DICE_A, DICE_B = (4 / 5 + 0 + 0) / 3, 1.0
ORIGIN = Origin(networks=[], tta="none", scale="none", tiles="none")


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for place in ("images", "labels"):
        (folder / place).mkdir()
    for name, rows in LABELS.items():
        label = np.array(rows, dtype=np.uint8)[:, None].repeat(4, axis=1)
        Image.fromarray(label).save(folder / f"labels/{name}.png")
        Image.fromarray(label).save(folder / f"images/{name}.png")
    dataset = FolderDataset(folder, "all", "none", CLASSES)
    maps = [torch.tensor(rows)[:, None].expand(4, 4) for rows in CALLED.values()]
    probabilities = [torch.stack([0.6 * (called == number) + 0.1 for number in range(1, 5)]) for called in maps]
    return evaluate_maps(Maps(dataset, "all", probabilities, ORIGIN, thresholds=[0.5] * 3))


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    return written(evaluation, tmp_path_factory.mktemp("run"), report=False)


def written(evaluation, run, report=True):
    """The folder of the evaluation of a run."""
    with held(run, "folder-all") as place:
        return write_evaluation(evaluation, place, report)[0]


def test_one_dice_is_the_headline_everywhere(evaluation, folder):
    mean = (DICE_A + DICE_B) / 2
    figures = json.loads((folder / "metrics.json").read_text())["figures"]
    assert list(figures) == ["model", *(f"model: {name}" for name in CLASSES), "all background"]
    assert figures["model"]["mean"]["dice"] == pytest.approx(mean)
    assert tracker_results(evaluation, "val").figures["val/dice_per_image"] == pytest.approx(mean)
    assert dice_with_interval(evaluation).startswith(f"{mean:.4f} ")
    read = read_stored(folder)
    assert read.values("model", "dice") == pytest.approx({"a": DICE_A, "b": DICE_B, "c": math.nan}, nan_ok=True)
    assert read.classes == CLASSES
    assert f"| dice_per_image | {mean:.4f} (" in " ".join((folder / "table.md").read_text().split())


def test_a_class_has_a_row(evaluation, folder):
    table = class_table(evaluation, evaluation.classes)
    assert list(table.index) == CLASSES
    assert list(table["share"]) == ["0.5833", "0.1667", "0.2500", "0.0000", "0.0000"]
    assert list(table["images"]) == ["3", "1", "2", "0", "1"]
    assert list(table["iou"]) == ["0.8571", "0.6667", "0.6667", "-", "0.0000"]
    assert table["dice_per_image"]["cup"].startswith("0.5000 (")
    assert "| scar " in (folder / "table.md").read_text()


def test_what_is_left_out_is_said(evaluation, folder):
    said = [
        "In no label and no map, and left out of all means: drusen.",
        "In no label, and called falsely: scar.",
        "Of background alone, in label and map, and left out of the 3 images: c.",
    ]
    assert left_out(evaluation, evaluation.classes) == said
    assert all(sentence in " ".join((folder / "table.md").read_text().split()) for sentence in said)


def test_the_confusion_matrix_is_in_json_csv_and_a_table(evaluation, folder):
    matrix = [[24, 4, 0, 0, 0], [0, 8, 0, 0, 0], [0, 0, 8, 0, 4], [0] * 5, [0] * 5]
    assert json.loads((folder / "metrics.json").read_text())["confusion"] == matrix
    with (folder / "confusion_matrix.csv").open(newline="") as file:
        assert list(csv.reader(file))[:2] == [["true \\ called", *CLASSES], ["background", "24", "4", "0", "0", "0"]]
    assert list(confusion_table(evaluation, evaluation.classes).loc["cup"]) == [
        "0 (0.0%)",
        "0 (0.0%)",
        "8 (66.7%)",
        "0 (0.0%)",
        "4 (33.3%)",
    ]


def test_a_narrow_terminal_shows_the_first_columns(evaluation):
    table = class_table(evaluation, evaluation.classes)
    assert list(fitting(table, 10)) == ["dice_per_image", "share"]
    # Names take 14 characters, the first columns 18, 9 and 9.
    assert list(fitting(table, 50)) == ["dice_per_image", "share", "iou"]
    assert list(fitting(table, 1000)) == list(table)


def test_a_page_shows_all_classes_and_leads_to_those_of_each(evaluation, tmp_path):
    folder = written(evaluation, tmp_path)
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert [a["href"] for a in page.all("a")] == ["#protocol", *(f"report_{name}.html" for name in CLASSES[1:])]
    assert all((folder / f"report_{name}.html").is_file() for name in CLASSES[1:])
    assert [one["alt"] for one in page.all("img")[:3]] == [
        f"{what} of image a" for what in ("Photograph", "Label", "Most probable class")
    ]
    assert "8 (66.7%)" in page.texts("td") and "In no label, and called falsely: scar." in text
    for name, colour in zip(CLASSES, class_colours(5), strict=True):
        assert f'background: {colour}"></span>{name}' in text


def test_vessels_are_named_where_the_class_is_called_so_alone(evaluation, tmp_path):
    folder = written(evaluation, tmp_path / "cups/run")
    page = (folder / "report_cup.html").read_text(encoding="utf-8")
    assert "Probability of cup" in page and "vessel" not in page.lower()
