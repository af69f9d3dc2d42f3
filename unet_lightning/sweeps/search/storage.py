"""Where a study is kept: a file in the sweep folder, or a database."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.files import locked
from unet_lightning.sweeps.jobs import SEARCHES

SQLITE, JOURNAL = "study.db", "study.journal"
# Jobs that run side by side write in turn.
WAIT = 60.0  # seconds
# A server that does not answer by then is not there.
CONNECT = {"postgresql": {"connect_timeout": 10}, "mysql": {"connect_timeout": 10}, "sqlite": {"timeout": WAIT}}
FAULTS = (StorageInternalError, SQLAlchemyError, sqlite3.Error)


def is_own(storage: str | None) -> bool:
    """Whether the study is a file of the sweep folder, which moves with it."""
    return storage in (None, "journal")


def absolute(storage: str | None) -> str | None:
    """The storage, with the path of an SQLite file from the root: jobs may run elsewhere.

    Raises:
        ConfigError: neither `journal` nor a URL.
    """
    if storage is None or storage == "journal":
        return storage
    url = _url(storage)
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        url = url.set(database=str(Path(str(url.database)).absolute()))
    elif url.get_backend_name() == "sqlite":
        raise ConfigError(f"sweep.storage={storage} is gone when the process ends: give a file, sqlite:///study.db.")
    return url.render_as_string(hide_password=False)


def open_storage(storage: str | None, folder: Path, create: bool = True) -> BaseStorage:
    """The storage of a search.

    Args:
        storage: None, `journal`, or a URL of SQLAlchemy.
        folder: of the sweep.
        create: begin a file that is not there yet.

    Raises:
        ConfigError: no such database, or no driver for it.
        RunError: the file is locked, broken, or not there.
    """
    if storage == "journal":
        path = folder / JOURNAL
        _check_there(path, create)
        try:
            return JournalStorage(JournalFileBackend(str(path)))
        except (ValueError, KeyError, OSError) as error:  # broken lines
            raise RunError(f"The study {path} cannot be read: {error}. Restore it, or begin a new search.") from error
    url = URL.create("sqlite", database=str(folder / SQLITE)) if storage is None else _url(storage)
    backend = url.get_backend_name()
    if backend == "sqlite":
        _check_there(Path(str(url.database)), create)
        check_sqlite(Path(str(url.database)))
    arguments = CONNECT.get(backend, {})
    try:
        return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs={"connect_args": arguments})
    except ImportError as error:
        raise ConfigError(f"sweep.storage={url} needs a driver for {backend}: {_line(error)}") from error
    except (*FAULTS, RuntimeError) as error:
        raise ConfigError(f"sweep.storage={url} cannot be opened: {_line(error.__cause__ or error)}") from error


def check_sqlite(path: Path) -> None:
    """Looks whether a file of SQLite can be written now: SQLite itself would wait, then end with a traceback.

    Raises:
        ConfigError: its folder is not there.
        RunError: another process holds it, or it is no database.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"sweep.storage: the folder {path.parent} does not exist: create it, or name another.")
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise RunError(
                f"The study {path} is locked by another process: end that first (fuser {path} names it). Where several "
                "machines write it, or it lies on a network drive, sweep.storage=journal does not lock."
            ) from error
        raise RunError(f"The study {path} cannot be opened: {error}. Restore it, or begin a new search.") from error
    finally:
        if connection is not None:
            connection.close()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lets one search at a time work on a sweep folder; the system lets go when the process ends, however it does.

    Raises:
        RunError: another one does.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / SEARCHES))
        except BlockingIOError as error:
            raise RunError(f"Another search is at work in {folder}: wait for its end, or stop it.") from error
        yield


@contextmanager
def readable_faults(where: Path) -> Iterator[None]:
    """One line where the storage fails in the middle of a search.

    Raises:
        RunError: instead of what Optuna raises.
    """
    try:
        yield
    except FAULTS as error:
        raise RunError(
            f"The study in {where} cannot be read or written: {_line(error.__cause__ or error)}. What is trained is "
            f"kept; go on by resume={where}."
        ) from error


def _check_there(path: Path, create: bool) -> None:
    if not create and not path.is_file():
        raise RunError(f"There is no study {path}: restore it, or begin a new search.")


def _url(storage: str) -> URL:
    try:
        return make_url(storage)
    except ArgumentError as error:
        raise ConfigError(
            f"sweep.storage must be null (study.db in the sweep folder), journal, or a URL such as "
            f"sqlite:////data/study.db or postgresql://user@host/base; found {storage}."
        ) from error


def _line(error: BaseException) -> str:
    """What a database says, without the statement and the link that SQLAlchemy adds."""
    said = str(getattr(error, "orig", None) or error)
    return " ".join(said.split("\n[SQL")[0].split("(Background on")[0].split())
