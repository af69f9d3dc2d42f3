"""Files of colours and the classes that they stand for, as annotation tools and data sets have them."""

import re
from collections.abc import Sequence
from pathlib import Path

from unet_lightning.data.description import checked_classes
from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError

IGNORED = ("ignore", "ignored", "void", "unlabelled", "unlabeled")  # names of colours that mean no class
HEX = re.compile(r"(?:#|0x)([0-9a-fA-F]{6})")


def as_number(colour: Sequence[int]) -> int:
    """Red, green and blue as 0xRRGGBB."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def hexadecimal(number: int) -> str:
    """A colour as people write it; of a grey level that is none in 8 bits, `-1`."""
    return f"#{number:06X}" if number >= 0 else str(number)


def read_colours(path: Path) -> tuple[list[str], dict[int, int]]:
    """The names of classes, background first, and the class of each colour, 0xRRGGBB, in a file.

    A line has a colour (`128 0 0`, `#800000`, or a grey level) and a name, in either order. A name may have several
    colours; pixels of one that is called void, unlabelled or ignore do not count. Where none is called background the
    first class is. A first line without a colour is a heading.

    Raises:
        ConfigError: the file cannot be read, has no colours, or a colour stands twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The file of colours {path} cannot be read: {error}.") from error
    names: list[str] = []
    colours: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        if entry is None and line.strip() and number > 1:
            raise ConfigError(
                f"Line {number} of {path} has no colour and name, such as 128 0 0 disc: {line.strip()[:80]}."
            )
        if entry is not None:
            colour, name = entry
            if colours.setdefault(colour, name) != name:
                raise ConfigError(f"{path} has the colour {hexadecimal(colour)} twice: {colours[colour]} and {name}.")
            if name not in names and name.lower() not in IGNORED:
                names.append(name)
    if not colours:
        raise ConfigError(f"{path} has no line of a colour and a name, such as 128 0 0 disc.")
    names.sort(key=lambda name: name.lower() != "background")
    classes = checked_classes(names, f"The classes in {path}")
    return classes, {colour: classes.index(name) if name in classes else IGNORE for colour, name in colours.items()}


def _entry(line: str) -> tuple[int, str] | None:
    """The colour and the name in a line."""
    words = [word for word in re.split(r"[\s,;=:]+", line.strip()) if word]
    for count in (3, 1):
        for colour, name in ((words[:count], words[count:]), (words[-count:], words[:-count])):
            hexed = HEX.fullmatch(colour[0]) if count == 1 and colour else None
            levels = [int(word) for word in colour if word.isdecimal() and int(word) <= 255]
            if name and (len(levels) == len(colour) == count or hexed):
                number = int(hexed[1], 16) if hexed else as_number((levels * 3)[:3])
                return number, " ".join(name)
    return None
