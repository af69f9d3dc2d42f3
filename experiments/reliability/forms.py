"""Writes numbers in every form of picture that programs make: palettes, depths, layouts, pages."""

import gzip
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

IGNORE = 255
RAMP = [(grey, grey, grey) for grey in range(256)]
VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
Array = NDArray[Any]


def write(path: Path, drawn: Array, most: int, rng: random.Random) -> Path:
    """Writes numbers 0 to `most` (and 255) in a form that is drawn by chance, and gives the file's path."""
    path = rng.choice(FORMS)(path, drawn, most, rng)
    if rng.random() < 0.05:
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        return packed
    return path


def levels(drawn: Array, most: int, white: int, rng: random.Random) -> Array:
    """What is stored of numbers in a grey image: of a mask any white that programs take, of classes themselves."""
    return drawn * rng.choice((1, white)) if most == 1 else drawn


def of_palette(path: Path, drawn: Array, most: int, rng: random.Random) -> Path:
    """Indices with colours: of all greys, of classes, of chance; black and white in any place."""
    how = rng.choice(("ramp", "voc", "dark", "chance", "black and white"))
    colours, indices = {"ramp": RAMP, "voc": [*VOC, *VOC * 63]}.get(how, [(0, 0, 0)] * 256), drawn
    if how == "dark":
        colours = [tuple(rng.randint(0, 8) for _ in range(3)) for _ in range(256)]
    if how == "chance":
        colours = [tuple(rng.randint(60, 200) for _ in range(3)) for _ in range(256)]
    if how == "ramp" and most == 1 and rng.random() < 0.5:
        indices = drawn * 255
    if how == "black and white" and most == 1:  # the colours say what is meant, not the indices
        black, white = rng.sample(range(4), 2)
        colours = [(99, 0, 50)] * 4
        colours[black] = tuple(rng.randint(0, 8) for _ in range(3))
        colours[white] = tuple(rng.randint(247, 255) for _ in range(3))
        if colours[black] in ((0, 0, 0), (1, 1, 1)) or {black, white} != {0, 1}:
            colours[black] = (3, 0, 2)
        indices = np.where(drawn > 0, white, black).astype(np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette([level for colour in colours for level in colour])
    # Nothing tells what the one index of a GIF was that is left when nearly black colours without use are gone.
    unsure = how in ("dark", "black and white") and len(np.unique(indices)) == 1
    path = path.with_suffix(rng.choice((".png", ".png" if unsure else ".gif", ".tif", ".bmp")))
    see_through: dict[str, Any] = {}
    if path.suffix == ".png" and rng.random() < 0.2:
        see_through["transparency"] = bytes(rng.randrange(256) for _ in range(2))
    image.save(path, **see_through, **({"optimize": rng.random() < 0.5} if path.suffix == ".gif" else {}))
    return path


def of_pillow(path: Path, drawn: Array, most: int, rng: random.Random) -> Path:
    """A mode and a format of Pillow's."""
    mode = rng.choice(("1", "L", "I;16", "I", "F", "RGB", "RGBA", "LA", "CMYK", "P", "YCbCr"))
    white = 65535 if mode == "I;16" else 255
    stored = levels(drawn.astype(np.int64), most, white, rng)
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(stored.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        grey = Image.fromarray(stored.astype(np.uint8))
        image = Image.fromarray(drawn > 0) if mode == "1" and most == 1 else grey.convert("L" if mode == "1" else mode)
    form = rng.choice(FORMATS)
    if form[0] == ".gif" and mode not in ("1", "L", "P"):
        form = FORMATS[0]  # Pillow makes other colours of few and dark ones in a GIF
    path = path.with_suffix(form[0])
    try:
        image.save(path, **form[1])
    except (OSError, ValueError, KeyError):  # not every format has every mode
        path = path.with_suffix(".png")
        grey = Image.fromarray(levels(drawn, most, 255, rng))
        grey.save(path)
    return path


FORMATS: list[tuple[str, dict[str, Any]]] = [
    (".png", {}), (".gif", {}), (".bmp", {}), (".webp", {"lossless": True}), (".webp", {}), (".jpg", {"quality": 100}),
    (".jpg", {"quality": 60}), (".pgm", {}), (".tif", {}), (".tif", {"compression": "tiff_lzw"}),
    (".tif", {"compression": "packbits"}), (".tif", {"compression": "group4"}), (".tif", {"compression": "jpeg"}),
]  # fmt: skip


def of_netpbm(path: Path, drawn: Array, most: int, rng: random.Random) -> Path:
    """A PGM of any white, in bytes or as text, or a PBM."""
    height, width = drawn.shape
    if rng.random() < 0.2:
        Image.fromarray(drawn > 0).save(path := path.with_suffix(".pbm"))
        return path
    white, plain = rng.choice((most, most + 1, 7, 100, 255, 256, 4095, 65535)), rng.random() < 0.5
    stored = np.minimum(levels(drawn.astype(np.int64), most, white, rng), white)
    if not np.array_equal(stored % max(1, white), stored) and most > 1 and (drawn > white).any():
        stored = np.where(drawn == IGNORE, 0, drawn)
        drawn[...] = stored
    body = (
        " ".join(map(str, stored.flat)).encode() if plain else stored.astype(">u2" if white > 255 else "u1").tobytes()
    )
    path = path.with_suffix(".pgm")
    path.write_bytes(b"P%d\n%d %d\n%d\n" % (2 if plain else 5, width, height, white) + body)
    return path


def of_png(path: Path, drawn: Array, most: int, rng: random.Random) -> Path:
    """A PNG of any depth and kind of colour, made by hand."""
    kind, bits = rng.choice(
        ((0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16))
    )
    white = 2**bits - 1
    if most > white or (most > 1 and (drawn > white).any()):
        kind, bits, white = 0, 8, 255
    stored = levels(drawn.astype(np.int64), most, white, rng)
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    pixels = np.repeat(stored[..., None], channels, axis=2)
    if kind == 2 and rng.random() < 0.3:
        pixels[..., rng.randrange(3)] = 0  # a colour
    if kind in (4, 6):
        pixels[..., -1] = white if rng.random() < 0.7 else stored
    path = path.with_suffix(".png")
    path.write_bytes(png(pixels, kind, bits))
    return path


def png(pixels: Array, kind: int, bits: int) -> bytes:
    """A PNG file of numbers `(H, W, C)`, of a kind of colour (0 grey, 2 RGB, 4 grey with alpha, 6 RGBA) and a depth."""
    height, width = pixels.shape[:2]
    rows = [row.astype(">u2" if bits == 16 else "u1").tobytes() for row in pixels]
    if bits < 8:
        rows = [np.packbits((row[..., None] >> np.arange(bits)[::-1]) & 1).tobytes() for row in pixels[..., 0]]

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def of_tiff(path: Path, drawn: Array, most: int, rng: random.Random) -> Path:
    """A TIFF of any layout, of one page or several."""
    dtype = rng.choice(("u1", "u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8", "u8", "?"))
    white = 1 if dtype == "?" else 127 if dtype == "i1" else 65535 if dtype in ("u2", "u4", "i4") else 255
    if most > white or (most > 1 and (drawn > white).any()):
        dtype, white = "u1", 255
    inverted = most == 1 and dtype in ("u1", "u2", "?") and rng.random() < 0.3  # shown as it was drawn
    stored = levels(drawn.astype(np.int64), most, white, rng)
    stored = np.iinfo(dtype).max * (drawn == 0) if inverted and dtype != "?" else (drawn == 0) if inverted else stored
    page, shape = stored.astype(dtype), rng.choice(("grey", "grey", "grey", "rgb", "rgba", "alpha"))
    how: dict[str, Any] = {"photometric": "miniswhite" if inverted else "minisblack"}
    if shape != "grey" and dtype != "?" and not inverted:
        count = {"rgb": 3, "rgba": 4, "alpha": 2}[shape]
        page = np.repeat(page[..., None], count, axis=2)
        how = {
            "photometric": "minisblack" if shape == "alpha" else "rgb",
            "planarconfig": rng.choice(("contig", "separate")),
        }
        how |= {"extrasamples": [rng.choice(("unassalpha", "unspecified"))]} if shape != "rgb" else {}
        page = page.transpose(2, 0, 1) if how["planarconfig"] == "separate" else page
    how |= {"compression": rng.choice((None, "zlib")), "tile": rng.choice((None, None, (16, 16)))}
    path = path.with_suffix(".tif")
    with tifffile.TiffWriter(path, byteorder=rng.choice("<>"), bigtiff=rng.random() < 0.1) as file:
        pages = rng.choice((["this"], ["this"], ["this"], ["other", "this"], ["this", "other"], ["this", "small"]))
        for one in pages:
            part = {"subfiletype": 1} if one == "small" else {}
            file.write(page if one == "this" else np.zeros_like(page), **how, **part, metadata=None)
    return path


FORMS = (of_palette, of_pillow, of_netpbm, of_png, of_tiff)
