import csv
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unet_lightning import files
from unet_lightning.errors import OtherRun, UserError
from unet_lightning.files import locked, whole_file, write_rows, write_text

OTHER = OtherRun("Another process has the lock.")
HOLDER = """
import os, sys, time
from pathlib import Path
from unet_lightning.files import locked

with locked(Path(sys.argv[1]), BlockingIOError()):
    if sys.argv[2] == "hold":
        print(os.getpid(), flush=True)
        time.sleep(60)
    child = os.fork()
    if not child:
        time.sleep(60)
print(child, flush=True)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "map.png"
    with whole_file(path) as temporary:
        temporary.write_text("whole", encoding="utf-8")
        assert not path.exists()
        assert temporary.parent == path.parent  # so that renaming stays within a file system
        assert temporary.suffix == ".png"
    assert path.read_text(encoding="utf-8") == "whole"
    assert names(path.parent) == ["map.png"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_alone(error, tmp_path):
    path = tmp_path / "map.png"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise error
    assert path.read_text(encoding="utf-8") == "old"
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


def test_neither_a_cell_nor_a_heading_is_a_formula(tmp_path):
    write_rows([{"=1+1": "=2+2"}], tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text() == "'=1+1\n'=2+2\n"


def test_a_cell_holds_no_code_that_a_terminal_would_obey(tmp_path):
    write_rows([{"entry": "\x1b]0;mine\x07"}], tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text() == "entry\n\\x1b]0;mine\\x07\n"


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    path, real, order = tmp_path / "map.png", os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda descriptor: (real(descriptor), order.append(path.exists())))
    write_text(path, "whole")
    assert order == [False]


def test_a_file_that_another_program_reads_at_the_moment_is_replaced_after_a_pause(tmp_path, monkeypatch):
    path, real, refusals = tmp_path / "state.json", Path.replace, [PermissionError(errno.EACCES, "in use")] * 2

    def replace(self, target):
        if refusals:
            raise refusals.pop()
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["state.json"]


def test_a_file_that_can_never_be_replaced_is_named(tmp_path, monkeypatch):
    def replace(self, target):
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0))
    with pytest.raises(UserError, match=r"Cannot write \S*state\.json: in use"):
        write_text(tmp_path / "state.json", "new")
    assert names(tmp_path) == []


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path):
    path = tmp_path / ".lock"
    with locked(path, OTHER), pytest.raises(OtherRun), locked(path, OTHER):
        pass
    with locked(path, OTHER):
        pass


@pytest.fixture
def holder(tmp_path):
    """Starts a process that takes the lock; its output is the id of the process that it ends with."""
    started = []

    def start(what):
        command = [sys.executable, "-c", HOLDER, str(tmp_path / ".lock"), what]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_lock_ends_with_its_process_however_that_ends(holder, tmp_path):
    process, _ = holder("hold")
    with pytest.raises(OtherRun), locked(tmp_path / ".lock", OTHER):
        pass
    process.kill()
    process.wait()
    with locked(tmp_path / ".lock", OTHER):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_forked_process_does_not_keep_the_lock(holder, tmp_path):
    _, child = holder("fork")
    try:
        with locked(tmp_path / ".lock", OTHER):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def refuse(descriptor, blocking):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files, "lock_descriptor", refuse)
    with locked(tmp_path / ".lock", OTHER), locked(tmp_path / ".lock", OTHER):
        pass
