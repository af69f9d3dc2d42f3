import pytest
import torch

from unet_lightning.data.seen import lineage
from unet_lightning.models.contents import DATA_STATE
from unet_lightning.models.unet import UNet
from unet_lightning.training.known import KnownNetworks, file_of, recall

STATE = {"dataset": "drive", "train_ids": ["21"], "val_ids": ["22"], "contents": {"21": {"photograph": "0" * 32}}}


def network(seed):
    torch.manual_seed(seed)
    return UNet(base_c=2).state_dict()


def checkpoint(weights, **state):
    return {"state_dict": {f"network.{name}": value for name, value in weights.items()}, DATA_STATE: STATE | state}


@pytest.mark.parametrize(
    "form", [lambda value: value, torch.Tensor.half, torch.Tensor.clone], ids=["own", "half", "copy"]
)
def test_weights_without_their_checkpoint_are_known_again(tmp_path, form):
    weights = network(1)
    KnownNetworks().remember(tmp_path / "last.ckpt", checkpoint(weights))
    found = recall({name: form(value) for name, value in weights.items() if "num_batches" not in name})
    assert [(one.dataset, one.image_id, dict(one.content)) for one in lineage(found)] == [
        ("drive", "21", {"photograph": "0" * 32}),
        ("drive", "22", {}),
    ]


def test_other_weights_are_unknown(tmp_path):
    KnownNetworks().remember(tmp_path / "last.ckpt", checkpoint(network(2)))
    changed = network(2)
    changed["out_conv.0.bias"] = changed["out_conv.0.bias"] + 0.01
    assert recall(changed) == recall(network(3)) == {}


def test_only_networks_of_checkpoints_that_are_there_are_kept(tmp_path):
    known = KnownNetworks()
    first, second = network(4), network(5)
    known.remember(tmp_path / "last.ckpt", checkpoint(first))
    known.remember(tmp_path / "best.ckpt", checkpoint(first))
    known.remember(tmp_path / "last.ckpt", checkpoint(second))
    assert recall(first) and recall(second)
    known.remember(tmp_path / "best.ckpt", checkpoint(second))
    assert not recall(first) and recall(second)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"train_ids": 5}'])
def test_a_broken_file_says_nothing(content):
    weights = network(6)
    KnownNetworks().remember("last.ckpt", checkpoint(weights))
    file_of(weights).write_text(content, encoding="utf-8")
    assert recall(weights) == {}


def test_nothing_is_kept_where_there_is_no_home(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("no folder", encoding="utf-8")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    KnownNetworks().remember(tmp_path / "last.ckpt", checkpoint(network(7)))
    assert recall(network(7)) == {}
