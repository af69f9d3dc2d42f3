"""Images of one's own with three classes, from training to prediction."""

import csv
import json

import numpy as np
import pytest
from conftest import TINY_RUN
from PIL import Image

CLASSES = "data.dataset.classes=[background,disc,cup]"


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Six pictures of 40 x 48 with a bright square (class 2) in a grey one (class 1)."""
    folder = tmp_path_factory.mktemp("cells")
    for place in ("images", "labels"):
        (folder / place).mkdir()
    chance = np.random.default_rng(0)
    for number in range(6):
        label = np.zeros((40, 48), dtype=np.uint8)
        top, left = chance.integers(2, 14, 2)
        label[top : top + 24, left : left + 24] = 1
        label[top + 6 : top + 18, left + 6 : left + 18] = 2
        picture = np.array([20, 120, 220], dtype=np.uint8)[label] + chance.integers(0, 20, label.shape, dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"images/{number}.png")
        Image.fromarray(label).save(folder / f"labels/{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(program, cells, tmp_path_factory):
    """A trained and evaluated run that tells the squares from one another."""
    cwd = tmp_path_factory.mktemp("run")
    arguments = [*TINY_RUN, "data=folder", f"data.root={cells}", CLASSES, "model.num_classes=3"]
    arguments += [
        "data.folds=3",
        "data.fold=0",
        "data.repeats=10",
        "data.batch_size=4",
        "model.base_c=4",
        "optimizer.lr=0.02",
        "trainer.max_epochs=10",
        "score=true",
    ]
    done = program("train", *arguments, f"hydra.run.dir={cwd / 'run'}", cwd=cwd)
    assert done.returncode == 0, done.stderr
    done = program("evaluate", f"run={cwd / 'run'}", "split=val", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run"


def test_one_dice_is_said_everywhere(run):
    written = json.loads((run / "evaluation/folder-val/metrics.json").read_text())["figures"]
    dice = written["model"]["mean"]["dice"]
    assert dice == pytest.approx((written["model: disc"]["mean"]["dice"] + written["model: cup"]["mean"]["dice"]) / 2)
    state = json.loads((run / "state.json").read_text())
    assert (state["monitor"], state["value"]) == ("val/dice_per_image", pytest.approx(dice, abs=1e-4))
    log = (run / "train.log").read_text()
    assert f"Best network on 2 validation images, which chose it: {dice:.4f} " in log
    assert f"Best val/dice_per_image: {dice:.4f} (on the images that chose the epoch)" in log
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[state["epoch"]]["val/dice_per_image"]) == pytest.approx(dice, abs=1e-4)


def test_a_leaderboard_ranks_by_the_mean_over_the_classes(program, run, tmp_path):
    done = program("leaderboard", run, "--out", tmp_path / "board", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    dice = json.loads((run / "evaluation/folder-val/metrics.json").read_text())["figures"]["model"]["mean"]["dice"]
    text = (tmp_path / "board/leaderboard.md").read_text()
    assert f"{dice:.4f}" in text and "Each figure is the mean over disc, cup" in text


def test_each_class_has_its_figures(run):
    folder = run / "evaluation/folder-val"
    written = json.loads((folder / "metrics.json").read_text())
    *networks, trivial = written["figures"]
    assert (networks, trivial) == (["model", "model: background", "model: disc", "model: cup"], "all background")
    assert min(written["figures"][name]["mean"]["dice"] for name in networks) > 0.5
    assert written["figures"][trivial]["mean"]["dice"] == 0
    protocol = written["protocol"]
    assert (protocol["threshold"], protocol["region"]) == ("argmax", "whole image")
    assert sorted(path.name for path in folder.glob("*.html")) == ["report.html", "report_cup.html", "report_disc.html"]
    assert sorted(path.name for path in (folder / "probabilities").iterdir()) == [
        f"{image_id}_{name}.png" for image_id in "03" for name in ("cup", "disc")
    ]


def test_a_mask_holds_the_number_of_each_pixels_class(program, run, cells, tmp_path):
    done = program("predict", cells / "images", "--run", run, "--out", tmp_path / "out", "--fov", "none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = np.asarray(Image.open(tmp_path / "out/3_mask.png"))
    assert set(np.unique(made)) == {0, 1, 2}
    assert (made == np.asarray(Image.open(cells / "labels/3.png"))).mean() > 0.9
    assert (tmp_path / "out/3_probability_cup.png").is_file()
    assert "2 cup (#E69F00)" in (tmp_path / "out/legend.svg").read_text()


@pytest.mark.parametrize("threshold", ["val", "0.4", "0.5"])
def test_a_threshold_for_three_classes_is_refused(in_process, run, cells, threshold):
    message = in_process("evaluate", f"run={run}", "split=val", f"threshold={threshold}")
    assert "A threshold decides between two classes, the network knows 3 (background, disc, cup)" in message
    arguments = [cells / "images/3.png", "--run", run, "--out", "out", "--threshold", threshold]
    assert "--threshold decides between two classes, the network knows 3" in in_process("predict", *arguments)


def test_maps_of_another_program_are_of_one_class(in_process, cells, tmp_path):
    arguments = ["data=folder", f"data.root={cells}", CLASSES, "split=all"]
    assert "A folder of probability maps has one map an image" in in_process(
        "evaluate", f"predictions={tmp_path}", *arguments
    )


def test_a_network_of_two_classes_does_not_go_with_labels_of_three(in_process, cells):
    arguments = [*TINY_RUN, "data=folder", f"data.root={cells}", CLASSES, "model.num_classes=2"]
    assert "set model.num_classes=3" in in_process("train", *arguments)


def test_a_run_on_two_classes_is_not_measured_on_three(in_process, tiny_run, cells):
    arguments = ["data=folder", f"data.root={cells}", CLASSES, "data.val_ids=['3']", "split=val"]
    assert "The network knows 2 classes (background, vessel)" in in_process("evaluate", f"run={tiny_run}", *arguments)
