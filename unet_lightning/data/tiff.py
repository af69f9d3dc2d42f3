"""Which TIFF files are surely read right: of some kinds Pillow makes other pixels without a word."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

from PIL.TiffImagePlugin import ImageFileDirectory_v2

REMEDY = "Save it as PNG of 8 or 16 bits: `magick IN OUT.png`."
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_PARTS = 20  # thumbnails and masks that one picture may have
IMAGEJ_STACK = re.compile(r"ImageJ=[^\0]*?\nimages=(\d{1,9})\b")
REDUCED, MASK = 1, 4  # bits of NewSubfileType
SUBFILE, BITS, COMPRESSION, PHOTOMETRIC, FILL, DESCRIPTION = 254, 258, 259, 262, 266, 270
SAMPLES, PLANES, FORMAT, SUBSAMPLING, DEPTH = 277, 284, 339, 530, 32997
WIDTH, LENGTH, ORIENTATION, ROWS, PREDICTOR = 256, 257, 274, 278, 317
TILE_WIDTH, TILE_LENGTH, EXTRA = 322, 323, 338
TAGS = (
    *(SUBFILE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL, DESCRIPTION, ORIENTATION, SAMPLES, ROWS, PLANES),
    *(PREDICTOR, TILE_WIDTH, TILE_LENGTH, EXTRA, FORMAT, SUBSAMPLING, DEPTH),
)
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
UNCOMPRESSED, JPEG = 1, 7
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
# Bits a sample that are read right, by PhotometricInterpretation and the number of samples, those of alpha too.
READ_RIGHT: dict[tuple[Any, Any], Sequence[int]] = {
    (WHITE_IS_ZERO, 1): (1, 2, 4, 8),
    (BLACK_IS_ZERO, 1): (1, 2, 4, 8, 12, 16, 32),
    (BLACK_IS_ZERO, 2): (8,),
    (RGB, 3): (8, 16),
    (RGB, 4): (8, 16),
    (PALETTE, 1): (1, 2, 4, 8),
    (CMYK, 4): (8, 16),
    (YCBCR, 3): (8,),
}


def misread(tags: Mapping[int, Any], little_endian: bool) -> str:
    """The layout of an image that may be misread, in words; empty where it is read right.

    Args:
        tags: of the image, by number.
        little_endian: whether the file's lower bytes come first.
    """
    each = tags.get(BITS, (1,))
    samples, planes, compression = tags.get(SAMPLES, len(each)), tags.get(PLANES, 1), tags.get(COMPRESSION, 1)
    bits, kinds, photometric = max(each), {*tags.get(FORMAT, (UNSIGNED,))}, tags.get(PHOTOMETRIC)
    several, number = samples > 1, kinds == {SIGNED} or bits == 32
    right = (
        min(each) == bits in READ_RIGHT.get((photometric, samples), ())
        and (kinds == {UNSIGNED} or (kinds == {SIGNED} and bits in (16, 32)) or (kinds == {FLOAT} and bits == 32))
        and (not several or planes == 1 or (photometric, samples, bits) == (RGB, 3, 8))
        and (little_endian or not number or compression == UNCOMPRESSED)  # else libtiff's bytes are turned once more
        and (tags.get(FILL, 1) == 1 or bits <= 8)
        and (photometric != YCBCR or compression == JPEG or tags.get(SUBSAMPLING) == (1, 1))
    )
    if right:
        return ""
    kind = {UNSIGNED: "unsigned", SIGNED: "signed", FLOAT: "floating-point"}.get(min(kinds, default=0), "undefined")
    return (
        f"{samples} {kind} samples of {bits} bits a pixel, PhotometricInterpretation {photometric}, "
        f"PlanarConfiguration {planes}, Compression {compression}"
    )


def several_pages(image: Any) -> bool:
    """Whether an opened TIFF holds more than one picture; thumbnails and masks of the first are none of their own.

    ImageJ and others store a stack behind the tags of its first picture alone.
    """
    first, *others = _directories(image.fp, MAX_PARTS + 2)
    several = first.get(DEPTH, 1) > 1 or _is_stack(first) or len(others) > MAX_PARTS
    return bool(several or _is_part(first) or not all(map(_is_part, others)))


def pictures(file: IO[bytes], most: int) -> list[Mapping[int, Any]]:
    """The tags of the pictures in a file, without the thumbnails and masks of a single one.

    None where there are over `most`, or a stack lies behind the tags of its first picture.
    """
    pages = _directories(file, most + MAX_PARTS + 1)
    found = [tags for tags in pages if not _is_part(tags)]
    whole = len(pages) <= most + MAX_PARTS and pages[:1] == found[:1]
    alone = len(found) == 1 and not _is_stack(found[0])
    return found if whole and (alone or len(found) == len(pages)) else []


def is_untagged(path: Path) -> bool:
    """Whether a file is a TIFF, of whatever kind, whose first picture has no orientation or is upright."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in MAGIC:
                return False
            return all(tags.get(ORIENTATION, 1) == 1 for tags in _directories(file, 1))
    except Exception:  # a broken file may raise anything in the parser; who reads it says so
        return False


def unopened(path: Path) -> str:
    """What `misread` says of a TIFF that Pillow does not open at all; empty where it is no whole TIFF."""
    with path.open("rb") as file:
        little_endian = file.read(2) == b"II"
        tags = next(iter(_directories(file, 1)), {})
    return misread(tags, little_endian) if PHOTOMETRIC in tags else ""


def _directories(file: IO[bytes], most: int) -> list[Mapping[int, Any]]:
    """The tags of each page, of `most` pages at most."""
    with warnings.catch_warnings():  # of what is odd in a file, the pixels tell
        warnings.simplefilter("ignore")
        return list(islice(_pages(file), most))


def _pages(file: IO[bytes]) -> Iterator[Mapping[int, Any]]:
    file.seek(0)
    head = file.read(8)
    tags, seen = ImageFileDirectory_v2(head + (file.read(8) if head[2:3] == b"+" else b"")), set[int]()  # +: BigTIFF
    while tags.next and tags.next not in seen:
        seen.add(tags.next)
        file.seek(tags.next)
        tags.load(file)
        yield {tag: tags.get(tag) for tag in TAGS if tag in tags}


def _is_stack(tags: Mapping[int, Any]) -> bool:
    """Whether ImageJ has stored further pictures behind the tags of this one."""
    stack = IMAGEJ_STACK.match(str(tags.get(DESCRIPTION, "")))
    return bool(stack and int(stack[1]) > 1)


def _is_part(tags: Mapping[int, Any]) -> bool:
    """Whether a page is a smaller version or a mask of another one."""
    return bool(tags.get(SUBFILE, 0) & (REDUCED | MASK))
