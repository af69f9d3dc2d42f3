import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).parents[2] / "experiments/dashboard/dashboard.py"
# What the trackers log; see test_wandb.py.
LOGGED = {"val/dice_per_image", "val/dice_pooled", "val/loss", "train/loss", "train/grad_norm", "lr"}


@pytest.fixture(scope="module")
def workspace():
    env = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    command = [sys.executable, DASHBOARD, "someone", "--group", "train/day", "--varied", "model.base_c", "--dry-run"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def panels(workspace):
    sections = workspace["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in sections}


def test_a_dashboard_has_a_section_for_each_question(panels):
    kinds = {name: sorted({panel["viewType"] for panel in found}) for name, found in panels.items()}
    assert kinds == {
        "Learning curves": ["Run History Line Plot"],
        "What was found": ["Media Browser"],
        "Best checkpoint": ["Bar Chart", "Vega2", "Weave"],
        "What the parameters do": ["Parallel Coordinates Plot", "Parameter Importance"],
        "Runs side by side": ["Run Comparer"],
    }


def test_a_dashboard_shows_what_runs_log(panels):
    lines = [panel["config"] for panel in panels["Learning curves"]]
    assert {line["metrics"][0] for line in lines} == LOGGED
    assert {line["xAxis"] for line in lines} == {"trainer/global_step"}
    tables = json.dumps(panels["Best checkpoint"])
    for name in ("best/precision_recall_table", "best/calibration_table", "best/per_image", "best/dice_per_image_low"):
        assert f'"{name}"' in tables
    columns = panels["What the parameters do"][1]["config"]["columns"]
    assert len(columns) == 2 and "base_c" in json.dumps(columns)


def test_a_dashboard_is_of_the_training_runs_of_one_group(workspace):
    (runs,) = workspace["spec"]["section"]["runSets"]
    filters = {one["key"]["name"]: one["value"] for one in runs["filters"]["filters"]}
    assert filters == {"jobType": "train", "group": "train/day"}
    assert (workspace["entity"], workspace["project"]) == ("someone", "unet_lightning")
