"""Photographs and archives that are not what they are called, or more than they seem."""

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from unet_lightning.data.archive import check_members, import_drive
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary, read_classes
from unet_lightning.errors import DataError

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(ran) (w) file\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("read", [read_photo, lambda path: read_binary(path, "mask")], ids=["photo", "mask"])
@pytest.mark.parametrize("suffix", ["eps", "png", "tif"])
def test_a_program_for_ghostscript_is_not_run_whatever_it_is_called(tmp_path, monkeypatch, read, suffix):
    asked = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *arguments, **more: asked.append(arguments))
    path = tmp_path / f"photo.{suffix}"
    path.write_bytes(EPS)
    with pytest.raises(DataError, match=r"is not an image: \S*photo"):
        read(path)
    assert not asked


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "txt"])
def test_the_content_says_the_format_not_the_suffix(tmp_path, suffix):
    Image.new("RGB", (4, 3), (10, 20, 30)).save(buffer := io.BytesIO(), "TIFF")
    (tmp_path / f"photo.{suffix}").write_bytes(buffer.getvalue())
    assert read_photo(tmp_path / f"photo.{suffix}")[:, 0, 0].tolist() == [10, 20, 30]


def png(width, height, depth, colour, rows):
    """A PNG that says what it likes of its size."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(0, 5), (100_000, 100_000), (2**31 - 1, 1), (1, 2**31 - 1)], ids=str)
def test_a_size_that_cannot_be_is_refused(tmp_path, size):
    (tmp_path / "photo.png").write_bytes(png(*size, 8, 2, zlib.compress(bytes(100))))
    with pytest.raises(DataError, match=r"(broken|no pixels|not an image|more than 119,304,646 pixels)"):
        read_photo(tmp_path / "photo.png")


MEMORY = """
import resource, sys
from pathlib import Path
from PIL import Image
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary, read_classes
from unet_lightning.errors import UserError
path, kind = Path(sys.argv[1]), sys.argv[2]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    if kind == "photo":
        read_photo(path)
    elif kind == "mask":
        read_binary(path, "mask")
    else:
        read_classes(path, "label", ["background", "vessel"])
except UserError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", ["photo", "mask", "label"])
def test_the_largest_image_of_sixteen_bits_takes_a_gigabyte_and_a_half_at_most(tmp_path, kind):
    side = 9400  # 88 million pixels; packed, a few hundred thousand bytes
    packer = zlib.compressobj(1)
    row = b"\0" + np.full(side, 0 if kind == "label" else 65535, dtype=">u2").tobytes()
    rows = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    (tmp_path / "image.png").write_bytes(png(side, side, 16, 0, rows))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path / "image.png", kind], capture_output=True, text=True, check=True
    )
    # A photograph keeps its 16 bits, as float32.
    assert int(done.stdout.split()[-1]) < (1500 if kind == "photo" else 1000), done.stdout


def test_a_name_that_no_system_allows_is_a_missing_file():
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(DataError, match="No photograph: looked for"):
            read_photo(Path(name))


def test_more_values_than_a_mask_can_have_end_the_reading(tmp_path):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"holds over 300 \(0, 1, 2, 3, \.\.\.\)"):
        read_binary(tmp_path / "mask.png", "mask")
    with pytest.raises(DataError, match=r"holds the values 0, 1, 2, 3, \.\.\."):
        read_classes(tmp_path / "mask.png", "label", ["background", "vessel"])


def zipped(path, files, packing=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("files", "packing", "said"),
    [
        ({"training/x": b"1" * 99}, zipfile.ZIP_LZMA, "packed in an unusual way"),
        ({"training": b"1", "training/images/x": b"2"}, zipfile.ZIP_STORED, "cannot be unpacked"),
        ({"x" * 300: b"1"}, zipfile.ZIP_STORED, "cannot be unpacked: File name too long"),
    ],
    ids=["lzma", "file-and-folder", "long-name"],
)
def test_an_archive_that_cannot_be_unpacked_is_refused_and_leaves_nothing(tmp_path, files, packing, said):
    archive = zipped(tmp_path / "drive.zip", files, packing)
    with pytest.raises(DataError, match=said):
        import_drive([archive], tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]


def test_a_size_that_an_archive_lies_about_is_not_unpacked(tmp_path):
    archive = zipped(tmp_path / "drive.zip", {"training/x": bytes(5000)}, zipfile.ZIP_DEFLATED)
    data = archive.read_bytes().replace(struct.pack("<I", 5000), struct.pack("<I", 50))
    archive.write_bytes(data)
    with pytest.raises(DataError, match="not a zip, or a broken one"):
        import_drive([archive], tmp_path / "out")
    assert list(tmp_path.iterdir()) == [archive]


def test_files_that_are_too_many_or_too_large_together_are_counted_over_all_archives(tmp_path):
    members = [zipfile.ZipInfo(f"{number}") for number in range(3)]
    for member in members:
        member.file_size = member.compress_size = 10
    check_members(tmp_path, members, room=30)
    with pytest.raises(DataError, match="far larger than DRIVE"):
        check_members(tmp_path, members, room=29)
