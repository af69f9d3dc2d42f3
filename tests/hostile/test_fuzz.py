"""A few hundred of the inputs of experiments/reliability/fuzz.py, and properties of what reads text and sizes."""

import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet_lightning.data.labels import IGNORE, Sample, collate
from unet_lightning.errors import UserError
from unet_lightning.predict import find_photographs

FUZZER = Path(__file__).parents[2] / "experiments/reliability"
QUICK = settings(derandomize=True, deadline=None, max_examples=50)


@pytest.fixture(scope="module")
def targets():
    if not (FUZZER / "targets.py").is_file():
        pytest.skip("needs experiments/, which a source archive does not have")
    sys.path.insert(0, str(FUZZER))
    yield importlib.import_module("targets")
    sys.path.remove(str(FUZZER))


@pytest.fixture(scope="module")
def material(targets, program, tiny_drive, tiny_run, tmp_path_factory):
    home = tmp_path_factory.mktemp("fuzz")
    (home / "work").mkdir()
    run = shutil.copytree(tiny_run, home / "run")
    done = program("evaluate", f"run={run}", "split=val", "report=false", cwd=home)
    assert done.returncode == 0, done.stderr
    return targets.Material(tiny_drive, None, run, home / "work")


NAMES = [
    "photographs, masks, labels: TIFF",
    "photographs, masks, labels: GIF",
    "photographs, masks, labels: JPEG",
    "photographs, masks, labels: PNG",
    "photographs, masks, labels: BMP, PPM, WebP",
    "probability maps: PNG, npy",
    "official archives",
    "config.yaml of a run",
    "command line of train",
    "command line of predict",
    "evaluation folders",
    "state, sweep and threshold files",
    "checkpoints",
    "photographs of N channels and depths, drawn",
    "labels of two classes, drawn",
    "labels of several classes, drawn",
    "photographs and labels by name and turn, drawn",
    "groups of images, drawn",
    "maps of other programs, drawn",
    "annotations of other tools, drawn",
    "annotations of other tools",
    "volumes and DICOM",
]


def test_every_target_is_here(targets):
    assert list(targets.TARGETS) == NAMES


@pytest.mark.filterwarnings("ignore")  # of libraries about a file that is refused, or not
@pytest.mark.parametrize("target", NAMES)
def test_inputs_end_well_or_in_one_of_our_errors_and_none_is_read_wrong(targets, material, monkeypatch, target):
    monkeypatch.chdir(material.work.parent)
    share = targets.TARGETS[target][1]
    for seed in range(3 * share):
        try:
            targets.one_input(material, target, seed)()
        except (UserError, targets.Refused):
            pass
        except BaseException as error:
            error.add_note(f"input {seed} of {target}")
            raise
        assert not targets.canary().exists(), f"input {seed} of {target}"


SIZES = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=5)


@QUICK
@given(SIZES)
def test_a_batch_holds_every_sample_and_nothing_else(sizes):
    samples = [
        Sample(torch.full((3, *size), n + 1.0), torch.full(size, n, dtype=torch.uint8), f"{n}")
        for n, size in enumerate(sizes)
    ]
    batch = collate(samples)
    assert batch.image.shape[2:] == batch.target.shape[1:] == (max(h for h, _ in sizes), max(w for _, w in sizes))
    for number, (height, width) in enumerate(sizes):
        assert (batch.image[number, :, :height, :width] == number + 1).all()
        assert (batch.target[number, :height, :width] == number).all()
        assert batch.image[number].count_nonzero() == 3 * height * width
        assert (batch.target[number] != IGNORE).sum() == height * width
    assert batch.image_id == [sample.image_id for sample in samples]


@QUICK
@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=30), min_size=1, max_size=3), st.text())
def test_whatever_is_named_to_predict_is_found_or_refused(tmp_path_factory, named, fov):
    os.chdir(tmp_path_factory.getbasetemp())
    try:
        found, _ = find_photographs(named, fov)
    except UserError:
        return
    assert len({photograph.name for photograph in found}) == len(found)
