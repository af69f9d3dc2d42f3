import os
import stat

import pytest
import yaml

from unet_lightning.errors import ConfigError, OtherRun, RunError
from unet_lightning.sweeps import record as records
from unet_lightning.sweeps.record import Record, is_search, is_sweep, read
from unet_lightning.sweeps.sweeper import RecordedSweeper

RECORD = Record("quick", "..", "train", ["/home/ü/conf"], ["hydra/launcher=joblib"], ["seed=1,2"], {"0": ["seed=1"]})


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_record_comes_back_as_it_was(tmp_path):
    RECORD.write(tmp_path)
    assert read(tmp_path) == RECORD
    assert is_sweep(tmp_path) and not is_search(tmp_path)
    assert yaml.safe_load((tmp_path / "sweep.yaml").read_text(encoding="utf-8"))["jobs"] == {"0": ["seed=1"]}


def test_of_two_sweeps_that_begin_in_one_folder_the_second_is_refused(tmp_path):
    RECORD.begin(tmp_path / "sweep")
    with pytest.raises(OtherRun, match="Another sweep has just begun in"):
        Record("other", "..", "train").begin(tmp_path / "sweep")
    assert read(tmp_path / "sweep") == RECORD


def test_a_search_is_told_from_a_sweep_of_values(tmp_path):
    Record("quick", "..", "train", overrides=["search: x"], search={"study": "search"}).write(tmp_path)
    assert is_search(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_the_key_is_made_once_and_nobody_else_can_read_it(home):
    key = records.key()
    assert len(key) == 32 and records.key() == key
    (file,) = [path for path in home.rglob("*") if path.is_file()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_that_another_process_has_just_made_is_taken(home, monkeypatch):
    def first(source, target):
        target.write_bytes(b"x" * 32)
        raise FileExistsError

    monkeypatch.setattr(os, "link", first)
    assert records.key() == b"x" * 32 == records.key()


def test_another_users_sweep_is_refused_with_the_way_to_repeat_its_jobs(tmp_path, monkeypatch):
    RECORD.write(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "other"))
    with pytest.raises(RunError, match=r"begun by somebody else.* the configuration of one of its jobs\."):
        read(tmp_path)
    assert read(tmp_path, own=False) == RECORD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "flags: ['--config-name=train']\noverrides: [seed=1]\n",  # of an earlier version
        "overrides: [hydra.callbacks.x._target_=os.mkdir]\nsignature: none\n",
        "signature: é\n",
    ],
)
def test_what_is_not_signed_is_refused(tmp_path, text):
    (tmp_path / "sweep.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="does not carry your signature"):
        read(tmp_path)


@pytest.mark.parametrize(("found", "instead"), [("seed=1,2", "seed=1,3"), ("\nsignature", "\nx: 1\nsignature")])
def test_a_record_that_was_edited_is_refused(tmp_path, found, instead):
    RECORD.write(tmp_path)
    path = tmp_path / "sweep.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(found, instead), encoding="utf-8")
    with pytest.raises(RunError, match="or the file was edited"):
        read(tmp_path)


def test_a_file_that_is_no_text_is_broken(tmp_path):
    (tmp_path / "sweep.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="is broken"):
        read(tmp_path)


def test_without_a_key_a_sweep_begins_all_the_same(tmp_path, monkeypatch, caplog):
    def nowhere():
        raise PermissionError(13, "Permission denied", "/.config")

    monkeypatch.setattr(records, "key", nowhere)
    RECORD.write(tmp_path)
    assert "cannot be gone on with" in caplog.text
    with pytest.raises(RunError):
        read(tmp_path)


def test_how_to_search_and_where_to_run_may_change(tmp_path):
    RECORD.check_same(["sweep.n_trials=3", "seed=1,2", "hydra/launcher=joblib", "sweep/pruner=none"], tmp_path, False)
    with pytest.raises(OtherRun, match="holds another sweep"):
        RECORD.check_same(["seed=1,3"], tmp_path, False)
    with pytest.raises(OtherRun, match="holds a sweep of given values, and hydra/sweeper is that of a search"):
        RECORD.check_same(["seed=1,2"], tmp_path, True)


def test_the_folder_of_a_sweep_is_its_own_from_setup_on_and_gone_where_nothing_came_of_it(tmp_path):
    sweeper = RecordedSweeper(None)
    sweeper.is_new, sweeper.folder = True, tmp_path / "sweep"
    sweeper.folder.mkdir()
    with sweeper.nothing_left():
        pass
    assert sweeper.folder.is_dir()
    with pytest.raises(ConfigError), sweeper.nothing_left():
        raise ConfigError("a launcher that does not exist")
    assert not sweeper.folder.exists()
