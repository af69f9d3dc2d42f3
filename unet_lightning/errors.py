"""The errors that a person can mend: each says what was found, what was expected and what to do."""


class UserError(Exception):
    """Something that came from outside is wrong; programs print its message without a traceback."""


class DataError(UserError):
    """A photograph, label, mask or archive is missing, broken, or not what its place promises."""


class ConfigError(UserError):
    """A configured value is out of range, or two values contradict each other."""


class RunError(UserError):
    """A run folder or a checkpoint is missing, or was made for something else."""
