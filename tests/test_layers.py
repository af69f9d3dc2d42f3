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
    "trackers": 2,
    "runs": 3,
    "sweeps": 3,
    "commandline": 3,
    "repeats": 3,
    "composition": 3,
    "launch": 3,
    "train": 3,
    "evaluate": 3,
    "evaluation": 3,
    "boards": 3,
    "leaderboard": 3,
    "photographs": 3,
    "pictures": 3,
    "predict": 3,
    "prepare": 3,
}
LIBRARIES = {
    0: {"torch"},
    1: {"torch", "torchvision", "torchmetrics", "PIL", "numpy", "matplotlib", "rich", "skimage", "scipy", "jinja2"},
    2: {"torch", "torchvision", "torchmetrics", "lightning", "wandb", "mlflow"},
    3: {
        "torch",
        "lightning",
        "hydra",
        "hydra_plugins",
        "omegaconf",
        "yaml",
        "rich",
        "optuna",
        "sqlalchemy",
        "submitit",
    },
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


@pytest.mark.parametrize("library", ["wandb", "mlflow"])
def test_a_tracker_is_named_in_its_config_and_one_module(library):
    known = [module for module, path in MODULES.items() if any(name.split(".")[0] == library for name in imports(path))]
    assert known == [f"trackers.{library}"]
