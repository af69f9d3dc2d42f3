"""A tiny drawn DRIVE, the real one where it is, and programs run as a user runs them."""

import gc
import importlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from forks import Fork, Forks, composed_once

from unet_lightning import specs
from unet_lightning.data.synthetic import draw_dataset

TINY = (48, 46)  # (height, width): DRIVE's shape, a twelfth of its side
# A run of seconds on the tiny photographs.
TINY_RUN = (
    "trainer=cpu", "model.base_c=2", "data.repeats=1", "data.augment.crop=32", "trainer.max_epochs=2", "score=false"
)  # fmt: skip

WHOLE_PROGRAMS = ("docs", "programs", "clusters")  # folders of tests that take seconds each

Completed = subprocess.CompletedProcess[str]
Program = Callable[..., Completed]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole programs first, of Slurm before all: at the end, the two processes of a run have small tests to share."""
    items.sort(key=lambda item: (item.get_closest_marker("slurm") is None, item.path.parent.name not in WHOLE_PROGRAMS))


def pytest_collection_finish() -> None:
    """Leaves what is imported by now out of later garbage collections, each of which would look at all of it."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Lets Python take apart what is imported, some of which complains otherwise."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of the tests' own, as programs keep a key there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib")))
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(tmp_path_factory.mktemp("home")))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # what one process compiles the next one takes
        yield


@pytest.fixture(autouse=True)
def nothing_of_the_user_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test types is not trusted in the next."""
    monkeypatch.setattr(specs, "_of_the_user", set())


@pytest.fixture(scope="session")
def tiny_drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 40 drawn photographs of 48 x 46 in DRIVE's layout; read only."""
    folder = tmp_path_factory.mktemp("data") / "DRIVE"
    draw_dataset(folder, seed=0, size=TINY)
    return folder


@pytest.fixture(scope="session")
def real_drive() -> Path:
    """The real data set."""
    root = os.environ.get("DRIVE_ROOT")
    if not root or not Path(root, "training").is_dir():
        pytest.skip("needs the real DRIVE: set DRIVE_ROOT to the folder with training/ and test/")
    return Path(root)


def without_trackers() -> dict[str, str]:
    """The environment, but for what is said in it of W&B and of a job of Slurm."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "SLURM"))}


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Begins programs in processes that have imported torch."""
    server = Forks()
    yield server
    server.end()


@pytest.fixture(scope="session")
def program(tiny_drive: Path, forks: Forks) -> Program:
    """Runs `python -m unet_lightning.<name>` in a folder of its own, on the tiny data set."""

    def run(
        name: str, *arguments: object, cwd: Path, timeout: float = 300, anew: bool = False, **environment: str
    ) -> Completed:
        env = without_trackers() | {"DRIVE_ROOT": str(tiny_drive)} | environment
        module, given = f"unet_lightning.{name}", list(map(str, arguments))
        if not anew:
            return forks.run(module, given, cwd, env, timeout)
        command = [sys.executable, "-m", module, *given]  # the interpreter itself is what the test is about
        return subprocess.run(
            command, cwd=cwd, env=env, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    return run


@pytest.fixture
def training(tiny_drive: Path, forks: Forks, tmp_path: Path) -> Iterator[Callable[..., Fork]]:
    """A program that trains until it is told to stop."""
    started: list[Fork] = []

    def start(*arguments: str, until: str = "run/metrics.csv", timeout: float = 120.0) -> Fork:
        env = without_trackers() | {"DRIVE_ROOT": str(tiny_drive), "OMP_NUM_THREADS": "1"}
        process = forks.start("unet_lightning.train", arguments, tmp_path, env)
        started.append(process)
        give_up = time.monotonic() + timeout
        while not (tmp_path / until).exists() and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.05)
        return process

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def in_process(tiny_drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., str]:
    """Runs a program that must end with one line of error, in this process (torch is imported once); its message."""
    composed_once()

    def run(name: str, *arguments: object) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DRIVE_ROOT", str(tiny_drive))
        monkeypatch.setattr(sys, "argv", [f"unet_lightning.{name}", *map(str, arguments)])
        module = importlib.import_module(f"unet_lightning.{name}")
        handlers = logging.root.handlers[:]
        with pytest.raises(SystemExit) as ended:
            getattr(module, "cli", module.main)()
        for handler in [one for one in logging.root.handlers if one not in handlers]:  # Hydra's, with its file
            logging.root.removeHandler(handler)
            handler.close()
        assert ended.value.code == 1
        lines = capsys.readouterr().err.splitlines()
        assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
        return lines[-1]

    return run


@pytest.fixture(scope="session")
def tiny_run(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run folder; copy it before changing it."""
    cwd = tmp_path_factory.mktemp("trained")
    done = program("train", *TINY_RUN, f"hydra.run.dir={cwd / 'run'}", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run"
