"""Commands as they are printed: pasted into a shell they do what they say, whatever folders are called."""

import re
import shlex
from pathlib import Path

from unet_lightning.text import OBEYED, override_value


def command(program: str, *words: str) -> str:
    """`python -m unet_lightning.<program>` and words, which are quoted already."""
    return " ".join([f"python -m unet_lightning.{program}", *words])


def quoted(word: str) -> str:
    r"""A word as a shell reads it back; what a terminal would obey is an escape, `$'\n'`."""
    if not OBEYED.search(word):
        return shlex.quote(word)
    escaped = re.sub(r"[\\']", r"\\\g<0>", word)
    return f"$'{OBEYED.sub(lambda found: _escape(found[0]), escaped)}'"


def shell_path(folder: Path) -> str:
    """A folder as a person would type it in a shell."""
    return quoted(_near(folder))


def value_path(folder: Path) -> str:
    """A folder as a person would type it behind `run=` in a shell; Hydra reads brackets and commas, too."""
    value = override_value(_near(folder))
    plain = "'" in value and not set(value) & set('"`$!\\') and not OBEYED.search(value)
    return f'"{value}"' if plain else quoted(value)


def _near(folder: Path) -> str:
    """A folder from the working folder on, where it lies in that; never the name of an option, or of a home."""
    near = str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)
    return f"./{near}" if near.startswith(("-", "~")) else near


def _escape(character: str) -> str:
    """A character within `$'...'`; half of a surrogate stands for a byte of a name that is no UTF-8."""
    number = ord(character)
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"
