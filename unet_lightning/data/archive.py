"""Unpacks the official DRIVE archives into a data folder: either every file is checked, or nothing is written."""

import os
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from unet_lightning.commands import value_path
from unet_lightning.data.drive import SIZE, expected_files
from unet_lightning.data.opening import open_image
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary
from unet_lightning.errors import DataError, UserError
from unet_lightning.files import whole_folder

MAX_FILES = 2_000  # DRIVE has 140
MAX_UNPACKED = 2 * 1024**3  # bytes; DRIVE has 30 MB
MAX_RATIO = 200  # unpacked to packed size of a file
MAX_DEPTH = 2  # of zips within zips
PIXEL_MODES = {"photo": ("RGB",), "fov": ("L", "1", "P"), "label": ("L", "1", "P"), "second_label": ("L", "1", "P")}


def import_drive(archives: Sequence[Path], out: Path) -> Path:
    """Unpacks the official archives (training.zip and test.zip, or one zip that holds them) into `out`/DRIVE.

    UserError, and nothing left behind, where an archive is missing, broken or hostile, a file is missing or not as
    expected, DRIVE/ exists already, or nothing can be written there.
    """
    target = out / "DRIVE"
    if target.exists():
        raise DataError(f"{target} exists already: remove it first, or use it: data.root={value_path(target)}")
    if os.path.lexists(out) and not out.is_dir():
        raise DataError(f"{out} is not a folder: give --out another name.")
    with whole_folder(target) as checked, TemporaryDirectory(prefix=".drive-", dir=out) as unpacked:
        room = MAX_UNPACKED
        for archive in archives:
            room = unpack(archive, Path(unpacked), room)
        sort_files(Path(unpacked), checked)
    return target


def unpack(archive: Path, folder: Path, room: int, depth: int = 0) -> int:
    """Unpacks a zip within `depth` others, and the zips in it.

    Of `room`, the bytes that may be unpacked, it returns those that are left.
    """
    if not os.path.isfile(archive):
        raise DataError(f"No archive: looked for {archive}.")
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if not member.is_dir() and not _is_litter(member.filename)]
            check_members(archive, members, room)
            room -= sum(member.file_size for member in members)
            for member in members:
                if (folder / member.filename).exists():
                    raise DataError(f"{archive} holds {member.filename} a second time. Give each archive once.")
                path = Path(file.extract(member, folder))
                if path.suffix.lower() == ".zip":
                    if depth == MAX_DEPTH:
                        raise DataError(f"{archive} holds zips within zips within zips: not an archive of DRIVE.")
                    room = unpack(path, folder, room, depth + 1)
                    path.unlink()
    except UserError:
        raise
    except OSError as error:
        raise DataError(f"{archive} cannot be unpacked: {error.strerror or error}. Nothing was written.") from error
    except Exception as error:  # a broken file may raise anything in a parser
        raise DataError(f"{archive} is not a zip, or a broken one ({str(error)[:200]}). Download it again.") from error
    return room


def check_members(archive: Path, members: Sequence[zipfile.ZipInfo], room: int = MAX_UNPACKED) -> None:
    """Raises DataError where an archive holds what no honest one does; call it before anything is unpacked."""
    names = [member.filename for member in members]
    if len(names) != len(set(names)):
        raise DataError(f"{archive} holds two files of one name: it is not an official archive.")
    if len(members) > MAX_FILES or sum(member.file_size for member in members) > room:
        raise DataError(f"{archive} is far larger than DRIVE (over {MAX_FILES} files or 2 GiB): it was not unpacked.")
    for member in members:
        path = PurePosixPath(member.filename)
        outside = path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename
        grown = member.file_size > MAX_RATIO * max(member.compress_size, 1) and member.file_size > 1024**2
        faults = {
            "a path that leads outside": outside,
            "a link": stat.S_ISLNK(member.external_attr >> 16),
            "a file packed in an unusual way": member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            f"a file that unpacks to {MAX_RATIO} times its size": grown,
        }
        if found := [fault for fault, is_so in faults.items() if is_so]:
            raise DataError(f"{archive} holds {found[0]}: {member.filename}. It was not unpacked.")


def sort_files(unpacked: Path, target: Path) -> None:
    """Checks the files of DRIVE, and moves them into DRIVE's layout, wherever below `unpacked` they are.

    The labels of all test images may be missing.
    """
    found: dict[str, Path] = {}
    for path in sorted(unpacked.rglob("*")):
        # training/images/21_training.tif, whatever comes before it.
        found.setdefault("/".join(path.parts[-3:]), path)
    # Today's download has no test labels, older ones have all.
    in_test = {what for number in range(1, 21) for what, name in expected_files(number).items() if name in found}
    for number in range(1, 41):
        for what, name in expected_files(number).items():
            if name not in found:
                if number <= 20 and what in ("label", "second_label") and what not in in_test:
                    continue
                raise DataError(
                    f"The archives lack {name}. Give both training.zip and test.zip as downloaded; nothing was written."
                )
            _check_file(found[name], what, name)
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            found[name].rename(target / name)


def _check_file(path: Path, what: str, name: str) -> None:
    """Raises DataError where a file differs from DRIVE's in size or mode, or a mask has more than two values."""
    try:
        size = (read_photo(path) if what == "photo" else read_binary(path, what)).shape[-2:]
        mode = open_image(path, what).image.mode
    except UserError as error:
        raise DataError(f"{name} in the archives is not as expected; nothing was written. {error}") from error
    if tuple(size) != SIZE or mode not in PIXEL_MODES[what]:
        raise DataError(
            f"{name} in the archives is {size[0]} x {size[1]} (height x width) with mode {mode}, expected "
            f"{SIZE[0]} x {SIZE[1]} with {' or '.join(PIXEL_MODES[what])}; nothing was written."
        )


def _is_litter(name: str) -> bool:
    """Whether a file is one of those that macOS and Windows add to zips."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db")
