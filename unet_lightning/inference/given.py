"""Files that a command names, themselves or by their folder: photographs, what is none, and what is left out."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unet_lightning.data.layout import IMAGE_SUFFIXES
from unet_lightning.text import LONGEST, as_id

SUFFIXES = (*IMAGE_SUFFIXES, ".dib", ".jfif", ".jpe")  # that are no part of a photograph's name
# What systems and programs leave in folders, thumbnails among it; and whatever begins with a dot.
LEFTOVERS = ("@eaDir", "@Recycle", "__MACOSX", "#recycle", "$RECYCLE.BIN", "Thumbs.db", "ehthumbs.db", "desktop.ini")


@dataclass
class Given:
    """What was found at the paths of a command."""

    files: list[tuple[Path, Path]] = field(default_factory=list)  # name of its pictures, without suffix, and file
    lost: list[str] = field(default_factory=list)  # what was given and cannot be predicted, with the reason
    left_out: list[Path] = field(default_factory=list)  # hidden files and folders, and leftovers


def given(paths: Sequence[str]) -> Given:
    """The files of a command and of its folders with their subfolders, sorted within a folder, each once.

    Which of them are photographs, their content tells when they are read.
    """
    found = Given()
    taken: dict[str, Path] = {}
    for path in map(Path, paths):
        is_folder = os.path.isdir(path)  # Path.is_dir raises where a name is too long
        for file in _files_below(path, found, set()) if is_folder else [path]:
            place = file.relative_to(path).parent if is_folder else Path()
            # The other where a.jpg lies beside a.png.
            names = [place / _short(_without_suffix(file.name)), place / _short(file.name)]
            name = next((one for one in names if _is_free(one, file, taken)), None)
            earlier = taken.get(_key(names[0]))
            if name is not None:
                taken[_key(name)] = file
                found.files.append((name, file))
            elif earlier is not None and os.path.realpath(earlier) != os.path.realpath(file):
                found.lost.append(f"{file}: its pictures would overwrite those of {earlier}. Give it another --out.")
    return found


def _is_free(name: Path, file: Path, taken: dict[str, Path]) -> bool:
    """Whether pictures of a file may have a name; the longer name is for files of one folder."""
    earlier = taken.get(_key(name.parent / _short(_without_suffix(file.name))))
    beside = earlier is not None and earlier.parent == file.parent and earlier.name != file.name
    return _key(name) not in taken and (earlier is None or beside)


def _files_below(folder: Path, found: Given, above: set[str]) -> Iterator[Path]:
    """The files of a folder, then of its subfolders; what is no file is noted in `found`."""
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        found.lost.append(f"{folder}: {error.strerror}.")
        return
    folders = []
    for path in entries:
        if path.name.startswith(".") or path.name in LEFTOVERS:
            found.left_out.append(path)
        elif os.path.isdir(path):
            folders.append(path)
        elif os.path.isfile(path):
            yield path
        else:
            wrong = "a link that leads nowhere" if os.path.islink(path) else "not a file that can be read"
            found.lost.append(f"{path}: {wrong}.")
    for path in folders:
        place = os.path.realpath(path)
        if place in above or place == os.path.realpath(folder):  # a link to a folder that it is in
            found.left_out.append(path)
        else:
            yield from _files_below(path, found, {*above, os.path.realpath(folder)})


def _without_suffix(name: str) -> str:
    """The name of a file without the suffix of an image, packed by gzip or not."""
    for suffix in (".gz", *SUFFIXES):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def _short(name: str) -> str:
    """A name that leaves room for what stands behind it in the names of pictures."""
    return name if len(os.fsencode(name)) <= LONGEST else as_id(name)


def _key(name: Path) -> str:
    """What two names have in common whose files are one on this system."""
    return os.path.normcase(name)
