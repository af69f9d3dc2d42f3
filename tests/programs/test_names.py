"""Photographs, folders and data sets with names that are markup, formulas, controls, or no UTF-8."""

import csv
import json
import os
import sys
import unicodedata

import numpy as np
import pytest
from conftest import TINY_RUN
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")

MARKUP = "<img src=x onerror=alert(1)>"
# By the id that each gets.
NAMES = {
    MARKUP: MARKUP,
    "=1+1": "=1+1",
    "[bold] a|b [-x]": "[bold] a|b [-x]",
    r"\x1b]0;owned\x07": "\x1b]0;owned\x07",
    r"\xd1\xdb\xff": b"\xd1\xdb\xff".decode("utf-8", "surrogateescape"),
    r"two\nlines": "two\nlines",
    "é": unicodedata.normalize("NFD", "é"),
    "x" * 200: "x" * 200,
}


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A data set of such names; labels have the other form of an accent."""
    folder = tmp_path_factory.mktemp("named")
    for place in ("images", "labels"):
        (folder / place).mkdir()
    chance = np.random.default_rng(0)
    for name in NAMES.values():
        label = np.zeros((40, 48), dtype=np.uint8)
        top, left = chance.integers(2, 30, 2)
        label[top : top + 8, left : left + 8] = 255
        Image.fromarray(np.stack([label // 2 + 60] * 3, axis=-1)).save(folder / "images" / f"{name}.png")
        Image.fromarray(label).save(folder / "labels" / f"{unicodedata.normalize('NFC', name)}.png")
    return folder


@pytest.fixture(scope="module")
def run(program, named, tmp_path_factory):
    """Trained with a progress bar on a terminal that has ASCII alone; all images but one validate."""
    folder = tmp_path_factory.mktemp("run") / f"{MARKUP} [b] 'q', \udcff"
    settings = ["data=folder", f"data.root={named}", "data.folds=8", "data.fold=5", "score=true", "logger=mlflow"]
    where = "hydra.run.dir='" + str(folder).replace("'", r"\'") + "'"
    done = program("train", *TINY_RUN[:-1], *settings, where, cwd=folder.parent, PYTHONIOENCODING="ascii:strict")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "state.json").read_text())["state"] == "done"
    return folder


def test_training_and_its_evaluation_end_well(run):
    assert [path.parent.name for path in run.glob("evaluation/*/metrics.json")] == ["folder-val"]
    assert "\x1b" not in (run / "train.log").read_text(encoding="utf-8")


def test_names_are_text_in_every_file_of_an_evaluation_and_come_back(program, named, run, tmp_path):
    maps = tmp_path / f"{MARKUP} [bold]=1+1"
    maps.mkdir()
    for path in (named / "labels").iterdir():
        Image.open(path).save(maps / path.name)
    title = f"'{MARKUP}'"
    arguments = ["data=folder", f"data.root={named}", f"data.dataset.name={title}", "split=all"]
    done = program("evaluate", f"predictions='{maps}'", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b]0" not in done.stdout
    (folder,) = {path.parent for path in maps.glob("evaluation/*/metrics.json")}
    for name in ("report.html", "table.md", "per_image.csv", "metrics.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "<img src=x" not in text or name.endswith(("json", "csv")), name
    rows = csv.DictReader((folder / "per_image.csv").read_text(encoding="utf-8").splitlines())
    assert {row["image_id"] for row in rows} == {f"'{name}" if name[0] == "=" else name for name in NAMES}
    assert {path.stem for path in (folder / "probabilities").iterdir()} == {*NAMES}
    done = program("leaderboard", maps, "--out", tmp_path / "board", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "board").iterdir():
        assert page.suffix == ".csv" or "<img src=x" not in page.read_text(encoding="utf-8"), page


def test_every_photograph_is_predicted_under_its_own_name(program, named, run, tmp_path):
    done = program(
        "predict", named / "images", "--run", run, "--out", tmp_path / "out [", cwd=tmp_path, PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b]0" not in done.stdout
    assert {name.removesuffix("_mask.png") for name in os.listdir(tmp_path / "out [") if "_mask" in name} == {
        *NAMES.values()
    }
