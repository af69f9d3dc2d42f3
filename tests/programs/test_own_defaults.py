"""A folder of one's own that shows no vessels: sized by `experiment=own`, and told of in its own terms."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import Program
from PIL import Image

from unet_lightning.models.unet import UNet

# Of a fundus and its vessels, or of figures that are of vessels alone.
WORDS = re.compile(
    r"vessel|fundus|retina|observer|field[ -_]of[ -_]view|cldice|centreline|component|\bthin\b|\bthick\b|_thin|_thick",
    re.IGNORECASE,
)
READ = (".html", ".csv", ".json", ".md", ".log", ".txt")


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten discs in pictures of 40 x 48, six to train and four to test, of two patients and more; labelled twice."""
    folder = tmp_path_factory.mktemp("cells") / "mine"
    rows, cols = np.mgrid[:40, :48]
    chance = np.random.default_rng(0)
    for number in range(10):
        part = folder / ("train" if number < 6 else "test")
        row, col = chance.integers(12, 28), chance.integers(12, 36)
        label = (rows - row) ** 2 + (cols - col) ** 2 <= 64
        picture = 60 + 120 * label[..., None] + chance.integers(0, 20, (40, 48, 3))
        for place, pixels in {"images": picture, "labels": 255 * label, "labels2": 255 * np.roll(label, 1, 1)}.items():
            (part / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(part / place / f"P{number // 2}_{number % 2}.png")
    return folder


@pytest.fixture(scope="module")
def trained(program: Program, cells: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which a run was trained, and what it has said."""
    cwd = tmp_path_factory.mktemp("own")
    typed = ["data.repeats=2", "trainer.max_epochs=2", "model.base_c=2", "optimizer.lr=0.02"]
    groups = 'data.dataset.groups="(P[0-9])_"'
    done = program("train", "experiment=own", f"data.root={cells}", groups, *typed, "trainer=cpu", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd, done.stdout


def config_of(cwd: Path) -> Any:
    run = (cwd / "outputs/own/latest").resolve()
    return yaml.safe_load((run / "config.yaml").read_text())


def test_what_was_chosen_is_said_and_kept(trained: tuple[Path, str]) -> None:
    """Three patients make three folds; 16 crops of 32 x 32 are as many as a batch has."""
    cwd, said = trained
    assert "Chosen for 6 images of 3 groups of 40 x 48 pixels on a CPU" in said
    lines = dict(line.split("  # ")[0].strip().split("=") for line in said.splitlines() if "  # " in line)
    assert lines.pop("trainer.precision") in ("32-true", "bf16-mixed")  # by the clock
    assert lines == {
        "data.dataset.fov": "none", "data.folds": "3", "data.fold": "0", "data.augment.crop": "32",
        "data.batch_size": "16", "trainer.check_val_every_n_epoch": "1",
    }  # fmt: skip
    config = config_of(cwd)
    assert (config["data"]["folds"], config["data"]["fold"], config["data"]["batch_size"]) == (3, 0, 16)
    assert (config["data"]["dataset"]["fov"], config["data"]["augment"]["crop"]) == ("none", 32)
    assert re.search("Training takes|Epoch 2 of 2", said)


def test_the_command_that_is_printed_gives_the_same_config(
    program: Program, trained: tuple[Path, str], tmp_path: Path
) -> None:
    cwd, said = trained
    command = next(line for line in said.splitlines() if line.startswith("The same once more: "))
    python, flag, module, *words = shlex.split(command.removeprefix("The same once more: "))
    assert (python, flag, module) == ("python", "-m", "unet_lightning.train")
    done = program("train", *words, "score=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Chosen for" not in done.stdout
    chosen = config_of(cwd)
    assert chosen.pop("from_data") == ["trainer.precision"]
    assert config_of(tmp_path) == chosen | {"score": False}


def test_no_word_of_vessels_is_written_of_regions(program: Program, cells: Path, trained: tuple[Path, str]) -> None:
    cwd, _ = trained
    run = cwd / "outputs/own/latest"
    told = [trained[1]]
    for command in (
        ("evaluate", f"run={run}", "split=test"),
        ("predict", cells / "test/images", "--run", run, "--out", cwd / "predictions"),
        ("leaderboard", run, "--out", cwd / "board"),
    ):
        done = program(*map(str, command), cwd=cwd)
        assert done.returncode == 0, done.stderr
        told += [done.stdout, done.stderr]
    assert "at their own scale" not in "".join(told)
    written = [path for path in sorted(cwd.rglob("*")) if path.suffix in READ and "latest" not in path.parts]
    assert {"report.html", "metrics.json", "per_image.csv", "table.md", "train.log"} <= {path.name for path in written}
    assert {path.suffix for path in written if "board" in path.parts} == {".html", ".csv", ".md"}
    for name, text in [*((path.name, path.read_text()) for path in written), ("what was printed", "\n".join(told))]:
        text = re.sub(r'src="data:[^"]*"|"content": \{.*?\n    \}', "", text, flags=re.DOTALL)
        found = [text[max(0, one.start() - 60) : one.end() + 30] for one in WORDS.finditer(text)]
        assert not found, f"{name}: {found[:3]}"
    table = (run / "evaluation/folder-test/table.md").read_text()
    assert "second annotator" in table and "against the labels" in table and "hd95" in table


def test_finetuning_begins_from_weights_but_for_their_head(program: Program, cells: Path, tmp_path: Path) -> None:
    """Of three classes, where the data has two: an error names the remedy, and with it nothing but the head is new."""
    torch.save({"model": UNet(base_c=3, num_classes=3).state_dict()}, tmp_path / "weights.pth")
    typed = ["experiment=finetune", f"data.root={cells}", 'data.dataset.groups="(.+)"', "trainer=cpu", "score=false"]
    typed += ["data.repeats=1", "trainer.max_epochs=1"]
    refused = program("train", *typed, "model.weights=weights.pth", cwd=tmp_path)
    assert refused.returncode == 1
    assert "model.weights_skip=head, which takes all the rest" in refused.stderr.splitlines()[-1]
    done = program("train", *typed, "model.weights=weights.pth", "model.weights_skip=head", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"model\.base_c=3 +# as in the weights that training begins from", done.stdout)
    assert "Not taken from the weights that it begins from: out_conv.0.weight (3, 3, 1, 1) -> (2, 3, 1, 1): anew; " in (
        done.stdout
    )
    config = yaml.safe_load((tmp_path / "outputs/finetune/latest/config.yaml").read_text())
    assert (config["model"]["base_c"], config["optimizer"]["lr"]) == (3, 0.0005)


def test_finetuning_needs_weights(in_process: Callable[..., str], cells: Path) -> None:
    said = in_process("train", "experiment=finetune", f"data.root={cells}")
    assert said.startswith("error: model.weights is empty: set it to a run folder")
