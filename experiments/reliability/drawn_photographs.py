"""Photographs of any number of channels, depth and layout, of which it is known what they hold: see `drawn`."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from drawn import ReadWrong, compare
from forms import Array, png
from PIL import Image

from unet_lightning.data.bands import Window
from unet_lightning.data.form import Form
from unet_lightning.data.photograph import kind_of, read_photo

TYPES = ("u1", "u1", "u2", "u2", "i2", "u4", "i4", "f2", "f4", "f8", "i1")
LARGEST = {"i1": 127, "i2": 32767, "u1": 255}


def photographs(material: Any, rng: random.Random) -> Callable[[], object]:
    """A photograph, read as it is, by a choice, or in a window."""
    height, width, count = rng.randint(1, 40), rng.randint(1, 40), rng.choice((1, 1, 2, 3, 3, 4, 5, 8, 64))
    dtype = rng.choice(TYPES)
    chance = np.random.default_rng(rng.getrandbits(32))
    numbers = chance.integers(0, LARGEST.get(dtype, 60000) + 1, (height, width, count)).astype(dtype)
    if dtype[0] == "f":
        numbers = chance.random((height, width, count)).astype(dtype)
    path, alpha = _write(material.work / "photo", numbers, rng)
    numbers = np.asarray(numbers)
    span = None if dtype == "u1" else (-40000.0, 70000.0) if dtype[0] != "f" else (0.0, 1.0)
    if dtype in ("u2", "i2") and rng.random() < 0.5:
        span = None
    form = Form(rng.choice((count, count, count - alpha or 1, 3, 1)), rng.random() < 0.5, span)
    rows, columns = sorted(rng.choices(range(height + 1), k=2)), sorted(rng.choices(range(width + 1), k=2))
    window = Window(rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])

    def run() -> None:
        found = read_photo(path, form)
        compare(found.shape, (form.channels, height, width))
        compare(found.dtype == torch.uint8, dtype == "u1")
        expected = _expected(numbers, alpha, form)
        if expected is not None and not np.allclose(found.numpy(), expected, rtol=1e-6, atol=1e-7):
            raise ReadWrong(f"{form}, alpha {alpha}: found\n{found}\nexpected\n{expected}")
        if min(window[2:]) > 0 and kind_of(path, form.channels).in_windows:
            part = found[:, rows[0] : rows[1], columns[0] : columns[1]]
            compare(read_photo(path, form, window).numpy(), part.numpy())

    return run


def _write(path: Path, numbers: Array, rng: random.Random) -> tuple[Path, bool]:
    """Writes `(H, W, C)` in a form drawn by chance; the file, and whether its last channel is transparency."""
    count, dtype = numbers.shape[2], numbers.dtype
    if dtype in (np.uint8, np.uint16) and count <= 4 and rng.random() < 0.4:
        path = path.with_suffix(".png")
        path.write_bytes(png(numbers, {1: 0, 2: 4, 3: 2, 4: 6}[count], 8 * dtype.itemsize))
        return path, count in (2, 4)
    if dtype == np.uint8 and count in (1, 3) and rng.random() < 0.2:
        Image.fromarray(numbers.squeeze(2) if count == 1 else numbers).save(path := path.with_suffix(".bmp"))
        return path, False
    path, plane = path.with_suffix(".tif"), rng.choice(("contig", "separate"))
    colours = 3 if count >= 3 and rng.random() < 0.5 else 1
    beyond = ["unspecified"] * (count - colours)
    if beyond and rng.random() < 0.4:
        beyond[-1] = rng.choice(("unassalpha", "assocalpha"))
    if rng.random() < 0.1:
        with tifffile.TiffWriter(path) as file:
            for page in numbers.transpose(2, 0, 1):
                file.write(np.ascontiguousarray(page), photometric="minisblack", metadata=None)
        return path, False
    how: dict[str, Any] = {"photometric": "rgb" if colours == 3 else "minisblack", "metadata": None}
    how |= {"compression": rng.choice((None, "zlib")), "tile": rng.choice((None, (16, 16), (32, 16)))}
    how |= {} if how["tile"] else {"rowsperstrip": rng.randint(1, 50)}
    how |= {"predictor": True} if how["compression"] and dtype.kind in "iu" and rng.random() < 0.4 else {}
    if count > 1:
        how |= {"planarconfig": plane} | ({"extrasamples": beyond} if beyond else {})
    data = numbers[..., 0] if count == 1 else numbers if plane == "contig" else numbers.transpose(2, 0, 1)
    tifffile.imwrite(path, np.ascontiguousarray(data), byteorder=rng.choice("<>"), bigtiff=rng.random() < 0.1, **how)
    return path, bool(beyond) and beyond[-1] != "unspecified"


def _expected(numbers: Array, alpha: bool, form: Form) -> Array | None:
    """What must be read, `(C, H, W)`; None where colours become grey, whose weights are not checked here."""
    low, high = {"u1": (0, 255), "u2": (0, 65535), "i2": (-32768, 32767)}.get(numbers.dtype.str[1:], (0, 1))
    low, high = form.value_range or (low, high)
    levels = numbers.astype(np.float64).transpose(2, 0, 1)
    shares = levels if numbers.dtype == np.uint8 else (levels - low) / (high - low)
    if alpha and form.channels != len(shares):
        shares = shares[:-1]
    if len(shares) == form.channels:
        return np.asarray(shares)
    if form.channels == 3:  # grey, or three bands of four
        return np.repeat(shares, 3, axis=0) if len(shares) == 1 else np.asarray(shares[:3])
    return None
