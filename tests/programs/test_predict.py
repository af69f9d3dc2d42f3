import shutil

import pytest
from PIL import Image

from unet_lightning.data.fundus import read_binary
from unet_lightning.inference.maps import save_mask


@pytest.fixture
def photo(tiny_drive):
    return tiny_drive / "test/images/03_test.tif"


def test_a_photograph_becomes_a_mask_a_map_and_an_overlay(program, tiny_run, photo, tmp_path):
    done = program("predict", photo, "--run", tiny_run, "--out", tmp_path / "out", "--threshold", "0.1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ms forward" in done.stdout
    modes = {"mask": "L", "probability": "I;16", "overlay": "RGB"}
    for kind, mode in modes.items():
        with Image.open(tmp_path / f"out/03_test_{kind}.png") as picture:
            assert (picture.size, picture.mode) == ((46, 48), mode)
            assert kind != "mask" or set(picture.tobytes()) <= {0, 255}


def test_outside_the_field_of_view_is_blank(program, tiny_run, photo, tmp_path):
    import torch

    fov = torch.zeros(48, 46, dtype=torch.bool)
    fov[10:20, 10:20] = True
    save_mask(fov, tmp_path / "fov.png")
    arguments = ["--run", tiny_run, "--out", tmp_path / "out", "--fov", tmp_path / "fov.png", "--threshold", "0"]
    assert program("predict", photo, *arguments, cwd=tmp_path).returncode == 0
    # At threshold 0 every pixel is a vessel, but for those outside.
    with Image.open(tmp_path / "out/03_test_mask.png") as mask:
        assert mask.getbbox() == (10, 10, 20, 20)


def test_without_a_mask_the_field_of_view_is_found(program, tiny_run, photo, tmp_path):
    arguments = ["--run", tiny_run, "--threshold", "0"]
    assert program("predict", photo, *arguments, "--out", tmp_path / "found", cwd=tmp_path).returncode == 0
    assert (
        program("predict", photo, *arguments, "--fov", "none", "--out", tmp_path / "all", cwd=tmp_path).returncode == 0
    )
    found, whole = (read_binary(tmp_path / folder / "03_test_mask.png", "mask") for folder in ("found", "all"))
    assert whole.all()
    assert not found[0, 0]
    assert found[24, 23]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.tif", b"this is no photograph", "is not an image"),
        ("cut.tif", None, "is broken"),
        ("missing.tif", ..., "No photograph: looked for"),
    ],
)
def test_a_bad_photograph_is_named_and_nothing_is_written(
    in_process, tiny_run, photo, tmp_path, name, content, message
):
    bad = tmp_path / name
    if content is None:
        bad.write_bytes(photo.read_bytes()[:-3000])
    elif content is not ...:
        bad.write_bytes(content)
    said = in_process("predict", photo, bad, "--run", tiny_run, "--out", tmp_path / "out")
    assert message in said
    assert name in said
    assert not (tmp_path / "out").exists()


def test_a_mask_of_another_size_is_refused(in_process, tiny_run, photo, tmp_path):
    Image.new("L", (20, 20), 255).save(tmp_path / "fov.png")
    arguments = ["--run", tiny_run, "--out", tmp_path / "out", "--fov", tmp_path / "fov.png"]
    message = in_process("predict", photo, *arguments)
    assert "(20, 20)" in message
    assert "(48, 46)" in message


def test_two_photographs_of_one_name_are_refused(in_process, tiny_run, photo, tmp_path):
    other = shutil.copy(photo, tmp_path)
    message = in_process("predict", photo, other, "--run", tiny_run, "--out", tmp_path / "out")
    assert "Two photographs are called 03_test" in message


def test_a_place_that_cannot_be_written_is_named(in_process, tiny_run, photo, tmp_path):
    (tmp_path / "out").write_text("a file, not a folder")
    message = in_process("predict", photo, "--run", tiny_run, "--out", tmp_path / "out")
    assert "Cannot write" in message
    assert "03_test_mask.png" in message


def test_a_folder_that_is_no_run_is_refused(in_process, photo, tmp_path):
    message = in_process("predict", photo, "--run", tmp_path, "--out", tmp_path / "out")
    assert f"{tmp_path} is no run folder: it has no config.yaml" in message
