"""Spoils files and values at random: what a broken disk, a torn download or an ill-meaning stranger leaves."""

import copy
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch

CANARY = "ran-by-a-file"  # the folder that hostile values try to make; nothing may
TEXTS = [
    "",
    "x" * 10_000,
    "../../../etc/passwd",
    "/etc/passwd",
    "\0",
    "${oc.env:HOME}",
    "${a}",
    "nan",
    "é\u202e",
    "1e999",
]
NUMBERS = [None, True, -1, 0, 1, 2**31, 2**63, 10**40, -(10**400), 0.5, 1e308, float("nan"), float("inf"), 10**5]
TOKENS = [b"&a ", b"*a ", b"!!python/object/apply:os.mkdir [%s]" % CANARY.encode(), b"<<: ", b"[" * 3000, b"{" * 3000]
TOKENS += [
    b"${oc.env:HOME}",
    b"null",
    b"1" * 5000,
    b"-1",
    b"1e999",
    b"NaN",
    b"\xff\xfe",
    b"\0",
    b",",
    b'"',
    b"\n",
    b": ",
]
TOKENS += [
    b"_target_: os.mkdir",
    b"hydra:\n  callbacks: {}\n",
    b"!!timestamp 2026-99-99",
    b"\t",
    b"=",
    b"@",
    b"+",
    b"~",
]
EXTREMES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1]


def spoil(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A file with one to four faults.

    Args:
        data: the file.
        others: files of which parts may be put in.
        rng: chance.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        data = rng.choice(FAULTS)(data or b"\0", others, rng)
    return data


def _span(data: bytes, rng: random.Random) -> slice:
    """A part of a file, small ones more often."""
    start = rng.randrange(len(data))
    return slice(start, min(len(data), start + int(2 ** rng.uniform(0, 12))))


def _flip(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Bits turned over."""
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _cut(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The end is missing, or is nothing but zeros."""
    kept = data[: rng.randrange(len(data))]
    return kept if rng.random() < 0.7 else kept.ljust(len(data), b"\0")


def _remove(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A part is missing."""
    part = _span(data, rng)
    return data[: part.start] + data[part.stop :]


def _repeat(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A part stands there several times."""
    part = _span(data, rng)
    return data[: part.stop] + data[part] * rng.choice((1, 1, 2, 50)) + data[part.stop :]


def _splice(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A part of another file, in place of a part of this one."""
    part, other = _span(data, rng), rng.choice(others)
    return data[: part.start] + other[_span(other, rng)] + data[part.stop :]


def _extreme(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A field is 0, all ones, or a sign bit; half of the time near the beginning or the end, where lengths stand."""
    kind = rng.choice(("B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(kind)
    near = min(len(data), rng.choice((32, 128, 512)))
    offset = rng.choice((rng.randrange(len(data)), rng.randrange(near), len(data) - 1 - rng.randrange(near)))
    field = struct.pack(kind, rng.choice(EXTREMES) & (256**size - 1))
    return data[:offset] + field + data[offset + size :]


def _insert(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Bytes of chance, or words that parsers know."""
    offset = rng.randrange(len(data) + 1)
    new = rng.randbytes(rng.randint(1, 40)) if rng.random() < 0.5 else rng.choice(TOKENS)
    return data[:offset] + new + data[offset:]


def _swap(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Two parts have changed places."""
    first, second = sorted((_span(data, rng), _span(data, rng)), key=lambda part: part.start)
    if first.stop > second.start:
        return data[::-1]
    middle = data[first.stop : second.start]
    return data[: first.start] + data[second] + middle + data[first] + data[second.stop :]


FAULTS: list[Callable[[bytes, Sequence[bytes], random.Random], bytes]] = [
    _flip,
    _flip,
    _cut,
    _remove,
    _repeat,
    _splice,
    _extreme,
    _extreme,
    _extreme,
    _insert,
    _swap,
]


def spoil_png(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A PNG with spoilt chunks whose checksums are right, so that what is behind them is reached."""
    chunks, offset = [], 8
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        chunks.append((data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + length]))
        offset += 12 + length
    for _ in range(rng.randint(1, 3)):
        number = rng.randrange(len(chunks))
        name, content = chunks[number]
        fault = rng.randrange(5)
        if fault == 0 and content:
            chunks[number] = (name, spoil(content, others, rng))
        elif fault == 1:
            chunks.insert(rng.randrange(len(chunks) + 1), chunks[number])
        elif fault == 2 and len(chunks) > 1:
            del chunks[number]
        elif fault == 3 and name == b"IDAT":  # rows of another number, packed well
            chunks[number] = (name, zlib.compress(bytes(rng.choice((0, 10, 10**5, 10**7)))))
        else:
            extra = rng.choice((b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"gAMA", b"acTL", b"fdAT"))
            chunks.insert(rng.randrange(len(chunks) + 1), (extra, rng.randbytes(rng.choice((0, 3, 13, 800)))))
    body = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return data[:8] + b"".join(body)


def spoil_tiff(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A TIFF with spoilt entries in its directory."""
    order = "<" if data[:2] == b"II" else ">"
    spoilt = bytearray(data)
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    if start + 2 > len(data):
        return spoil(data, others, rng)
    (number,) = struct.unpack_from(f"{order}H", data, start)
    for _ in range(rng.randint(1, 3)):
        entry = start + 2 + 12 * rng.randrange(max(1, number))
        form, offset = rng.choice((("H", 0), ("H", 2), ("I", 4), ("I", 8), ("H", 8)))
        value = rng.choice([*EXTREMES[:11], 8, 16, 256, 257, 258, 259, 277, 322, rng.randrange(2**16)])
        if entry + 12 <= len(spoilt):
            limit = 0xFFFF if form == "H" else 0xFFFFFFFF
            struct.pack_into(f"{order}{form}", spoilt, entry + offset, value & limit)
    return bytes(spoilt)


def spoil_value(value: Any, rng: random.Random, tensors: bool = False) -> Any:
    """Plain values with one to three of them replaced, removed, renamed or doubled.

    Args:
        value: dicts, lists and what is in them; left as it is.
        rng: chance.
        tensors: whether hostile tensors may be put in.
    """
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = _places(value)
        if not places:
            return odd(rng, tensors)
        home, key = rng.choice(places)
        what = rng.random()
        if what < 0.7:
            home[key] = odd(rng, tensors)
        elif what < 0.8:
            del home[key]
        elif isinstance(home, dict) and what < 0.9:
            home[rng.choice([*TEXTS, "_target_", "_partial_", "seed", "hydra", "defaults"])] = home.pop(key)
        else:
            home[key] = copy.deepcopy(rng.choice(places)[0])  # a whole section in the place of a value
    return value


def odd(rng: random.Random, tensors: bool = False) -> Any:
    """A value that nobody expects."""
    deep: Any = []
    for _ in range(rng.choice((2, 60))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    kinds = [rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice(NUMBERS), [], {}, deep, [rng.choice(NUMBERS)] * 3]
    kinds += [{"_target_": "os.mkdir", "path": CANARY}, {"_target_": "torch.nn.Linear", "in_features": 10**6}]
    kinds += [{"_target_": rng.choice(("unet_lightning.data.archive.import_drive", "builtins.eval", "torch.nn.LSTM"))}]
    if tensors:
        kinds += [torch.zeros(1).expand(10**6, 10**6), torch.zeros(3, 3).to_sparse(), torch.full((2, 2), float("nan"))]
        kinds += [torch.zeros(2, dtype=torch.complex64), torch.zeros(10**5, device="meta"), torch.zeros(())]
    return rng.choice(kinds)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (mapping or list, key) within a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found += [(value, key), *_places(value[key])]
    return found
