"""Checkpoints that try to run code, to fill the memory, or to reach other files."""

import os
import shutil
import zipfile

import pytest
import torch
from torch import nn

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.models.contents import DATA_STATE
from unet_lightning.models.unet import UNet
from unet_lightning.models.weights import load_network, load_weights, read_checkpoint
from unet_lightning.specs import trust
from unet_lightning.training.callbacks.checkpoint import RunCheckpoint
from unet_lightning.training.folder import RunFolder

SPEC = {"_target_": "unet_lightning.models.unet.UNet", "base_c": 2}


def endless():
    value: list = []
    value.append(value)
    return value


def flood():
    """A list of 2^30 values in a hundred bytes."""
    value: list = []
    for _ in range(30):
        value = [value, value]
    return value


def saved(value, folder):
    torch.save(value, folder / "model.ckpt")
    return folder / "model.ckpt"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.zeros(1).expand(10**6, 10**6), "far larger than the file"),
        ([torch.zeros(10**5)] * 10**3, "far larger than the file"),
        (torch.zeros(10**9, device="meta"), "sparse, quantized or empty"),
        (torch.zeros(3, 3).to_sparse(), "sparse, quantized or empty"),
        (endless(), "over 50 within one another"),
        (flood(), "over 2,000,000 values"),
    ],
    ids=["expanded", "shared", "meta", "sparse", "endless", "flood"],
)
def test_much_made_of_little_is_refused(tmp_path, value, said):
    with pytest.raises(RunError, match=said):
        read_checkpoint(saved({"state_dict": {"network.x": value}}, tmp_path))


def test_a_packed_checkpoint_is_not_unpacked(tmp_path):
    plain = saved({"model": {"x": torch.zeros(10**6)}}, tmp_path)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in source.namelist():
            bomb.writestr(name, source.read(name))
    assert (tmp_path / "bomb.ckpt").stat().st_size < 10**4
    with pytest.raises(RunError, match=r"is packed, as torch\.save leaves none"):
        read_checkpoint(tmp_path / "bomb.ckpt")


def test_a_network_larger_than_its_file_is_never_made(tmp_path):
    spec = SPEC | {"base_c": 10**5}  # 10^14 bytes
    checkpoint = {"hyper_parameters": {"model": spec}, "state_dict": UNet(base_c=2).state_dict()}
    with pytest.raises(RunError, match="of another model"):
        load_network(tmp_path, checkpoint)


def test_a_checkpoint_of_ours_gives_its_network_back(tmp_path):
    network = UNet(base_c=2)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    path = saved({"hyper_parameters": {"model": SPEC}, "state_dict": state}, tmp_path)
    found = load_network(path, read_checkpoint(path))
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in found.state_dict().items())
    assert all(value.device.type == "cpu" for value in found.state_dict().values())


@pytest.mark.parametrize(
    ("model", "error", "said"),
    [
        ({"_target_": "os.mkdir", "path": "ran"}, ConfigError, r"os\.mkdir is not trusted"),
        (SPEC | {"base_c": {"_target_": "os.mkdir", "path": "ran"}}, ConfigError, r"os\.mkdir is not trusted"),
        ({"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}, RunError, "of another model"),
        ({"_target_": "torch.nn.parameter.Parameter"}, RunError, "its model is a Parameter"),
        (5, RunError, "have no model"),
    ],
)
def test_hyper_parameters_that_name_something_else_are_refused(tmp_path, monkeypatch, model, error, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        load_network(tmp_path, {"hyper_parameters": {"model": model}, "state_dict": {"x": torch.zeros(1)}})
    assert not (tmp_path / "ran").exists()


def test_a_network_of_ones_own_may_need_numbers_to_be_built(tmp_path, monkeypatch):
    (tmp_path / "grown_net.py").write_text(
        "import torch\nclass Net(torch.nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(int(torch.tensor(2)), 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint = {
        "hyper_parameters": {"model": {"_target_": "grown_net.Net"}},
        "state_dict": nn.Linear(2, 1).state_dict(),
    }
    with pytest.raises(ConfigError, match="not trusted"):
        load_network(tmp_path, checkpoint)
    trust(["grown_net.Net"])
    assert load_network(tmp_path, checkpoint).in_features == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train_ids", "21"),
        ("train_ids", [21]),
        ("inherited", {"drive": 5}),
        ("inherited", []),
        ("contents", {"21": "0" * 32}),
        ("contents", {"21": {"photograph": "x" * 32}}),
        ("contents", {"21": {"look": "0" * 32}}),
        ("classes", ["background", "../../evil"]),  # a part of the names of pictures
        ("mean", "0.5"),
        ("mean", [float("nan")] * 3),
        ("std", [0.0, 0.1, 0.1]),
        ("diameter", 10**9),
        ("dataset", 5),
    ],
)
def test_a_state_of_another_form_is_refused(tmp_path, key, value):
    path = saved({"state_dict": UNet(base_c=2).state_dict(), DATA_STATE: {key: value}}, tmp_path)
    with pytest.raises(RunError, match=f"{DATA_STATE} has a wrong {key}"):
        load_weights(UNet(base_c=2), path)


@pytest.mark.parametrize("key", ["hyper_parameters", "epoch", DATA_STATE, "state_dict"])
def test_a_run_with_an_incomplete_checkpoint_is_refused(tiny_run, tmp_path, key):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    checkpoint = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    for spoilt in (checkpoint | {key: "x"}, {name: one for name, one in checkpoint.items() if name != key}):
        torch.save(spoilt, run / "checkpoints/last.ckpt")
        with pytest.raises(RunError, match=r"was not written by a run|has a wrong|of another model"):
            RunFolder(run).load("last")


def state(home, **changes):
    """The state of a RunCheckpoint of a folder."""
    best = f"{home}/best.ckpt"
    found = {
        "monitor": "val/dice_per_image",
        "best_model_score": torch.tensor(0.7),
        "best_model_path": best,
        "current_score": torch.tensor(0.7),
        "dirpath": str(home),
        "best_k_models": {best: torch.tensor(0.7)},
        "kth_best_model_path": best,
        "kth_value": torch.tensor(0.7),
        "last_model_path": "",
    }
    return found | changes


def test_the_best_figure_goes_on_where_the_folder_was_moved(tmp_path):
    callback = RunCheckpoint(dirpath=tmp_path / "new", monitor="val/dice_per_image", mode="max")
    callback.load_state_dict(state("/old/run/checkpoints"))
    new = os.path.realpath(tmp_path / "new/best.ckpt")
    assert callback.best_model_path == callback.kth_best_model_path == new and callback.last_model_path == ""
    assert callback.best_model_score == 0.7 and list(callback.best_k_models) == [new]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/old/run/checkpoints/../../thesis.ckpt",
        "/old/run/checkpoints2/best.ckpt",
        "/old/run/checkpoints",
        "/old/run/checkpoints/notes.txt",
        "/old/run/checkpoints//etc/passwd.ckpt",
        "/old/run/checkpoints/link/thesis.ckpt",
        "memory://thesis.ckpt",
        "s3://bucket/thesis.ckpt",
        "thesis.ckpt",
        5,
        None,
    ],
)
@pytest.mark.parametrize("key", ["best_model_path", "kth_best_model_path", "last_model_path", "best_k_models"])
def test_a_file_outside_of_the_folder_is_never_taken_for_a_checkpoint_of_the_run(tmp_path, key, path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "link").symlink_to(tmp_path)
    callback = RunCheckpoint(dirpath=tmp_path / "new", monitor="val/dice_per_image", mode="max")
    value = {path: torch.tensor(0.1)} if key == "best_k_models" else path
    with pytest.raises(RunError, match=r"names .* as one of its own files"):
        callback.load_state_dict(state("/old/run/checkpoints", **{key: value}))
    assert callback.best_model_path == ""


def test_resume_removes_no_file_that_a_checkpoint_names(in_process, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "thesis.ckpt").touch()
    path = run / "checkpoints/last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    for one in checkpoint["callbacks"].values():
        if "dirpath" in one:
            victim = f"{one['dirpath']}/../../thesis.ckpt"
            one |= {"best_model_path": victim, "best_k_models": {victim: torch.tensor(-1.0)}}
    torch.save(checkpoint, path)
    assert "as one of its own files" in in_process("train", f"resume={run}")
    assert (tmp_path / "thesis.ckpt").exists()
