import re
import zipfile

import numpy as np
import pytest
from PIL import Image


def test_a_file_that_is_no_archive_is_refused(in_process, tmp_path):
    (tmp_path / "training.zip").write_text("an error page")
    message = in_process("prepare", "drive", tmp_path / "training.zip", "--out", tmp_path / "data")
    assert "training.zip is not a zip" in message
    assert not (tmp_path / "data").exists()


def test_the_real_data_set_goes_in_and_comes_out_the_same(program, real_drive, tmp_path):
    for split in ("training", "test"):
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as archive:
            for path in sorted((real_drive / split).rglob("*")):
                archive.write(path, path.relative_to(real_drive))
    done = program("prepare", "drive", "training.zip", "test.zip", "--out", "data", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = sorted(path.relative_to(real_drive) for path in real_drive.rglob("*") if path.is_file())
    assert (
        sorted(p.relative_to(tmp_path / "data/DRIVE") for p in (tmp_path / "data").rglob("*") if p.is_file()) == files
    )
    assert all((tmp_path / "data/DRIVE" / path).read_bytes() == (real_drive / path).read_bytes() for path in files)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["DRIVE"]


def draw(folder, label, names=("P1_a", "P1_b", "P2_a", "P3_a")):
    for place, values in (("images", 50 * label), ("labels", label)):
        (folder / place).mkdir(parents=True)
        for number, name in enumerate(names):
            Image.fromarray(np.roll(values + (number + 1) * (place == "images"), number)).save(
                folder / place / f"{name}.png"
            )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give --out data/mine to write the data set there, or --check"),
        (("--out", "x", "--check"), "Give --out data/mine"),
        (("--out", "x", "--several", "classes"), r"The name of theirs/labels/P1_a\.png tells no class"),
        (("--out", "x", "--format", "tiles"), "--format must be one of images"),
        (("--out", "x", "--test", "0.3"), r"look as if images were of 3 patients"),
        (("--out", "."), "is there already"),
        (("--out", "theirs/x"), "theirs/x is in theirs, which is never changed: give another --out, beside it"),
        (("--out", "a: b"), r"--name must be a name without / \\ and :, found a: b"),
        (
            ("--out", "x", "--classes", "cell,background"),
            "--classes names the background first, found cell, background",
        ),
        (("--out", "x", "--colours", "none.txt"), r"The file of colours none\.txt cannot be read"),
    ],
    ids=str,
)
def test_what_cannot_be_prepared_is_one_line_of_error(in_process, tmp_path, arguments, message):
    draw(tmp_path / "theirs", np.eye(8, dtype=np.uint8))
    assert re.search(message, in_process("prepare", "folder", "theirs", *arguments))
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
