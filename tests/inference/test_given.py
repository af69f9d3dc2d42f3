import os
from pathlib import Path

import pytest

from unet_lightning.inference.given import given


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(found):
    return [str(name) for name, _ in found.files]


def test_every_file_of_a_folder_is_given_whatever_its_suffix(tmp_path):
    touch(*(tmp_path / name for name in ("a.jfif", "b.ppm.gz", "c.JPE", "d.heic", "e", "f.2024-05-01", ".gz")))
    assert names(given([str(tmp_path)])) == ["a", "b", "c", "d.heic", "e", "f.2024-05-01"]


@pytest.mark.parametrize(
    "name", [".a.png", "._a.png", "Thumbs.db", "@eaDir/a.jpg/SYNO_THUMB.jpg", ".ipynb_checkpoints/a.png"]
)
def test_what_systems_leave_in_folders_is_left_out_and_said(name, tmp_path):
    touch(tmp_path / name, tmp_path / "b.png")
    found = given([str(tmp_path)])
    assert names(found) == ["b"] and not found.lost
    assert found.left_out == [tmp_path / Path(name).parts[0]]
    assert given([str(tmp_path / name)]).files[0][1] == tmp_path / name  # who names it means it


def test_what_is_no_file_is_named_and_stops_nothing(tmp_path):
    touch(tmp_path / "a.png", tmp_path / "z.png")
    (tmp_path / "b.png").symlink_to("/nowhere/b.png")
    (tmp_path / "d.png").symlink_to("d.png")
    os.mkfifo(tmp_path / "c.png")
    found = given([str(tmp_path)])
    assert names(found) == ["a", "z"]
    assert found.lost == [
        f"{tmp_path / 'b.png'}: a link that leads nowhere.",
        f"{tmp_path / 'c.png'}: not a file that can be read.",
        f"{tmp_path / 'd.png'}: a link that leads nowhere.",
    ]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    touch(tmp_path / "closed/a.png", tmp_path / "z.png")
    readable = Path.iterdir

    def iterdir(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return readable(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = given([str(tmp_path)])
    assert names(found) == ["z"] and found.lost == [f"{tmp_path / 'closed'}: Permission denied."]


def test_a_folder_that_is_linked_is_read_and_one_that_holds_itself_is_left_out(tmp_path):
    touch(tmp_path / "there/a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to("../there")
    (tmp_path / "in/loop").symlink_to(".")
    (tmp_path / "there/up").symlink_to("../in")
    found = given([str(tmp_path / "in")])
    assert names(found) == ["link/a"]
    assert found.left_out == [tmp_path / "in/link/up", tmp_path / "in/loop"]


def test_files_of_one_folder_that_differ_in_their_suffix_alone_keep_it(tmp_path):
    touch(tmp_path / "a.jpg", tmp_path / "a.png")
    assert names(given([str(tmp_path)])) == ["a", "a.png"]


def test_of_two_files_of_one_name_in_two_folders_the_second_is_named(tmp_path):
    touch(tmp_path / "A/1.png", tmp_path / "B/1.png", tmp_path / "B/2.png")
    found = given([str(tmp_path / "A"), str(tmp_path / "B")])
    assert found.files == [(Path("1"), tmp_path / "A/1.png"), (Path("2"), tmp_path / "B/2.png")]
    (said,) = found.lost
    assert said.startswith(f"{tmp_path / 'B/1.png'}: its pictures would overwrite those of {tmp_path / 'A/1.png'}")


def test_a_file_that_is_given_twice_counts_once(tmp_path):
    touch(tmp_path / "a.png")
    found = given([str(tmp_path), str(tmp_path / "a.png"), str(tmp_path / "." / "a.png")])
    assert names(found) == ["a"] and not found.lost


def test_a_long_name_leaves_room_for_what_stands_behind_it(tmp_path):
    long = "x" * 240
    touch(tmp_path / f"{long}a.png", tmp_path / f"{long}b.png")
    found = names(given([str(tmp_path)]))
    assert len({*found}) == 2 and all(len(name) <= 200 and name.startswith("xxx") for name in found)
