import sqlite3
import subprocess
import sys
import time

import pytest

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.sweeps.search.storage import absolute, alone, open_storage, readable_faults


def test_the_study_is_a_file_of_the_sweep_folder(tmp_path):
    open_storage(None, tmp_path)
    open_storage("journal", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"study.db", "study.journal"}


def test_a_locked_file_is_one_error_at_once(tmp_path):
    open_storage(None, tmp_path)
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    with pytest.raises(RunError, match=r"study\.db is locked by another process.*sweep.storage=journal"):
        open_storage(None, tmp_path)
    assert time.monotonic() - began < 5
    other.close()
    open_storage(None, tmp_path)


def test_a_file_that_locks_in_the_middle_is_one_error(tmp_path):
    with pytest.raises(RunError, match=f"database is locked.*resume={tmp_path}"), readable_faults(tmp_path):
        raise sqlite3.OperationalError("database is locked")


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("studies", "must be null .* found studies"),
        ("sqlite:///", "is gone when the process ends"),
        ("sqlite:///:memory:", "is gone when the process ends"),
    ],
)
def test_a_storage_that_is_none_is_refused(storage, said):
    with pytest.raises(ConfigError, match=said):
        absolute(storage)


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("sqlite:////no/such/folder/study.db", "the folder /no/such/folder does not exist"),
        ("nosuchbase://host/base", "cannot be opened: .*nosuchbase"),
        ("postgresql+nosuchdriver://u:secret@host/base", "cannot be opened: .*nosuchdriver"),
    ],
)
def test_a_storage_that_is_not_there_is_one_clear_error(storage, said, tmp_path):
    with pytest.raises(ConfigError, match=said) as raised:
        open_storage(storage, tmp_path)
    assert "secret" not in str(raised.value)


def test_a_broken_file_is_one_clear_error(tmp_path):
    (tmp_path / "study.db").write_text("not a database " * 100)
    (tmp_path / "study.journal").write_text("not a journal\nat all\n")
    with pytest.raises(RunError, match="file is not a database"):
        open_storage(None, tmp_path)
    with pytest.raises(RunError, match=r"study\.journal cannot be read"):
        open_storage("journal", tmp_path)


def test_a_relative_path_does_not_depend_on_where_a_job_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("sqlite:///study.db") == f"sqlite:///{tmp_path}/study.db"
    assert absolute("postgresql://user:secret@host/base") == "postgresql://user:secret@host/base"
    assert absolute(None) is None and absolute("journal") == "journal"


def test_one_search_at_a_time_works_in_a_folder(tmp_path):
    code = (
        "import sys, pathlib\nfrom unet_lightning.sweeps.search.storage import alone\n"
        "with alone(pathlib.Path(sys.argv[1])):\n    print('in', flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(RunError, match="Another search is at work"), alone(tmp_path):
            pass
        other.kill()
    with alone(tmp_path):  # a kill lets go
        pass
