import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import TINY_RUN
from PIL import Image

from unet_lightning.data.reading import read_binary
from unet_lightning.predict import main


@pytest.fixture
def photo(tiny_drive):
    return tiny_drive / "test/images/03_test.tif"


@pytest.fixture
def predict(tiny_run, tmp_path, monkeypatch, capsys):
    """Runs the program in this process, where torch is there already; what it says."""

    def run(*arguments):
        monkeypatch.chdir(tmp_path)
        main([*map(str, arguments), "--run", str(tiny_run)])
        return capsys.readouterr().out

    return run


def test_a_photograph_becomes_a_mask_a_map_and_an_overlay(program, tiny_run, photo, tmp_path):
    done = program("predict", photo, "--run", tiny_run, "--out", tmp_path / "out", "--threshold", "0.1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ms forward" in done.stdout
    modes = {"mask": "L", "probability": "I;16", "overlay": "RGB"}
    for kind, mode in modes.items():
        with Image.open(tmp_path / f"out/03_test_{kind}.png") as picture:
            assert (picture.size, picture.mode) == ((46, 48), mode)
            assert kind != "mask" or set(picture.tobytes()) <= {0, 255}


def test_without_a_mask_the_field_of_view_is_found(predict, photo, tmp_path):
    predict(photo, "--threshold", "0", "--out", "found")
    predict(photo, "--threshold", "0", "--out", "all", "--fov", "none")
    found, everywhere = (read_binary(tmp_path / folder / "03_test_mask.png", "mask") for folder in ("found", "all"))
    assert everywhere.all()
    assert not found[0, 0] and found[24, 23]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.tif", b"this is no photograph", "is not an image"),
        ("cut.tif", None, "is broken"),
        ("missing.tif", ..., "No photograph: looked for"),
    ],
)
def test_a_bad_photograph_is_named_at_the_end_and_the_rest_is_predicted(
    in_process, tiny_run, photo, tmp_path, name, content, message
):
    bad = tmp_path / name
    if content is None:
        bad.write_bytes(photo.read_bytes()[:-3000])
    elif content is not ...:
        bad.write_bytes(content)
    said = in_process("predict", bad, photo, "--run", tiny_run, "--out", tmp_path / "out")
    assert "1 of 2 photographs were not predicted" in said
    assert message in said
    assert name in said
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.png")) == [
        f"03_test_{kind}" for kind in ("mask", "overlay", "probability")
    ]


@pytest.fixture
def folder(tiny_drive, tmp_path):
    """Photographs in a folder and a subfolder."""
    for number, place in (("01", "photos"), ("02", "photos/left"), ("03", "photos/left")):
        (tmp_path / place).mkdir(exist_ok=True)
        shutil.copy(tiny_drive / f"test/images/{number}_test.tif", tmp_path / place)
    return tmp_path / "photos"


def test_a_stopped_command_goes_on_where_it_was(predict, in_process, tiny_run, folder, tmp_path):
    predict(folder, "--out", "out")
    kept, removed = tmp_path / "out/01_test_mask.png", tmp_path / "out/left/02_test_overlay.png"
    before = kept.stat().st_mtime_ns
    removed.unlink()
    said = predict(folder, "--out", "out")
    assert (said.count("there already"), said.count("ms forward")) == (2, 1)
    assert removed.is_file()
    assert kept.stat().st_mtime_ns == before
    # Pictures made in two ways must not lie side by side.
    arguments = ["predict", folder, "--run", tiny_run, "--out", "out", "--threshold", "0.3"]
    assert "pictures made with another threshold" in in_process(*arguments)
    predict(folder, "--out", "out", "--threshold", "0.3", "--overwrite")
    assert kept.stat().st_mtime_ns != before


def test_another_photograph_of_the_same_name_is_named_and_the_rest_is_predicted(
    predict, in_process, tiny_run, folder, tmp_path
):
    predict(folder, "--out", "out")
    before = (tmp_path / "out/left/02_test_mask.png").read_bytes()
    shutil.copy(folder / "01_test.tif", folder / "left/02_test.tif")  # another clinic's
    shutil.copy(folder / "01_test.tif", folder / "left/new.tif")
    said = in_process("predict", folder, "--run", tiny_run, "--out", "out")
    assert "1 of 4 photographs were not predicted: " in said and str(folder / "left/02_test.tif") in said
    assert (tmp_path / "out/left/02_test_mask.png").read_bytes() == before
    assert (tmp_path / "out/left/new_mask.png").is_file()


def test_what_is_given_and_no_photograph_is_named_and_the_rest_is_predicted(in_process, tiny_run, folder, tmp_path):
    (folder / "notes.txt").write_text("not a photograph", encoding="utf-8")
    (folder / "gone.png").symlink_to("/nowhere/gone.png")
    (folder / "@eaDir").mkdir()
    said = in_process("predict", folder, "--run", tiny_run, "--out", "out")
    assert "2 of 5 photographs were not predicted: " in said
    assert (
        f"{folder / 'gone.png'}: a link that leads nowhere" in said
        and f"is not an image: {folder / 'notes.txt'}" in said
    )
    assert len(list((tmp_path / "out").rglob("*_mask.png"))) == 3


def test_a_network_of_whole_images_sees_whole_images(program, in_process, tiny_run, photo, tmp_path):
    run, options = tmp_path / "run", (*TINY_RUN, "data.dataset.fov=none")
    done = program("train", *options, f"hydra.run.dir={run}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    predict = ["predict", photo, "--run", run, "--threshold", "0"]
    for rule, everywhere in ((), True), (("--fov", "auto"), False):
        done = program(*predict, *rule, "--out", tmp_path / f"out{len(rule)}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert bool(read_binary(tmp_path / f"out{len(rule)}/03_test_mask.png", "mask").all()) == everywhere
    assert json.loads((tmp_path / "out0/predict.json").read_text(encoding="utf-8"))["fov"] == "none"


def test_files_that_are_not_ours_are_not_overwritten(predict, in_process, tiny_run, photo, tmp_path):
    mine = tmp_path / "03_test_mask.png"
    mine.write_bytes(b"drawn by hand")
    message = in_process("predict", photo, "--run", tiny_run, "--out", tmp_path)
    assert "03_test_mask.png is there already, and predict has not made it of this photograph" in message
    assert mine.read_bytes() == b"drawn by hand"
    predict(photo, "--out", tmp_path, "--overwrite")
    assert mine.read_bytes() != b"drawn by hand"


NAMES = ["[red]01", "long" * 40, "[/x]", ":smile:", "\u0441\u043d\u0438\u043c\u043e\u043a", "5 % {0}"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_printed_as_it_is(predict, photo, tmp_path, name):
    (tmp_path / "photos" / name).parent.mkdir(parents=True)
    shutil.copy(photo, tmp_path / f"photos/{name}.tif")
    assert predict("photos", "--out", "out").startswith(f"{Path(name)}: ")
    assert (tmp_path / f"out/{name}_mask.png").is_file()


def test_a_name_that_the_terminal_cannot_write_does_not_end_the_command(program, tiny_run, photo, tmp_path):
    names = ["\u0441\u043d\u0438\u043c\u043e\u043a"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"\xff"))  # no text at all
    for name in names:
        shutil.copy(photo, tmp_path / f"{name}.tif")
    arguments = [*(f"{name}.tif" for name in names), "--run", tiny_run, "--out", "out"]
    done = program("predict", *arguments, cwd=tmp_path, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0, done.stderr
    assert r"\u0441\u043d\u0438\u043c\u043e\u043a: " in done.stdout
    assert len(list((tmp_path / "out").glob("*_overlay.png"))) == len(names)


def test_a_data_set_without_labels_is_predicted_with_its_own_masks(predict, tiny_drive, tmp_path):
    today = shutil.copytree(tiny_drive, tmp_path / "DRIVE")
    for observer in ("1st_manual", "2nd_manual"):
        shutil.rmtree(today / "test" / observer)
    predict("data=drive", "split=test", f"data.root={today}", "--out", "out", "--threshold", "0")
    assert len(list((tmp_path / "out").glob("*_mask.png"))) == 20
    expected = read_binary(today / "test/mask/07_test_mask.gif", "mask")
    assert read_binary(tmp_path / "out/07_mask.png", "mask").tolist() == expected.tolist()


def test_a_submission_of_the_real_test_images(predict, real_drive, tmp_path):
    predict("data=drive", "split=test", f"data.root={real_drive}", "--submission", "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [f"{number}.png" for number in range(1, 21)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


@pytest.fixture(autouse=True)
def without_mps(monkeypatch):
    """So that a Mac refuses it as others do."""
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=drive", "--submission", "out.zip"], "Image 01 of the submission is (48, 46)"),
        (["data=drive", "split=val", "--submission", "out.zip"], "images 01 to 20, found 25, 30, 35, 40"),
        (["data=nothing", "--out", "out"], "names no data set"),
        (["split=test", "--out", "out"], "names no data set: begin with data=drive"),
        (["data=drive", "photo.tif", "--out", "out"], "Name photographs or a data set"),
        (["data=drive", "tta=d4", "--out", "out"], "tta=d4 says nothing of a data set"),
        (["data=drive", "data.root=${nope}", "--out", "out"], "names no data set"),
        (["x" * 300 + ".tif", "--out", "out"], "No photograph: looked for xxx"),
        ([".", "--out", "out"], "give --out a folder outside ."),
        (["photo.tif", "--out", "out", "--threshold", "1.5"], "--threshold must be from 0 to 1, or val, found 1.5"),
        (["photo.tif", "--out", "out", "--scale", "big"], "scale must be"),
        (["photo.tif", "--out", "out", "--tile", "64"], "smaller than the receptive field"),
        (["photo.tif", "--out", "out", "--device", "mps"], "device=mps, but torch sees no GPU of Apple"),
    ],
)
def test_bad_arguments_end_with_one_line(in_process, tiny_run, tmp_path, arguments, message):
    assert message in in_process("predict", *arguments, "--run", tiny_run)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run_is_refused(in_process, photo, tmp_path):
    message = in_process("predict", photo, "--run", tmp_path, "--out", tmp_path / "out")
    assert f"{tmp_path} is not a run folder: it has no config.yaml" in message
