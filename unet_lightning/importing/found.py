"""What a reader of somebody's files gives: photographs with labels of class numbers, whatever form they had."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
Label = NDArray[np.uint8]
# A file, copied as it is; or what makes `(H, W)` or `(H, W, C)` uint8, uint16 or float32, as from a volume.
Photo = Path | Callable[[], Pixels]
Options = Mapping[str, Any]  # by name, as `threshold`


@dataclass(frozen=True)
class Labelled:
    """One photograph with its label; nothing is decoded before it is asked for."""

    image_id: str
    photo: Photo
    # Makes `(H, W)` uint8, the number of each pixel's class or IGNORE; DataError where its file is wrong.
    label: Callable[[], Label]
    source: str  # where the label stands, for messages, such as `masks/a.png`
    group: str | None = None  # the patient, where the files say so; slices of one volume are one group
    split: str | None = None  # train or test, where the files say so
    fov: Path | None = None  # a mask of the field of view


@dataclass(frozen=True)
class Found:
    """All that a reader has found in an input."""

    images: Sequence[Labelled]
    classes: Sequence[str]  # names, background first
    said: Sequence[str] = ()  # a line each: what was decided, and what was left out
    may_be_inverted: bool = False  # whether black and white could be exchanged, and nothing was said of it
    value_range: tuple[float, float] | None = None  # of photographs that have not 8 bits a channel


@dataclass(frozen=True)
class Reader:
    """One form in which people have their images; `importing/readers.py` lists all.

    Of all readers exactly one must recognise an input, else `--format` says which is meant.
    """

    name: str  # as the value of --format
    # Whether a file or a folder looks like this form: quick, by names and heads of files, and never an error.
    recognises: Callable[[Path], bool]
    # All images of an input, by the options of the command line that were given. UserError where something is
    # wrong; optional packages are imported within.
    read: Callable[[Path, Options], Found]
    takes: frozenset[str] = frozenset()  # the options that mean something to it; any other one is refused
