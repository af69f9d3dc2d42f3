"""The order of the rooms: imports run one way, and a library is known where it belongs."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "unet_lightning"
# From the bottom; a module may import from its own room and from those before it.
ROOMS = [
    {"__init__", "allocator", "errors", "text", "commands", "files", "progress", "specs", "schedules"},
    {"data"},
    {"models", "losses", "metrics"},
    {"inference"},
    {"task"},
    {"training"},
    {"results"},
    {"importing"},
    {"sweeps"},
    {"program", "request", "api", "train", "evaluate", "predict", "prepare", "leaderboard", "figures"},
]
# Where a library may be imported: a room or a module.
HOMES = {
    "hydra": {*ROOMS[-1], "sweeps"},
    "hydra_plugins": {"sweeps"},
    "lightning": {"data.datamodule", "task", "training", "sweeps", *ROOMS[-1]},
    "wandb": {"training.trackers.wandb"},
    "mlflow": {"training.trackers.mlflow"},
    "optuna": {"sweeps"},
    "matplotlib": {"training", "results"},
    "jinja2": {"results"},
    "pandas": {"results"},
    "nibabel": {"importing.volumes"},
    "pydicom": {"importing.dicom"},
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
del MODULES["__init__"]  # the package's front door: it names what `api` gives, and imports it when it is asked for


def room(module):
    """The place of a module's room in the order."""
    return next(place for place, rooms in enumerate(ROOMS) if module.split(".")[0] in rooms)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    for name in imports(MODULES[module]):
        top, _, rest = name.partition(".")
        if top == "unet_lightning":
            assert room(rest or "__init__") <= room(module), f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_a_library_is_known_where_it_belongs(module):
    for library in {name.split(".")[0] for name in imports(MODULES[module])} & HOMES.keys():
        at_home = any(module == home or module.startswith(home + ".") for home in HOMES[library])
        assert at_home, f"{module} imports {library}"


@pytest.mark.parametrize("library", ["wandb", "mlflow"])
def test_a_tracker_is_named_in_its_config_and_one_module(library):
    known = [module for module, path in MODULES.items() if any(name.split(".")[0] == library for name in imports(path))]
    assert known == [f"training.trackers.{library}"]
