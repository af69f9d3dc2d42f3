import argparse
import math
import os
import pickle
from pathlib import Path, PurePosixPath, PureWindowsPath, WindowsPath

import pytest
import torch

from unet_lightning.errors import RunError
from unet_lightning.models.unet import UNet
from unet_lightning.models.weights import load_weights, read_checkpoint

FORMS = {
    "tutorial": lambda state: {
        "model": state,
        "optimizer": torch.optim.SGD([torch.zeros(1)], lr=0.01, momentum=0.9).state_dict(),
        "lr_scheduler": {"base_lrs": [0.01], "last_epoch": 4, "lr_lambdas": [None]},
        "epoch": 3,
        "args": argparse.Namespace(data_path="./", device="cuda", batch_size=4, lr=0.01, amp=False),
    },
    "lightning": lambda state: {"state_dict": {f"network.{name}": value for name, value in state.items()}, "epoch": 3},
    "plain": lambda state: state,
    "DataParallel": lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
    "compiled": lambda state: {"net": {f"module._orig_mod.{name}": value for name, value in state.items()}},
    "another key": lambda state: {"epoch": 3, "model_state": state},
    "paths": lambda state: {
        "model": state,
        "args": argparse.Namespace(data_path=Path("data"), out=PurePosixPath("out"), old=PureWindowsPath("C:/old")),
        "folder": Path("outputs"),
    },
}


class Danger:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def trained(**options):
    """A network whose every parameter and buffer differs from a new one's."""
    network = UNet(base_c=2, **options)
    generator = torch.Generator().manual_seed(1)
    for value in network.state_dict().values():
        value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return network.eval()


def pickle_file(value, path):
    path.write_bytes(pickle.dumps(value, protocol=2))  # the protocol that torch reads without a warning


@pytest.mark.parametrize("bilinear", [True, False], ids=["bilinear", "transposed"])
@pytest.mark.parametrize("form", FORMS)
def test_weights_load_from_each_form_of_file(form, bilinear, tmp_path):
    source, network = trained(bilinear=bilinear), UNet(base_c=2, bilinear=bilinear).eval()
    torch.save(FORMS[form](source.state_dict()), tmp_path / "model.pth")
    image = torch.rand(1, 3, 20, 24)
    with torch.inference_mode():
        assert not torch.equal(network(image)["out"], source(image)["out"])
        load_weights(network, tmp_path / "model.pth")
        assert torch.equal(network(image)["out"], source(image)["out"])


@pytest.mark.parametrize("counts_too", [False, True], ids=["module.half()", "every tensor"])
def test_weights_in_half_precision_load(counts_too, tmp_path):
    state = trained().half().state_dict()
    if counts_too:
        state = {name: value.half() for name, value in state.items()}
    torch.save({"model": state}, tmp_path / "model.pth")
    network = UNet(base_c=2)
    load_weights(network, tmp_path / "model.pth")
    loaded = network.state_dict()
    assert loaded["in_conv.0.weight"].dtype == torch.float32 and loaded["in_conv.1.num_batches_tracked"].ndim == 0
    assert all(torch.equal(value, state[name].to(value.dtype)) for name, value in loaded.items())


def test_a_path_of_windows_loads_on_any_system(tmp_path):
    class OnWindows:
        def __reduce__(self):
            return WindowsPath, ("C:/data",)

    torch.save({"args": OnWindows()}, tmp_path / "model.pth")
    assert read_checkpoint(tmp_path / "model.pth")["args"] == PureWindowsPath("C:/data")


@pytest.mark.parametrize("name", ["up1.conv.0.weight", "in_conv.1.running_var"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers_are_refused_with_their_name(name, number, tmp_path):
    state = trained().state_dict()
    state[name].view(-1)[-1] = number
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(RunError, match=rf"model\.pth holds NaN or infinite numbers, in {name}"):
        load_weights(trained(), tmp_path / "model.pth")


def test_numbers_too_large_for_single_precision_are_refused(tmp_path):
    state = trained().double().state_dict()
    state["out_conv.0.bias"][0] = 1e300
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(RunError, match=r"infinite numbers, in out_conv\.0\.bias"):
        load_weights(trained(), tmp_path / "model.pth")


@pytest.mark.parametrize("name", ["SegmentationDataModule", "RetinalDataModule"])
def test_what_the_data_module_has_kept_is_read_under_its_former_name_too(name, tmp_path):
    kept = {"dataset": "drive", "train_ids": ["21"], "val_ids": ["22"]}
    torch.save({"state_dict": UNet(base_c=2).state_dict(), name: kept}, tmp_path / "model.ckpt")
    assert read_checkpoint(tmp_path / "model.ckpt").keys() == {"state_dict", "SegmentationDataModule"}
    assert load_weights(UNet(base_c=2), tmp_path / "model.ckpt").state == kept


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [{"base_c": 3}, {"bilinear": False}, {"norm": "group"}], ids=str)
def test_weights_of_another_network_are_refused_and_change_nothing(options, form, tmp_path):
    torch.save(FORMS[form](UNet(**{"base_c": 2} | options).state_dict()), tmp_path / "model.pth")
    network = trained()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(
        RunError, match=r"of another model: .*Set model\.base_c, model\.bilinear, model\.norm and model\.num_classes"
    ):
        load_weights(network, tmp_path / "model.pth")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_refusal_names_the_first_parameter_that_does_not_fit(change, tmp_path):
    state = trained().state_dict()
    if change == "missing":
        del state["up1.conv.0.weight"]
    else:
        state["up5.conv.0.weight"] = torch.zeros(1)
    torch.save(state, tmp_path / "model.pth")
    first = {"missing": r"1 missing \(first: up1\.conv", "unexpected": r"1 not of this network \(first: up5\.conv"}
    with pytest.raises(RunError, match=first[change]):
        load_weights(trained(), tmp_path / "model.pth")


@pytest.mark.parametrize("write", [torch.save, pickle_file])
@pytest.mark.parametrize(
    "place", [lambda danger: danger, lambda danger: {"model": {}, "args": danger}], ids=["bare", "args"]
)
def test_a_file_with_code_is_refused_and_the_code_not_run(place, write, tmp_path):
    write(place(Danger(tmp_path / "ran")), tmp_path / "model.pth")
    with pytest.raises(RunError, match="would run code when loaded"):
        load_weights(trained(), tmp_path / "model.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"a text\n", b"seed: 0\n", b"epoch,step\n0,3\n", b"<!DOCTYPE html>", b"version https://git-lfs.github.com/"],
)
def test_a_file_of_another_kind_is_refused_by_name(content, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"model\.pth is (no checkpoint|broken)"):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(share, tmp_path):
    path = tmp_path / "model.pth"
    torch.save(trained().state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(RunError, match=r"model\.pth is broken"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match=r"No checkpoint: looked for .*nowhere\.pth"):
        read_checkpoint(tmp_path / "nowhere.pth")


def test_a_file_without_a_mapping_is_refused(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / "model.pth")
    with pytest.raises(RunError, match="holds list, expected a mapping"):
        read_checkpoint(tmp_path / "model.pth")
