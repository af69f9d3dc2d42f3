"""The way from a command line to Trainer.fit is short, and so is every file."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_RUN

PACKAGE = Path(__file__).parents[1] / "unet_lightning"
MOST_FILES, MOST_LINES = 10, 250
# Notes for each command the files of the package in which a function is called with the configuration, until the
# Trainer fits.
WATCHED = f"""
import json, sys
from collections.abc import Mapping
from pathlib import Path

package, passed = Path({str(PACKAGE)!r}), set()

def note(frame, event, argument):
    path = frame.f_code.co_filename
    if event == "call" and path.startswith(str(package)):
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        given = [frame.f_locals.get(name) for name in names]
        if any(isinstance(one, Mapping) and "model" in one and "trainer" in one for one in given):
            passed.add(str(Path(path).relative_to(package)))

def fit(self, *arguments, **named):
    sys.setprofile(None)
    print("passed:" + json.dumps(sorted(passed)))
    passed.clear()
    sys.exit(0)

import lightning
import unet_lightning.train as train
lightning.Trainer.fit = fit
for command in json.loads(sys.argv[1]):
    sys.argv = ["train", *command]
    sys.setprofile(note)
    try:
        train.cli()
    except SystemExit:
        pass
"""


def test_a_config_passes_few_files_on_its_way_to_the_trainer(tiny_run, tiny_drive, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "trained")  # an attempt, which the way ends, is noted in it
    given = [[*TINY_RUN, "hydra.run.dir=run"], [f"rerun={run}", "seed=1"], [f"resume={run}"]]
    commands = [[*words, f"data.root={tiny_drive}"] for words in given]
    command = [sys.executable, "-c", WATCHED, json.dumps(commands)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    lines = [line for line in done.stdout.splitlines() if line.startswith("passed:")]
    assert len(lines) == len(commands), done.stderr
    for passed in (json.loads(line.removeprefix("passed:")) for line in lines):
        assert {"train.py", "training/build.py"} <= set(passed)
        assert len(passed) <= MOST_FILES, " ".join(passed)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
