import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "unet_lightning"
# The layer of each room; a module may import from its own layer and below.
LAYERS = {
    "__init__": 0,
    "errors": 0,
    "files": 0,
    "data.labels": 0,
    "build": 0,
    "data": 1,
    "models": 1,
    "losses": 1,
    "metrics": 1,
    "inference": 1,
    "reporting": 1,
    "schedules": 1,
    "data.datamodule": 2,
    "task": 2,
    "callbacks": 2,
    "runfolder": 3,
    "launch": 3,
    "train": 3,
    "evaluate": 3,
    "evaluation": 3,
    "leaderboard": 3,
    "provenance": 3,
    "photographs": 3,
    "pictures": 3,
    "predict": 3,
    "prepare": 3,
}
LIBRARIES = {
    0: {"torch"},
    1: {"torch", "torchvision", "torchmetrics", "PIL", "numpy", "matplotlib", "rich", "skimage", "scipy", "jinja2"},
    2: {"torch", "torchvision", "torchmetrics", "lightning"},
    3: {"torch", "lightning", "hydra", "omegaconf", "yaml", "rich"},
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def layer(module):
    return LAYERS.get(module, LAYERS.get(module.split(".")[0]))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_every_module_has_a_layer():
    assert [module for module in MODULES if layer(module) is None] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    for name in imports(MODULES[module]):
        top, _, rest = name.partition(".")
        if top == "unet_lightning":
            assert layer(rest or "__init__") <= layer(module), f"{module} imports {name}"
        elif top not in sys.stdlib_module_names:
            assert top in LIBRARIES[layer(module)], f"{module} imports {name}"


def test_wandb_is_named_in_its_config_alone():
    assert [module for module, path in MODULES.items() if "wandb" in imports(path)] == []
