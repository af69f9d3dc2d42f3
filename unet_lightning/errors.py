"""The errors that a person can mend: each says what was found, what was expected and what to do."""

import signal


class UserError(Exception):
    """Something that came from outside is wrong; programs print its message without a traceback."""


class DataError(UserError):
    """A photograph, label, mask or archive is missing, broken, or not what its place promises."""


class ConfigError(UserError):
    """A configured value is out of range, or two values contradict each other."""


class RunError(UserError):
    """A run folder or a checkpoint is missing, or was made for something else."""


class OtherRun(RunError):
    """The folder belongs to another run, or another process trains in it: nothing may be written there."""


class Pruned(Exception):
    """A trial of a search was ended early, as others were better by then: no fault, and no result either."""


class Stopped(BaseException):
    """A signal ended the program; not an Exception, so that nobody takes it for a fault.

    Args:
        signum: the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """As the shell has it: 130 for Ctrl-C, 143 for SIGTERM, 140 for SIGUSR2."""
        return 128 + self.signum


def one_line(error: BaseException) -> str:
    """What an error says in one line; one that is not ours is named."""
    return " ".join((str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}").split())
