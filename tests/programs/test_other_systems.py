"""The demo's steps where what Windows and macOS lack is taken away."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_RUN

PACKAGE = Path(__file__).parents[2] / "unet_lightning"
# Python runs it before anything else, also in loading processes.
WITHOUT = """
import builtins, io, multiprocessing, os, signal, sys

import psutil  # another one there, that needs nothing of what is taken away

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("fcntl", "resource"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
del signal.SIGUSR2, os.getuid, os.geteuid  # SIGKILL is Lightning's, where the system is not Windows

def refuse(*arguments, **named):
    raise OSError(1314, "A required privilege is not held by the client")

os.symlink = refuse

def on_disk(call):
    def guarded(path, *arguments, **named):
        of_psutil = sys._getframe(1).f_globals.get("__name__", "").startswith("psutil")
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith("/proc/") and not of_psutil:
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        if call is os_open and isinstance(path, (str, os.PathLike)) and os.path.isdir(path):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return call(path, *arguments, **named)
    return guarded

os_open = os.open
builtins.open = io.open = on_disk(io.open)
os.open = on_disk(os_open)
if not any("spawn_main" in word for word in sys.orig_argv):
    del os.getppid  # a loading process asks for it, where the system is not Windows
    multiprocessing.set_start_method("spawn")
"""


# Runs programs one after the other in one process; each ends well, or it does not.
PROGRAMS = """
import json, runpy, sys

if __name__ == "__main__":
    for name, *arguments in json.loads(sys.argv[1]):
        sys.argv[1:] = arguments
        try:
            runpy.run_module(f"unet_lightning.{name}", run_name="__main__")
        except SystemExit as ended:
            assert not ended.code, f"{name} {arguments}: exit code {ended.code}"
"""


def test_the_steps_of_the_demo_need_nothing_that_one_system_alone_has(tmp_path, tiny_drive):
    (tmp_path / "path").mkdir()
    (tmp_path / "path/sitecustomize.py").write_text(WITHOUT, encoding="utf-8")
    (tmp_path / "programs.py").write_text(PROGRAMS, encoding="utf-8")
    photo, demo = str(tiny_drive / "test/images/01_test.tif"), "outputs/demo/latest"
    others = [
        ["train", f"resume={demo}"],
        ["evaluate", f"run={demo}", "report=false"],
        ["predict", photo, "--run", demo, "--out", "predictions"],
        ["leaderboard", demo],
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "SLURM"))}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "path"), str(PACKAGE.parent)])
    environment["DRIVE_ROOT"] = str(tiny_drive)
    train = ["-m", "unet_lightning.train", *TINY_RUN, "name=demo", "data.num_workers=1", "score=true"]
    for arguments in (train, ["programs.py", json.dumps(others)]):
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    assert not (tmp_path / demo).is_symlink()  # a text file
    assert (tmp_path / "predictions/01_test_mask.png").is_file()


def test_nothing_of_ours_names_a_signal_that_windows_lacks():
    sources = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [path for path, text in sources.items() if re.search(r"signal\.(SIGKILL|SIGUSR|SIGHUP)", text)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="what is taken away is there on Linux alone")
def test_what_is_taken_away_is_gone(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT, encoding="utf-8")
    code = "import os, signal; assert not hasattr(signal, 'SIGUSR2') and not hasattr(os, 'getppid'); import fcntl"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'fcntl'"
