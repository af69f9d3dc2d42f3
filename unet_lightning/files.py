"""Files and folders that are complete or absent: written under a temporary name, then renamed."""

import contextlib
import csv
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import lock_descriptor, unlock_descriptor

from unet_lightning.errors import ConfigError, UserError
from unet_lightning.text import as_cell

PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between attempts to rename


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that takes its place when the block ends without an error.

    The temporary name keeps the suffix, by which Pillow and Matplotlib choose the format. UserError where the file
    cannot be written.
    """
    temporary = path.with_name(f".{path.stem[:40]}.{os.getpid()}{path.suffix}")  # also of the longest name
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb+") as file:  # Windows flushes only what may be written
                os.fsync(file.fileno())  # complete on the disk before it takes the name, even if the power fails
            take_place(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes what the system says against writing a file, or into a folder, an error of ours."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write {path}: {error.strerror or error}. Is there room, and may you write there?"
        ) from error


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder that takes the place of `path` when the block ends without an error.

    Raises:
        UserError: there is something at `path`, or nothing can be written there.
    """
    if path.exists():
        raise ConfigError(f"{path} is there already, and is not written over: remove it, or give another --out.")
    new = [parent for parent in path.absolute().parents if not parent.exists()]  # the innermost first
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=f".{path.name[:40]}.", dir=path.parent) as temporary:
                folder = Path(temporary) / "data"
                folder.mkdir()
                yield folder
                take_place(folder, path)
    finally:
        with contextlib.suppress(OSError):  # they hold the folder
            for parent in new:
                parent.rmdir()


def take_place(temporary: Path, path: Path) -> None:
    """Renames a file, in place of another of that name; or a folder, which takes no other's place."""
    for pause in (*PAUSES, None):
        try:
            temporary.replace(path)
            return
        except PermissionError:  # for a moment, where another program on Windows reads the file
            if pause is None:
                raise
            time.sleep(pause)


def user_folder() -> Path:
    """Where programs keep what is this user's own; RuntimeError where there is no home."""
    place = {"win32": "AppData/Roaming", "darwin": "Library/Application Support"}.get(sys.platform, ".config")
    return Path.home() / place / "unet_lightning"


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` in UTF-8, all of it or nothing; bytes of names in another encoding as escapes."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes rows as CSV, its columns in the order in which they first appear; no cell is a formula."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with whole_file(path) as temporary, temporary.open("w", -1, "utf-8", "backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writerow({name: as_cell(name) for name in columns})  # the name of a class may be one
        writer.writerows({name: as_cell(value) for name, value in row.items()} for row in rows)


def leads_out(path: Path, folder: Path) -> bool:
    """Whether links make of a path in a folder one that is not in it."""
    return not path.resolve().is_relative_to(folder.resolve())


@contextmanager
def locked(path: Path, refusal: Exception) -> Iterator[None]:
    """Holds the lock of a file until the block ends, or the process does, in whatever way.

    Raises `refusal` where another process holds it. On a file system without locks the block runs all the same.
    """
    with path.open("a", encoding="utf-8") as file:  # NFS locks only what may be written
        try:
            free = lock_descriptor(file.fileno(), blocking=False)
        except (OSError, NotImplementedError):  # a file system, or a Python, without locks
            free = True
        if not free:
            raise refusal
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                unlock_descriptor(file.fileno())  # closing is not enough where a forked process has a copy of the file
