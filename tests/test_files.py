import csv
import os

import pytest

from unet_lightning.files import locked, whole_file, write_rows, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "map.png"
    with whole_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent  # so that renaming stays within a file system
        assert temporary.suffix == ".png"
    assert path.read_text() == "whole"
    assert names(path.parent) == ["map.png"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_alone(error, tmp_path):
    path = tmp_path / "map.png"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["map.png"]


def test_a_block_that_fails_before_it_writes_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="early"), whole_file(tmp_path / "map.png"):
        raise ValueError("early")
    assert names(tmp_path) == []


def test_text_is_replaced_in_utf_8(tmp_path):
    path = tmp_path / "report.md"
    for text in ("a longer text than the next", "Größe µ\n"):
        write_text(path, text)
    assert path.read_bytes() == "Größe µ\n".encode()
    assert names(tmp_path) == ["report.md"]


def test_columns_are_those_of_all_rows_in_the_order_in_which_they_came_up(tmp_path):
    rows = [{"epoch": 0, "loss": 0.5}, {"epoch": 1, "val": 2.0, "loss": 0.25}, {"a": "x, y"}]
    write_rows(rows, tmp_path / "metrics.csv")
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["epoch", "loss", "val", "a"],
            ["0", "0.5", "", ""],
            ["1", "0.25", "2.0", ""],
            ["", "", "", "x, y"],
        ]


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    path, real, order = tmp_path / "map.png", os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda descriptor: (real(descriptor), order.append(path.exists())))
    write_text(path, "whole")
    assert order == [False]


def test_a_lock_keeps_others_out_until_it_is_let_go(tmp_path):
    path = tmp_path / ".lock"
    with locked(path), pytest.raises(BlockingIOError), locked(path):
        pass
    with locked(path):
        pass
