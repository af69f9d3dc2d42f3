"""Errors that the user can fix: each says what was found, what was expected and what to do."""

import signal

SIGPIPE = getattr(signal, "SIGPIPE", 13)  # which Windows does not have


class UserError(Exception):
    """An input is wrong. Programs print the message without a traceback."""


class DataError(UserError):
    """A photograph, label, mask or archive is missing, broken, or not what is expected in its place."""


class NoSplit(DataError):
    """A data set has no such split."""


class ConfigError(UserError):
    """A configured value is out of range, or two values contradict each other."""


class RunError(UserError):
    """A run folder or a checkpoint is missing, or does not fit what is asked of it."""


class OtherRun(RunError):
    """The folder belongs to another run, or another process is training in it: nothing may be written there."""


class Pruned(Exception):
    """A trial of a search was ended early because others were better: neither a failure nor a result."""


class Stopped(BaseException):
    """A signal ended the program. Not an Exception, so that no handler mistakes it for a failure."""

    def __init__(self, signum: int) -> None:
        super().__init__("SIGPIPE" if signum == SIGPIPE else signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """The shell's: 130 for Ctrl-C, 143 for SIGTERM, 140 for SIGUSR2, 141 where nobody reads what is printed."""
        return 128 + self.signum


def as_stop(error: BaseException | None) -> BaseException | None:
    """The error, or SIGPIPE where it means that nobody reads what the program prints, as when `| head` has ended.

    Rich, which draws tables and bars, leaves by SystemExit(1) then.
    """
    unread = error.__context__ if isinstance(error, SystemExit) and error.code == 1 else error
    return Stopped(SIGPIPE) if isinstance(unread, BrokenPipeError) and unread.filename is None else error


def one_line(error: BaseException) -> str:
    """The message of an error on one line, with the name of its type unless it is a `UserError`."""
    return " ".join((str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}").split())
