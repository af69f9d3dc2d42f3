"""Each command that a program prints does what it says, pasted into a shell, in a folder of an odd name."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import TINY_RUN
from PIL import Image

from unet_lightning.errors import RunError
from unet_lightning.sweeps.record import read
from unet_lightning.training.folder import RunFolder
from unet_lightning.training.folds import folds_of
from unet_lightning.training.threshold import stored_threshold

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

ODD = '-it\'s [a,b] = $HOME "é"'
PRINTED = re.compile(r"(python -m unet_lightning\..*)")


def commands(text):
    """What was printed to be pasted."""
    return PRINTED.findall(text)


@pytest.fixture(scope="module")
def paste(program, odd):
    """Runs a printed command as a shell would."""

    def run(line):
        done = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
        *_, module = (words := done.stdout.decode().split("\0")[:-1])[:3]
        done = program(module.removeprefix("unet_lightning."), *words[3:], cwd=odd)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A working folder with images of one's own, without a test split."""
    cwd = tmp_path_factory.mktemp("odd") / ODD
    chance = np.random.default_rng(0)
    for place in ("images", "labels"):
        (cwd / "data" / place).mkdir(parents=True)
    for number in range(4):
        label = np.zeros((40, 48), dtype=np.uint8)
        top, left = chance.integers(2, 20, 2)
        label[top : top + 9 + number, left : left + 12] = 255
        Image.fromarray(np.stack([label // 2 + 60] * 3, axis=-1)).save(cwd / f"data/images/{number}.png")
        Image.fromarray(label).save(cwd / f"data/labels/{number}.png")
    return cwd


@pytest.fixture(scope="module")
def trained(program, odd):
    """Two folds, each a job; what training printed. Both lie in folders of odd names."""
    settings = [*TINY_RUN[:-1], "trainer.max_epochs=1", "data=folder", "data.root=data", "loss.class_weights=auto"]
    place = "hydra.sweep.dir='" + ODD.replace("'", r"\'") + "'"
    done = program("train", "-m", *settings, "data.folds=2", "data.fold=0,1", place, cwd=odd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cross_validation_without_a_test_set_is_measured_out_of_fold(paste, odd, trained):
    *_, evaluate = commands(trained)
    assert "unet_lightning.evaluate" in evaluate
    printed = " ".join(paste(evaluate).split())
    assert "Out-of-fold figures alone, and none of test images: the data set has no test split." in printed
    assert "Out-of-fold: each image by the network that held it out." in printed
    (home,) = (odd / ODD).glob("evaluation/*/metrics.json")
    protocol = json.loads(home.read_text())["protocol"]
    assert (protocol["split"], protocol["images"], protocol["leak"]) == ("val", 4, [])
    # Their class weights are of other labels, and they are still of one method.
    weights = [yaml.safe_load((odd / ODD / job / "config.yaml").read_text())["loss"]["class_weights"] for job in "01"]
    assert weights[0] != weights[1]


def test_each_job_says_how_to_evaluate_it(paste, odd, trained):
    first = next(line for line in commands(trained) if line.endswith("split=val"))
    assert "LEAK" in paste(first)


def test_a_run_is_repeated_by_the_command_that_it_keeps(paste, odd, trained):
    repro = yaml.safe_load((odd / ODD / "0" / "repro.yaml").read_text())
    assert "Run folder: " in paste(repro["repeat"])


def test_errors_say_commands_that_work(program, paste, odd, trained, monkeypatch):
    monkeypatch.chdir(odd)
    run = Path(ODD) / "0"
    # No test images to measure a single run on.
    where = "run='" + str(run).replace("'", r"\'") + "'"
    done = program("evaluate", where, cwd=odd)
    assert done.returncode == 1
    (line,) = commands(done.stderr)
    assert "Nothing can be measured on test images: the data set has no test split" in done.stderr
    paste(line)
    # No threshold yet.
    with pytest.raises(Exception, match="No threshold was chosen yet") as raised:
        stored_threshold(odd / run, {})
    (line,) = commands(str(raised.value))
    assert "threshold=val split=val" in line or "split=val threshold=val" in line
    paste(line)
    # A fold is missing: its sweep goes on, here with nothing left to do.
    lacking = shutil.copytree(odd / ODD, odd / f"{ODD} lacking")
    (lacking / "1/config.yaml").rename(lacking / "1/config")
    with pytest.raises(RunError, match="without fold 1") as raised:
        folds_of(RunFolder(lacking))
    (line,) = commands(str(raised.value))
    (lacking / "1/config").rename(lacking / "1/config.yaml")
    assert "2 jobs: 2 done" in paste(line)
    # Several configurations are ranked.
    config = (lacking / "1/config.yaml").read_text()
    (lacking / "1/config.yaml").write_text(config.replace("base_c: 2", "base_c: 4"))
    with pytest.raises(RunError, match=r"differ in model\.base_c") as raised:
        folds_of(RunFolder(lacking))
    (lacking / "1/config.yaml").write_text(config)
    (line,) = commands(str(raised.value))
    assert "leaderboard" in line and "Written to" in paste(line)
    # A sweep whose record was edited.
    (lacking / "sweep.yaml").write_text((lacking / "sweep.yaml").read_text() + "# mine\n")
    with pytest.raises(RunError, match="signature") as raised:
        read(lacking)
    (line,) = commands(str(raised.value))
    assert "rerun=" in line
    paste(line)
