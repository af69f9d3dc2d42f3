"""A file of weights, without the run that trained it, is measured and predicts."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
import torch

from unet_lightning.inference.maps import read_probability
from unet_lightning.models.unet import UNet
from unet_lightning.training.loose import TUTORIAL, load_loose


@pytest.fixture
def weights(tiny_run, tmp_path):
    """The best network of a run as the tutorial would have written it, on two GPUs; its normalisation."""
    checkpoint = torch.load(tiny_run / "checkpoints/best.ckpt", weights_only=True)
    state = {name.replace("network.", "module."): value for name, value in checkpoint["state_dict"].items()}
    content = {"model": state, "epoch": 7, "args": argparse.Namespace(data_path=Path("data"))}
    torch.save(content, tmp_path / "best_model.pth")
    data = checkpoint["SegmentationDataModule"]
    return data["mean"], data["std"]


def test_weights_are_measured_like_their_run_and_known_by_themselves(program, tiny_run, weights, tmp_path):
    mean, std = weights
    own = "report=false", f"normalize={{mean: {mean}, std: {std}}}"
    done = program(
        "evaluate", "weights=best_model.pth", "model.base_c=2", "data=drive", "scale=none", *own, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "best_model.pth: photographs are normalised by mean" in done.stdout
    said = " ".join(done.stdout.split())
    assert "unknown" not in said.replace("Commit unknown", "") and "epoch 7, trained on drive" in said
    assert {"21", "25"} <= {one.image_id for one in load_loose(tmp_path / "best_model.pth", {}, None).seen}
    (found,) = (tmp_path / "best_model/evaluation").glob("drive-test*/metrics.json")
    run = shutil.copytree(tiny_run, tmp_path / "run")
    done = program("evaluate", f"run={run}", "report=false", "scale=none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (expected,) = (run / "evaluation").glob("drive-test_scale-none*/metrics.json")
    figures = [json.loads(path.read_text(encoding="utf-8"))["figures"]["model"] for path in (found, expected)]
    assert figures[0]["pooled"] == figures[1]["pooled"]
    assert f"normalised by mean {','.join(f'{one:g}' for one in mean)}" in said  # it is part of the protocol, and of
    assert all(f"{one:g}" in found.parent.name for one in [*mean, *std])  # the name: others do not take its place


def test_weights_predict_like_their_run(program, in_process, tiny_run, tiny_drive, weights, tmp_path):
    mean, std = weights
    photo = tiny_drive / "test/images/07_test.tif"
    for name, source in (
        ("run", ["--run", tiny_run]),
        ("file", ["--weights", "best_model.pth", "--mean", *mean, "--std", *std]),
    ):
        done = program("predict", photo, *source, "--scale", "none", "--out", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    maps = [read_probability(tmp_path / name / "07_test_probability.png") for name in ("run", "file")]
    assert torch.equal(*maps)
    arguments = "predict", photo, "--weights", "best_model.pth", "--scale", "none", "--out", "file"
    assert "holds pictures made with another mean, std" in in_process(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["weights=best_model.pth"], "weights needs the data set to measure on"),
        (["weights=best_model.pth", "data=drive", "model.base_c=4"], "is of another model"),
        (["weights=best_model.pth", "data=drive", "threshold=val"], "threshold=val needs a run"),
        (["weights=best_model.pth", "data=drive", "run=there"], "found run, weights"),
        (["weights=nothing.pth", "data=drive"], "No checkpoint: looked for nothing.pth"),
        (["weights=other.pth", "data=drive"], "holds no weights of the U-Net"),
        (["run=there", "model.base_c=4"], "model.base_c=4: of no effect without weights"),
    ],
)
def test_what_does_not_go_with_weights_is_refused(in_process, weights, tmp_path, arguments, message):
    torch.save({"model": {"layer.weight": torch.zeros(2, 2)}}, tmp_path / "other.pth")
    assert message in in_process("evaluate", *arguments)


@pytest.mark.parametrize("options", [{}, {"bilinear": False}, {"norm": "group"}, {"num_classes": 3}], ids=str)
def test_the_network_is_what_its_weights_are_of(options, tmp_path):
    network = UNet(base_c=4, **options)
    torch.save(network.state_dict(), tmp_path / "model.pth")
    found = load_loose(tmp_path / "model.pth", {"base_c": None}, None)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in found.network.state_dict().items())
    assert (found.mean, found.std) == (TUTORIAL["mean"], TUTORIAL["std"])
    assert found.unknown == ["model.pth"] and not found.seen
