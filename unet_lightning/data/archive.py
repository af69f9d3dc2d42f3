"""The official DRIVE archives into a data folder: all of it checked, or nothing written."""

import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from PIL import Image

from unet_lightning.data.drive import SIZE, expected_files
from unet_lightning.data.reading import FORMATS, read_binary, read_photo
from unet_lightning.errors import DataError, UserError

MOST_FILES = 2_000  # DRIVE has 140
MOST_BYTES = 2 * 1024**3  # unpacked; DRIVE has 30 MB
MOST_RATIO = 200  # unpacked to packed, of any one file
DEEPEST = 2  # zips within a zip
MODES = {"photo": ("RGB",), "fov": ("L", "1", "P"), "label": ("L", "1", "P"), "second_label": ("L", "1", "P")}


def import_drive(archives: Sequence[Path], out: Path) -> Path:
    """Unpacks the official archives into `out`/DRIVE.

    Args:
        archives: training.zip and test.zip, or one zip that holds them; in any order.
        out: folder that gets DRIVE/.

    Returns:
        the new folder with training/ and test/.

    Raises:
        DataError: an archive is missing, broken or hostile; a file is missing or not what it should be; DRIVE/ is
            already there. Nothing is left behind.
    """
    target = out / "DRIVE"
    if target.exists():
        raise DataError(f"{target} is already there: remove it first, or use it (data.root={target}).")
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    try:
        _import(archives, out, target)
    except BaseException:
        for folder in missing:  # the innermost first
            folder.rmdir()
        raise
    return target


def _import(archives: Sequence[Path], out: Path, target: Path) -> None:
    """Unpacks beside the target, checks, and renames."""
    # Within `out`, so that the last step is a rename on one file system.
    with TemporaryDirectory(prefix=".drive-", dir=out) as temporary:
        loose, ready = Path(temporary) / "loose", Path(temporary) / "DRIVE"
        room = MOST_BYTES
        for archive in archives:
            room = unpack(archive, loose, room=room)
        collect(loose, ready)
        os.rename(ready, target)


def unpack(archive: Path, folder: Path, depth: int = 0, room: int = MOST_BYTES) -> int:
    """Unpacks a zip, and the zips within it.

    Args:
        archive: the zip.
        folder: what is unpacked goes below it.
        depth: zips around this one.
        room: bytes that may still be unpacked.

    Returns:
        the room that is left.

    Raises:
        DataError: no zip, or one that is broken, names a place outside the folder, a link, a file twice, or more
            than an archive of photographs can hold.
    """
    with _open(archive) as file:
        members = [member for member in file.infolist() if not member.is_dir() and not _is_litter(member.filename)]
        check_members(archive, members, room)
        room -= sum(member.file_size for member in members)
        for member in members:
            path = folder / member.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                raise DataError(f"{archive} holds {member.filename}, which came before. Give each archive once.")
            with file.open(member) as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            if path.suffix.lower() == ".zip":
                if depth == DEEPEST:
                    raise DataError(f"{archive} holds zips within zips within zips: not an archive of DRIVE.")
                room = unpack(path, folder, depth + 1, room)
                path.unlink()
    return room


def check_members(archive: Path, members: Sequence[zipfile.ZipInfo], room: int = MOST_BYTES) -> None:
    """Raises DataError for what no honest archive holds; nothing is unpacked yet."""
    names = [member.filename for member in members]
    if len(names) != len(set(names)):
        raise DataError(f"{archive} names a file twice: not an official archive.")
    if len(members) > MOST_FILES or sum(member.file_size for member in members) > room:
        raise DataError(f"{archive} is far larger than DRIVE (over {MOST_FILES} files or 2 GiB): it was not unpacked.")
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
            raise DataError(f"{archive} holds a file that leads outside: {member.filename}. It was not unpacked.")
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise DataError(f"{archive} holds a link: {member.filename}. It was not unpacked.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{archive} holds a file packed in an unusual way: {member.filename}. It was not unpacked.")
        if member.file_size > MOST_RATIO * max(member.compress_size, 1) and member.file_size > 1024**2:
            raise DataError(f"{archive} holds a file that unpacks {MOST_RATIO}-fold: {member.filename}.")


def collect(loose: Path, ready: Path) -> None:
    """Moves the files of DRIVE from wherever they were unpacked into DRIVE's layout, each checked.

    Raises:
        DataError: a file is missing or wrong; the labels of the test images may be missing, all or none.
    """
    found: dict[str, Path] = {}
    for path in sorted(loose.rglob("*")):
        # training/images/21_training.tif, whatever stands before it.
        found.setdefault("/".join(path.parts[-3:]), path)
    for number in range(1, 41):
        for what, name in expected_files(number).items():
            if name not in found:
                if number <= 20 and what in ("label", "second_label") and not _any_label(found, what):
                    continue  # today's download has no labels for test
                raise DataError(
                    f"The archives lack {name}. Give both training.zip and test.zip as downloaded; nothing was written."
                )
            check_file(found[name], what, name)
            path = ready / name
            path.parent.mkdir(parents=True, exist_ok=True)
            found[name].rename(path)


def check_file(path: Path, what: str, name: str) -> None:
    """Raises DataError where a file has another size or mode than DRIVE's, or more than two values in a mask."""
    try:
        size = (read_photo(path) if what == "photo" else read_binary(path, what)).shape[-2:]
        with Image.open(path, formats=FORMATS) as image:
            mode = image.mode
    except UserError as error:
        raise DataError(f"{name} in the archives is not as expected; nothing was written. {error}") from error
    if tuple(size) != SIZE or mode not in MODES[what]:
        raise DataError(
            f"{name} in the archives is {size[0]} x {size[1]} (height x width) with mode {mode}, expected "
            f"{SIZE[0]} x {SIZE[1]} with {' or '.join(MODES[what])}; nothing was written."
        )


def _any_label(found: dict[str, Path], what: str) -> bool:
    """Whether any test image has a label of this observer."""
    return any(expected_files(number)[what] in found for number in range(1, 21))


def _is_litter(name: str) -> bool:
    """What macOS and Windows leave in zips."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db")


@contextmanager
def _open(archive: Path) -> Iterator[zipfile.ZipFile]:
    """The zip; what zipfile finds wrong with it becomes a DataError."""
    if not os.path.isfile(archive):
        raise DataError(f"No archive: looked for {archive}.")
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except UserError:
        raise
    except OSError as error:
        raise DataError(f"{archive} cannot be unpacked: {error.strerror or error}. Nothing was written.") from error
    except Exception as error:  # a parser stumbles in many ways over a broken file
        raise DataError(f"{archive} is no zip, or a broken one ({str(error)[:200]}). Download it again.") from error
