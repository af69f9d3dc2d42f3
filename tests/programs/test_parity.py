"""Two processes with half of a batch each are one process with the whole batch."""

import csv
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

PARITY = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "experiments/reliability/parity.py")))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    PARITY.draw(folder)
    return folder


@pytest.fixture(scope="module")
def pair(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [PARITY.train(data, folder / str(n), n, PARITY.CASES["GroupNorm, SGD"]) for n in (1, 2)]


def figures(folder):
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    return [float(row["val/dice_per_image"]) for row in rows]


def test_losses_validation_figures_and_weights_are_the_same_over_ten_steps(pair):
    found = PARITY.differences(*pair)
    assert all(found[kind] <= bound for kind, bound in PARITY.BOUNDS.items()), found


def test_the_runs_that_agree_have_learnt_something(pair):
    first, last = (float(pair[1].rows[step]["train/loss"]) for step in (0, -1))
    assert last < first - 0.01


def test_each_validation_image_counts_once(pair):
    # `score` measures the best network in one process.
    folder = pair[1].folder
    rows = list(csv.DictReader((folder / "evaluation/folder-val/per_image.csv").read_text().splitlines()))
    found = [(row["image_id"], float(row["dice"])) for row in rows if row["annotator"] == "model"]
    dice = dict(found)
    assert sorted(dice) == ["4", "5", "6"] and len(found) == 3
    assert max(figures(folder)) == pytest.approx(sum(dice.values()) / 3, abs=1e-6)


def test_processes_with_statistics_of_their_own_validate_the_network_of_the_checkpoint(program, data, tmp_path):
    settings = [*PARITY.SETTINGS, f"data.root={data}", "trainer=ddp_cpu", "data.batch_size=2", "trainer.max_epochs=2"]
    settings += ["model.norm=batch", "optimizer.lr=0.02", f"hydra.run.dir={tmp_path / 'run'}"]
    done = program("train", *settings, cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    evaluated = json.loads((tmp_path / "run/evaluation/folder-val/metrics.json").read_text())["figures"]["model"][
        "mean"
    ]
    assert max(figures(tmp_path / "run")) == pytest.approx(evaluated["dice"], abs=1e-6)
    assert evaluated["dice"] > 0.01
