import zipfile


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
