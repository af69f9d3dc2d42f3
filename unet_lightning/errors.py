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
