"""pyproject.toml declares what is imported, and constraints.txt pins all of an installation."""

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
DECLARED = NEEDED + [Requirement(line) for lines in EXTRAS.values() for line in lines]
PINS = [
    line.strip()
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def imported(folder):
    """The packages that modules below a folder import, wherever they do so, with a module that does."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.partition(".")[0]: path for name in names}
    own = {"unet_lightning", *(path.stem for path in folder.rglob("*.py")), *(one.name for one in folder.iterdir())}
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | own}


def names(requirements):
    return {canonicalize_name(one.name) for one in requirements}


@pytest.mark.parametrize("folder", ["unet_lightning", "tests", "experiments"])
def test_what_is_imported_is_declared(folder):
    homes = packages_distributions()
    for module, path in imported(ROOT / folder).items():
        packages = {canonicalize_name(name) for name in homes.get(module, [module])}
        assert packages & names(DECLARED), f"{path} imports {module}, which pyproject.toml does not declare"


def test_what_no_extra_brings_is_needed_without_one():
    optional = {"hydra_plugins", "submitit", "mlflow", "optuna", "plotly", "tensorboard", "nibabel", "pydicom"}
    homes = packages_distributions()
    for module, path in imported(ROOT / "unet_lightning").items():
        packages = {canonicalize_name(name) for name in homes.get(module, [module])}
        assert module in optional or packages & names(NEEDED), f"{path} imports {module}"


def closure():
    """All packages of an installation with every extra, by what the installed ones say of themselves."""
    found, left = set(), [one for one in DECLARED if canonicalize_name(one.name) != "unet-lightning"]
    while left:
        wanted = left.pop()
        key = (canonicalize_name(wanted.name), tuple(sorted(wanted.extras)))
        if key in found:
            continue
        found.add(key)
        try:
            further = distribution(wanted.name).requires or []
        except PackageNotFoundError:  # of an extra that is not installed here
            continue
        for one in map(Requirement, further):
            extras = [{"extra": extra} for extra in (*wanted.extras, "")]
            if one.marker is None or any(one.marker.evaluate(extra) for extra in extras):
                left.append(one)
    return {name for name, _ in found}


@pytest.mark.skipif(sys.platform != "linux", reason="on other systems pip takes a few packages more")
def test_every_package_of_an_installation_is_pinned():
    pinned = {canonicalize_name(line.partition("==")[0]) for line in PINS}
    assert not sorted(closure() - pinned)


def test_a_pin_is_one_version_that_pyproject_allows():
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", line) for line in PINS)
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in PINS)}
    assert len(pins) == len(PINS)
    for one in DECLARED:
        if (name := canonicalize_name(one.name)) in pins:
            assert one.specifier.contains(pins[name]), f"{one}, pinned to {pins[name]}"
