"""A run folder as version 0.1 wrote it, stopped after its first epoch of two: nothing of it is lost."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from unet_lightning.data.seen import Leak
from unet_lightning.results.stored import read_stored

FIXTURE = Path(__file__).parents[1] / "fixtures/run_of_0.1"


@pytest.fixture
def old(tmp_path):
    return shutil.copytree(FIXTURE, tmp_path / "old")


def test_an_old_run_goes_on(program, old, tmp_path):
    done = program("train", "resume=old", "trainer.max_time=null", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (old / "metrics.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["epoch"], row["step"]) for row in csv.DictReader(file)] == [("0", "20"), ("1", "40")]
    assert json.loads((old / "state.json").read_text(encoding="utf-8"))["attempts"] == 2
    config = yaml.safe_load((old / "config.yaml").read_text(encoding="utf-8"))
    assert "default_root_dir" not in config["trainer"]  # a folder may be moved
    assert config["callbacks"]["average"]["decay"] == 0.99
    assert list((old / "tensorboard").glob("events*"))


def test_an_old_run_is_evaluated_and_predicts(program, old, tmp_path):
    done = program("evaluate", "run=old", "report=false", "data.root=data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    photo = next((tmp_path / "data").rglob("01_test.tif"))
    done = program("predict", photo, "--run", "old", "--out", "predictions", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "predictions/01_test_mask.png").is_file()


def test_an_old_evaluation_says_why_it_leaks():
    reasons = read_stored(FIXTURE / "evaluation/synthetic-val").protocol.leak_reasons
    assert {*reasons} == {Leak.EPOCH}
