import shutil
import zipfile

import pytest
from PIL import Image

from unet_lightning.data.reading import read_binary
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
    """Photographs in a folder and a subfolder, with something else beside them."""
    for number, place in (("01", "photos"), ("02", "photos/left"), ("03", "photos/left")):
        (tmp_path / place).mkdir(exist_ok=True)
        shutil.copy(tiny_drive / f"test/images/{number}_test.tif", tmp_path / place)
    (tmp_path / "photos/notes.txt").write_text("not a photograph")
    return tmp_path / "photos"


def test_a_folder_keeps_its_subfolders(program, tiny_run, folder, tmp_path):
    done = program("predict", folder, "--run", tiny_run, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    masks = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*_mask.png"))
    assert masks == ["01_test_mask.png", "left/02_test_mask.png", "left/03_test_mask.png"]


def test_a_stopped_command_goes_on_where_it_was(program, in_process, tiny_run, folder, tmp_path):
    arguments = ["predict", folder, "--run", tiny_run, "--out", tmp_path / "out"]
    assert program(*arguments, cwd=tmp_path).returncode == 0
    kept, removed = tmp_path / "out/01_test_mask.png", tmp_path / "out/left/02_test_overlay.png"
    kept.write_bytes(b"as it was")
    removed.unlink()
    done = program(*arguments, cwd=tmp_path)
    assert (done.stdout.count("there already"), done.stdout.count("ms forward")) == (2, 1)
    assert removed.is_file()
    assert kept.read_bytes() == b"as it was"
    # Pictures made in two ways must not lie side by side.
    assert "pictures made with another threshold" in in_process(*arguments, "--threshold", "0.3")
    assert program(*arguments, "--threshold", "0.3", "--overwrite", cwd=tmp_path).returncode == 0
    assert kept.read_bytes() != b"as it was"


def test_files_that_are_not_ours_are_not_overwritten(program, in_process, tiny_run, photo, tmp_path):
    mine = tmp_path / "03_test_mask.png"
    mine.write_bytes(b"drawn by hand")
    arguments = ["predict", photo, "--run", tiny_run, "--out", tmp_path]
    assert "03_test_mask.png is there already and was not made by predict" in in_process(*arguments)
    assert mine.read_bytes() == b"drawn by hand"
    assert program(*arguments, "--overwrite", cwd=tmp_path).returncode == 0
    assert mine.read_bytes() != b"drawn by hand"


@pytest.mark.parametrize("out", [".", "left", "left/deeper"])
def test_pictures_within_a_folder_of_photographs_are_refused(in_process, tiny_run, folder, out):
    message = in_process("predict", folder, "--run", tiny_run, "--out", folder / out)
    assert "give --out a folder outside" in message
    assert not list(folder.rglob("*_mask.png"))


def test_a_broken_note_of_how_pictures_were_made_is_named(in_process, tiny_run, photo, tmp_path):
    for content in ("[]", "{"):
        (tmp_path / "predict.json").write_text(content)
        assert "predict.json is broken" in in_process("predict", photo, "--run", tiny_run, "--out", tmp_path)


def test_masks_in_a_folder_belong_to_photographs_of_their_name(program, tiny_run, folder, tmp_path):
    (tmp_path / "fov").mkdir()
    for number, box in (("01", (10, 10, 30, 20)), ("02", (0, 0, 46, 48))):
        mask = Image.new("L", (46, 48))
        mask.paste(255, box)
        mask.save(tmp_path / f"fov/{number}_test_mask.png")
    arguments = ["--run", tiny_run, "--out", tmp_path / "out", "--fov", tmp_path / "fov", "--threshold", "0"]
    done = program("predict", folder, *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert "0 field-of-view masks for" in done.stderr  # of image 03
    with Image.open(tmp_path / "out/01_test_mask.png") as mask:
        assert mask.getbbox() == (10, 10, 30, 20)
    assert read_binary(tmp_path / "out/left/02_test_mask.png", "mask").all()


def test_a_data_set_without_labels_is_predicted_with_its_own_masks(program, tiny_run, tiny_drive, tmp_path):
    today = shutil.copytree(tiny_drive, tmp_path / "DRIVE")
    for observer in ("1st_manual", "2nd_manual"):
        shutil.rmtree(today / "test" / observer)
    words = ["data=drive", "split=test", f"data.root={today}"]
    arguments = ["--run", tiny_run, "--out", tmp_path / "out", "--threshold", "0"]
    done = program("predict", *words, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*_mask.png"))) == 20
    expected = read_binary(today / "test/mask/07_test_mask.gif", "mask")
    assert read_binary(tmp_path / "out/07_mask.png", "mask").tolist() == expected.tolist()


def test_a_submission_of_the_real_test_images(program, tiny_run, real_drive, tmp_path):
    arguments = ["--run", tiny_run, "--submission", tmp_path / "out.zip"]
    done = program("predict", "data=drive", "split=test", f"data.root={real_drive}", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == [f"{number}.png" for number in range(1, 21)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


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
    ],
)
def test_bad_arguments_end_with_one_line(in_process, tiny_run, tmp_path, arguments, message):
    assert message in in_process("predict", *arguments, "--run", tiny_run)
    assert list(tmp_path.iterdir()) == []


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
    assert str(tmp_path / "out") in message


def test_a_folder_that_is_no_run_is_refused(in_process, photo, tmp_path):
    message = in_process("predict", photo, "--run", tmp_path, "--out", tmp_path / "out")
    assert f"{tmp_path} is no run folder: it has no config.yaml" in message
