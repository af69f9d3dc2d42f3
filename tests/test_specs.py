import re
import sys

import pytest
import torch
from torch import nn

from unet_lightning import specs
from unet_lightning.errors import ConfigError
from unet_lightning.losses.combined import WeightedSum
from unet_lightning.losses.dice import DiceLoss
from unet_lightning.models.unet import UNet
from unet_lightning.specs import build


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A module of one's own, named `grown_here`, and the folder that calling it makes."""
    (tmp_path / "grown_here.py").write_text(
        "import os\nfrom os import mkdir\nclass Loss:\n    def __init__(self, folder):\n        os.mkdir(folder)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "made"
    sys.modules.pop("grown_here", None)


def test_a_spec_is_built_with_its_entries_and_the_arguments():
    layer = build({"_target_": "torch.nn.Conv2d", "in_channels": 3, "kernel_size": [3, 5]}, out_channels=7)
    assert layer.weight.shape == (7, 3, 3, 5)


def test_nested_specs_are_built():
    spec = {
        "_target_": "unet_lightning.losses.combined.WeightedSum",
        "terms": {
            "dice": {"_target_": "unet_lightning.losses.dice.DiceLoss", "epsilon": 0.5},
            "ce": {"_target_": "unet_lightning.losses.cross_entropy.CrossEntropyLoss", "class_weights": [1.0, 2.0]},
        },
        "weights": {"dice": 0.3, "ce": 1.0},
    }
    loss = build(spec)
    assert isinstance(loss, WeightedSum)
    assert isinstance(loss.terms["dice"], DiceLoss)
    assert loss.terms["dice"].epsilon == 0.5
    assert loss.terms["ce"].weights.tolist() == [1, 2]
    assert loss.weights == {"dice": 0.3, "ce": 1.0}


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({"_target_": "unet_lightning.models.unet.UNet", "base_c": 2}, UNet),
        ({"_target_": "torch.nn.CrossEntropyLoss"}, nn.CrossEntropyLoss),  # defined below the module that it is in
        ({"_target_": "torch.optim.AdamW", "params": [torch.zeros(1)]}, torch.optim.AdamW),
    ],
)
def test_trusted_packages_are_built(spec, kind):
    assert type(build(spec)) is kind


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "eval",
        "subprocess.Popen",
        "torch.hub.load",
        "torch.load",
        "torch.nnx.Linear",
        "torch.nn.Linear.__init__.__globals__",
        "unet_lightning.prepare.main",
        "unet_lightning.data.archive.extract",
        # Imported into a trusted module.
        "torch.nn.modules.utils.repeat",
        "torch.nn.functional.Callable",
        "unet_lightning.models.weights.Path",
        "unet_lightning.losses.dice.torch",
        # Not callable.
        "unet_lightning.models.unet.SMALLEST",
        "",
    ],
)
def test_a_target_that_is_not_trusted_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"^_target_ {re.escape(name)} is not trusted"):
        build({"_target_": name})


def test_a_target_is_refused_deep_within_a_spec(tmp_path):
    spec = {"_target_": "os.mkdir", "path": str(tmp_path / "made")}
    with pytest.raises(ConfigError, match=r"os\.mkdir is not trusted"):
        build({"_target_": "torch.nn.ModuleDict", "modules": {"a": {"b": spec}}})
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name",
    [
        "unet_lightning.models.unet.VNet",
        "unet_lightning.models.vnet.VNet",
        "torch.nn.modules.module.torch.load",
        "unet_lightning.models.weights.torch.load",
        "torch.nn..Linear",
    ],
)
def test_a_target_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"^_target_ {re.escape(name)} is not there"):
        build({"_target_": name})


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("torch.nn.attention._fa4._fa4_import_module", "module_path"),
        ("torch.nn.attention._fa3._fa3_import_module", "module_path"),
    ],
)
def test_a_spec_cannot_import_a_module_through_a_private_function(name, argument, package, monkeypatch):
    monkeypatch.delitem(sys.modules, "grown_here", raising=False)
    with pytest.raises(ConfigError, match=re.escape(name)):
        build({"_target_": name, argument: "grown_here"})
    assert "grown_here" not in sys.modules


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"_target_": "unet_lightning.models.unet.UNet", "base": 8}, "unexpected keyword argument 'base'"),
        ({"_target_": "torch.nn.Linear", "in_features": 3}, "missing 1 required positional argument: 'out_features'"),
        ({"_target_": "torch.optim.SGD", "params": [torch.zeros(1)], "lr": -1.0}, "Invalid learning rate"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_the_reason(spec, reason):
    with pytest.raises(ConfigError, match=rf"^{re.escape(spec['_target_'])} refuses its arguments: .*{reason}"):
        build(spec)


@pytest.mark.parametrize("spec", [{}, {"target": "torch.nn.ReLU"}])
def test_a_mapping_without_target_is_refused(spec):
    with pytest.raises(ConfigError, match="Expected a mapping with _target_"):
        build(spec)


@pytest.mark.parametrize("named", ["", "grown_here", "grown_here.Los", "other.Loss"])
def test_an_own_class_is_refused_without_its_name(named, package):
    specs.trust([named])
    with pytest.raises(ConfigError, match=r"grown_here\.Loss is not trusted.*--config-dir"):
        build({"_target_": "grown_here.Loss", "folder": str(package)})
    assert "grown_here" not in sys.modules
    assert not package.exists()


def test_an_own_class_is_built_once_its_name_is_trusted(package):
    specs.trust(["grown_here.Loss"])
    build({"_target_": "grown_here.Loss", "folder": str(package)})
    assert package.is_dir()
    assert specs.trusted_names() == ["grown_here.Loss"]


def test_what_the_module_of_an_own_class_imports_is_not_trusted(package):
    specs.trust(["grown_here.Loss"])
    with pytest.raises(ConfigError, match=r"grown_here\.mkdir is not trusted"):
        build({"_target_": "grown_here.mkdir", "path": str(package)})
    assert not package.exists()


def test_the_targets_of_a_config_are_found_at_any_depth():
    config = {"loss": {"_target_": "a.B", "terms": [{"x": {"_target_": "c.D"}}, "e"]}, "seed": 0, "model": None}
    assert specs.targets_in(config) == {"a.B", "c.D"}
