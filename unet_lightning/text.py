"""Text from elsewhere, such as names of files and words of libraries, as it may be shown: as text, without secrets."""

import codecs
import hashlib
import io
import logging
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any

# What a terminal or a page would obey, or cannot show: controls, ends of lines, turns of the direction of writing, and
# bytes of a file's name that are no UTF-8, which Python keeps as halves of surrogates.
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
LONGEST = 200  # bytes of an id in UTF-8: files are called by it, with something behind, and 255 are allowed
MASK = "***"
# What Hydra reads as text without quotes.
PLAIN_VALUE = re.compile(r"(?:[A-Za-z_]|[./]*/)[\w./@+-]*", re.ASCII)
# user:password@ after ://, also where the password holds an @ or a slash; a token before the @, which a name is not.
_USER = re.compile(r'(?<=://)(?:[^/:\s"]*:[^/\s"]*|[^/:@\s"]*:(?!\d*[/\s])[^\s"@]+|[^/:\s"]{16,})@')
_NAME = re.compile(r'(?<=://)[^/\s"]+@')
_SECRET = "(?:token|secret|password|passwd|pwd|api_?key|access_?key|signature|credentials?)"
_ASSIGNED = re.compile(rf"((?:[?&;#](?:key|sig|auth)|(?<![A-Za-z0-9])[\w.-]*{_SECRET})=)[^\s&;'\"#,]+", re.IGNORECASE)
# Of the words of a command line, parts of a value.
_QUOTED_OR_HOME = re.compile(r"(?<=[=,\[])(?:(['\"])(?:\\.|(?!\1).)*\1|~[^,\[\]]*)", re.DOTALL)
_KEY = re.compile(rf"[\w.-]*{_SECRET}", re.IGNORECASE)
_OF_ENVIRONMENT = re.compile(r"(?:^|_)(?:TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
# The folders of an absolute path, also in an address of a file.
_ABOVE = re.compile(
    r"(?:(?<![\w/.~*-])|(?<=:///)|(?<=file://))/(?:[^/\s'\",:]+/)+|(?<!\w)[A-Za-z]:\\(?:[^\\\s'\",:]+\\)+"
)
LEAST = 8  # characters of a secret of the environment that is looked for everywhere
# Characters of ours and of progress bars, for terminals that lack them.
ASCII = {"•": "-", "…": "...", "━": "-", "─": "-"}
PLAINLY = "unet_lightning.plainly"  # how a stream writes what its encoding lacks


def shown(text: object, keep: str = "") -> str:
    r"""Text with what a terminal or a page would obey as an escape: `\n`, `\x1b`; `keep` names characters to leave."""
    return OBEYED.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), str(text))


def _escape(character: str) -> str:
    number = ord(character)
    byte = 0xDC80 <= number <= 0xDCFF  # of a name in another encoding
    return f"\\x{number - 0xDC00:02x}" if byte else character.encode("unicode_escape").decode("ascii")


def some(names: Sequence[object], most: int = 10) -> str:
    """The first names, and how many more there are, for messages."""
    return ", ".join(map(str, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def as_id(name: str) -> str:
    """The id of an image by the name of its file, to show, to store, and to type.

    The same for both Unicode forms of an accent: macOS takes a letter and its accent apart. A long one is shortened.
    """
    text = shown(unicodedata.normalize("NFC", name))
    if len(text.encode("utf-8")) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
    return f"{text.encode('utf-8')[: LONGEST - 13].decode('utf-8', 'ignore')}-{digest}"


def as_cell(value: Any) -> Any:
    """A cell of a CSV file: text that spreadsheets would take for a formula is marked as text, by a quote."""
    if not isinstance(value, str):
        return value
    value = shown(value, keep="\t\r\n")  # a cell may be shown by a terminal
    if not value.startswith(("=", "+", "-", "@", "\t", "\r", "'")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def from_cell(cell: str) -> str:
    """What `as_cell` was given."""
    return cell[1:] if cell[:1] == "'" and as_cell(cell[1:]) == cell else cell


def override_value(text: object) -> str:
    """Text as the value of an override that Hydra reads back as it is: quoted where it would read something else."""
    value = str(text)
    if PLAIN_VALUE.fullmatch(value) and value.lower() not in ("null", "true", "false", "nan", "inf"):
        return value
    # Of backslashes Hydra takes those before a quote alone for escapes, of dollars OmegaConf those before a brace.
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + "\\'" * bool(found[2]), value)
    return f"'{escaped}'".replace("${", r"\${")


def at_home(words: Iterable[str]) -> list[str]:
    """A command line with ~ for the home folder where a shell leaves it: behind an equals sign, and within a list."""
    return [_at_home(word) for word in words]


def _at_home(word: str) -> str:
    option, sign, value = word.partition("=")
    if word.startswith(("~/", "~\\", "--")):
        return f"{os.path.expanduser(option)}{sign}{os.path.expanduser(value)}"
    return _QUOTED_OR_HOME.sub(_expanded, word) if sign else word


def _expanded(found: re.Match[str]) -> str:
    """A part of a value: one in quotes, which begins with the home folder or stays as it is, or one that begins so."""
    if found[1]:
        return re.sub(r"^(.)~(?=[/\\])", lambda home: home[1] + os.path.expanduser("~"), found[0])
    return override_value(os.path.expanduser(found[0]))


def masked(text: object) -> str:
    """Text without the passwords and tokens of addresses, of assignments and of the environment."""
    found = str(text)
    for name, value in os.environ.items():
        if len(value) >= LEAST and _OF_ENVIRONMENT.search(name):
            found = found.replace(value, MASK)
    return _ASSIGNED.sub(rf"\g<1>{MASK}", _USER.sub(f"{MASK}@", found))


def without_secrets(value: Any, written: Callable[[str], str] = str, key: str = "") -> Any:
    """Plain values, such as a config, with the secrets in their texts masked; `written` changes the texts further."""
    if isinstance(value, Mapping):
        return {name: without_secrets(item, written, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(item, written, key) for item in value]
    if not isinstance(value, str):
        return value
    return MASK if value and _KEY.fullmatch(key) else written(masked(value))


def published(text: object, keep: str = "") -> str:
    """Text for others to read: no secrets, no user of an address, of a path from the root the last part alone."""
    found = _NAME.sub("", shown(masked(text), keep))
    if PurePath(found).is_absolute() and not re.search(r"[:,;.] ", found):
        return PurePath(found).name
    for place in (Path.cwd(), Path.home()):
        if len(place.parts) > 1:
            found = found.replace(f"{place}{os.sep}", "")
    return _ABOVE.sub("", found)


def as_message(text: object) -> str:
    """A message on one line, as it may be shown."""
    return shown(masked(text))


def as_lines(text: str) -> str:
    """Several lines, such as a traceback, as they may be shown."""
    return shown(masked(text), keep="\n\t")


class Formatter(logging.Formatter):
    """Lines of a log, as they may be shown; several where the message has several."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return as_lines(super().format(record))


class Console(logging.StreamHandler[Any]):
    """Prints a log; what cannot be printed ends the program as it does for `print`, instead of a traceback a line."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Raises what `emit` has caught, once: how a run ends is still to be noted."""
        if not isinstance(sys.exc_info()[1], OSError):
            return super().handleError(record)
        self.setLevel(logging.CRITICAL + 1)
        raise


def speak_plainly() -> None:
    """Lets this process show any text on any terminal, and keeps secrets out of its last words."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAINLY)
    sys.excepthook = _last_words


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints a traceback, as Python does."""
    lines = "".join(traceback.format_exception(kind, error, trace))
    print(as_lines(lines), end="", file=sys.stderr, flush=True)


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = "".join(ASCII.get(one) or one.encode("ascii", "backslashreplace").decode("ascii") for one in lacking)
    return plain, error.end


codecs.register_error(PLAINLY, _plainly)
