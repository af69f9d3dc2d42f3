import sys

from unet_lightning import progress
from unet_lightning.progress import counted


def test_a_log_file_gets_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0, 0, 25, 25, 30, 50])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock, 50))
    assert list(counted("abcd", "drive test")) == ["a", "b", "c", "d"]
    assert capsys.readouterr().err.splitlines() == ["drive test: 1 of 4", "drive test: 3 of 4"]


def test_what_cannot_be_printed_loses_nothing(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", -1.0)

    class Full:
        encoding = "utf-8"

        def write(self, text):
            raise OSError("no space left")

        def flush(self):
            raise OSError("no space left")

        def isatty(self):
            return False

    monkeypatch.setattr(sys, "stderr", Full())
    assert list(counted([1, 2, 3], "drive test")) == [1, 2, 3]
