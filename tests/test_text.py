import contextlib
import io
import logging
import os
import sys
import unicodedata

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from unet_lightning import text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("01_test", "01_test"),
        ("[/bold] <img> =1+1 | 眼底", "[/bold] <img> =1+1 | 眼底"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\u2028\u202etxt.exe", r"\u2028\u202etxt.exe"),
        (b"M\xfcller \xd1\xc0".decode("utf-8", "surrogateescape"), r"M\xfcller \xd1\xc0"),
        ("\ud83d", r"\ud83d"),
    ],
    ids=ascii,
)
def test_what_a_terminal_would_obey_is_an_escape(name, shown):
    assert text.shown(name) == shown
    shown.encode("utf-8")


def test_an_accent_is_the_same_id_in_both_forms_of_unicode():
    apart = unicodedata.normalize("NFD", "œil_é")
    assert apart != "œil_é"
    assert text.as_id(apart) == text.as_id("œil_é") == "œil_é"


def test_an_id_of_200_letters_stays_and_a_longer_one_is_shortened_to_one_of_its_own():
    assert text.as_id("x" * 200) == "x" * 200
    some = [text.as_id(name) for name in ("x" * 240, "x" * 239, "眼" * 80, "眼" * 79)]
    assert len({*some}) == 4
    assert all(len(one.encode()) <= 200 for one in some)
    assert [text.as_id(one) for one in some] == some


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|x", "-x", "@SUM(A1)", "\tx", "'quoted", "''"])
def test_a_cell_that_a_spreadsheet_would_compute_is_text_and_comes_back(cell):
    assert text.as_cell(cell) == f"'{cell}"
    assert text.from_cell(text.as_cell(cell)) == cell


@pytest.mark.parametrize("cell", ["-1.5", "+3e4", "-inf", "01", "a=b", -1.5, None, True, ""])
def test_numbers_and_other_cells_stay(cell):
    assert text.as_cell(cell) == cell
    assert text.from_cell(str(cell)) == str(cell)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://user:PASS@host:5000/api", "http://***@host:5000/api"),
        ("postgresql+psycopg2://u:p@ss@db/x", "postgresql+psycopg2://***@db/x"),
        ("mysql://u:pa/ss@db/x", "mysql://***@db/x"),
        ("https://glpat-0123456789abcdef@git.example.org/x", "https://***@git.example.org/x"),
        ("postgresql://user@host/base", "postgresql://user@host/base"),
        ("API request to 'http://user:PASS@h/x' failed", "API request to 'http://***@h/x' failed"),
        ("https://h/x?a=1&token=abc&b=2", "https://h/x?a=1&token=***&b=2"),
        ("https://h/x?sig=abc#access_token=def", "https://h/x?sig=***#access_token=***"),
        ("logger.x.api_key=abc", "logger.x.api_key=***"),
        ("http://localhost:5000/@name", "http://localhost:5000/@name"),
        ("sqlite:///outputs/mlflow.db", "sqlite:///outputs/mlflow.db"),
        ("write to somebody@example.org", "write to somebody@example.org"),
    ],
)
def test_passwords_and_tokens_of_addresses_are_masked(given, kept):
    assert text.masked(given) == kept
    assert text.masked(kept) == kept


def test_secrets_of_the_environment_are_masked_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("SOME_TOKEN", "short")
    assert text.masked("Invalid header Bearer 0123456789abcdef, short") == "Invalid header Bearer ***, short"


def test_plain_values_lose_their_secrets_alone():
    config = {"lr": 0.1, "uri": "http://u:p@h", "tags": ["a", "x://:t@h"], "api_key": "abc", "token": None, "tokens": 3}
    expected = {"uri": "http://***@h", "tags": ["a", "x://***@h"], "api_key": "***"}
    assert text.without_secrets(config) == config | expected


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "cp932", "cp850", "cp1252", "utf-8"])
def test_any_text_can_be_written_to_any_terminal(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    text.speak_plainly()
    print("1/2 • 0.5 … 眼底 \udcd1", flush=True)
    written = raw.getvalue().decode(encoding)
    assert written.startswith("1/2 ")
    assert written.endswith("\\udcd1\n")


def test_a_line_of_the_log_is_shown_without_escapes_and_secrets():
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "run \x1b[31m of http://u:p@h\n\tnext", (), None)
    assert text.Formatter("%(message)s").format(record) == "run \\x1b[31m of http://***@h\n\tnext"


def test_a_traceback_at_the_end_of_a_program_has_no_secrets(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    text.speak_plainly()
    try:
        raise ValueError("no answer of http://u:p@h\x1b")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert capsys.readouterr().err.endswith("ValueError: no answer of http://***@h\\x1b\n")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("/home/someone/DRIVE", "DRIVE"),
        ("outputs/quick/latest", "outputs/quick/latest"),
        ("No file /mnt/clinic/secret name/x.png: looked", "No file secret name/x.png: looked"),
        (r"error in C:\Users\someone\x.py", "error in x.py"),
        ("sqlite:////home/someone/ml.db", "sqlite:///ml.db"),
        ("https://me:pw@host/a/b/c", "https://host/a/b/c"),
        ("a/b/c, 1/2, and/or", "a/b/c, 1/2, and/or"),
    ],
)
def test_what_others_read_has_no_folders_of_this_machine(given, read):
    assert text.published(given) == read


def test_the_working_folder_is_left_out_of_what_others_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert text.published(f"No file {tmp_path}/outputs/quick/x.csv") == "No file outputs/quick/x.csv"


HOSTILE = [
    "a b",
    "runs [lr=1,wd=2]/a",
    "it's",
    'say "x"',
    "a\\'b",
    "x\\",
    "{a: 1}",
    "$HOME ${x} `y`",
    "007",
    "null",
    "1e3",
    "眼/é",
    "a:b",
]


@pytest.mark.parametrize(
    "name", [*HOSTILE, "outputs/quick/2026-01-31_12-00-00", "a", "it's", "both\\'", "/tmp/${y}", "0"]
)
def test_hydra_reads_a_value_back_as_it_was(name):
    (override,) = OverridesParser.create().parse_overrides([f"run={text.override_value(name)}"])
    config = OmegaConf.create({"run": override.value()})
    assert str(config.run) == name


def test_a_tilde_is_the_home_folder_wherever_a_shell_leaves_it(monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, "/home/me, too")
    words = [
        "data.root=~/DRIVE",
        "run=[~/a,'~/b']",
        "--out=~/x",
        "~/photo.png",
        "~scheduler",
        "name=a~b",
        "--tta",
        "d4",
    ]
    assert text.at_home(words) == [
        "data.root='/home/me, too/DRIVE'",
        "run=['/home/me, too/a','/home/me, too/b']",
        "--out=/home/me, too/x",
        "/home/me, too/photo.png",
        "~scheduler",
        "name=a~b",
        "--tta",
        "d4",
    ]


def test_a_log_that_nobody_reads_ends_the_program_once():
    reading, writing = os.pipe()
    os.close(reading)
    log = logging.Logger("unread")
    with os.fdopen(writing, "w") as closed:
        log.addHandler(text.Console(closed))
        with pytest.raises(BrokenPipeError):
            log.info("a line")
        log.info("what a program says while it ends")
        with contextlib.suppress(BrokenPipeError):
            closed.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # so that closing it does not try again
