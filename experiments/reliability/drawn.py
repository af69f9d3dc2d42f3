"""Pictures in every form that programs write, of which it is known what they show: none may be read as another one."""

import random
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from forms import Array, write
from PIL import Image

from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.groups import read_groups
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.reading import read_binary, read_classes

CLASSES = ["background", "artery", "vein", "disc"]
# How stored pixels are shown under an orientation tag, and the tag that undoes it.
TURNS: dict[int, Callable[[Array], Array]] = {
    1: np.asarray, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).T, 8: np.rot90,
}  # fmt: skip
BACK = {6: 8, 8: 6}
PARTS = [
    "a",
    "B",
    "7",
    "é",
    "e\u0301",
    " ",
    ".",
    "[red]",
    "\n",
    "\x1b[31m",
    "%",
    "=",
    "'",
    '"',
    "#",
    "ü",
    "x" * 60,
    "漢",
    "-",
]


class ReadWrong(Exception):
    """Something else was read than was drawn."""


def lines(rng: random.Random, numbers: Sequence[int]) -> Array:
    """A small picture `(H, W)` uint8 of these numbers, the first as the ground; now and then all of one number."""
    height, width = rng.randint(3, 24), rng.randint(3, 24)
    drawn = np.full((height, width), numbers[0], dtype=np.uint8)
    if rng.random() < 0.08:
        return np.full_like(drawn, rng.choice(numbers))
    for number in numbers:
        row, column = rng.randrange(height), rng.randrange(width)
        drawn[row, rng.randrange(width) :] = number
        drawn[rng.randrange(height) :, column] = number
    return drawn


def masks(material: Any, rng: random.Random) -> Callable[[], object]:
    """A label of two classes."""
    drawn = lines(rng, (0, 1))
    path = write(material.work / "label", drawn, 1, rng)
    return lambda: compare(read_binary(path, "label").numpy(), drawn > 0)


def classes(material: Any, rng: random.Random) -> Callable[[], object]:
    """A label of several classes, some of whose pixels may be ignored."""
    known = CLASSES[: rng.randint(3, 4)]
    numbers = rng.sample(range(len(known)), rng.randint(1, len(known)))
    drawn = lines(rng, [*numbers, *([IGNORE] if rng.random() < 0.3 else [])])
    path = write(material.work / "label", drawn, len(known) - 1, rng)
    return lambda: compare(read_classes(path, "label", known).numpy(), drawn)


def pairs(material: Any, rng: random.Random) -> Callable[[], object]:
    """Photographs and labels under names of every kind, stored turned or not: each label belongs to its photograph."""
    for folder in ("images", "labels"):
        (material.work / folder).mkdir()
    expected: dict[str, list[tuple[int, Array]]] = {}
    for number in range(rng.randint(1, 3)):
        name = "".join(rng.choice(PARTS) for _ in range(rng.randint(1, 4)))
        drawn = lines(rng, (0, 1))
        same = {path.name for path in (material.work / "images").iterdir()}
        photo = np.stack([drawn * 200 + 40, np.full_like(drawn, 10 * number), drawn * 0], axis=2)
        turn, other = (rng.choice((1, 1, 1, *TURNS)) for _ in range(2))
        other = turn if rng.random() < 0.5 else other
        stem = f"{name}{rng.choice(('.png', '.PNG', '.tif', '.webp'))}"
        if stem in same or name.startswith("."):
            continue
        stored_turned(material.work / "images" / stem, photo, turn)
        # A program that ignores the tag draws on the pixels as they are stored.
        ignores = rng.random() < 0.3 and other == 1
        label = TURNS[BACK.get(turn, turn)](drawn) if ignores else drawn
        suffix = rng.choice((".png", ".tif", ".gif") if other == 1 else (".png", ".tif"))
        twin = unicodedata.normalize(rng.choice(("NFC", "NFD")), name)
        stored_turned(material.work / "labels" / f"{twin}{suffix}", label * 255, other)
        expected.setdefault(unicodedata.normalize("NFC", name), []).append((10 * number, drawn))

    def run() -> None:
        samples = FolderDataset(material.work, "train")
        truth = [one for several in expected.values() for one in several]
        compare(len(samples), len(truth))
        compare(len({sample.image_id for sample in samples}), len(truth))
        for sample in samples:
            (drawn,) = [drawn for green, drawn in truth if green == int(sample.image[1].max())]
            compare(sample.image[0].numpy(), drawn * 200 + 40)
            compare(sample.target.numpy(), drawn)

    return run


def groups(material: Any, rng: random.Random) -> Callable[[], object]:
    """Names of images that tell whose they are, and a pattern or a table that says how."""
    between, eyes = rng.choice(("_", "-", " ", ".", "")), rng.choice((("L", "R"), ("left", "right"), ("0", "1", "2")))
    people = [f"{rng.choice(('P', 'p', 'é', '漢'))}{number}" for number in rng.sample(range(1, 30), rng.randint(1, 6))]
    truth = {f"{person}{between or '_'}{eye}": person for person in people for eye in eyes if rng.random() < 0.8}
    names = rng.sample([*truth], len(truth)) or ["P1_L"]
    given = rng.choice((r"^(\D\d+)", r"(\w\d+)[_ .-]", r"(\d+)", r"^(.+?)[_ .-]", r"(.)"))
    if table := rng.random() < 0.5:
        given = rng.choice(("groups.csv", "GROUPS.CSV"))
        rows = [f"{name},{truth.get(name, 'P1')}" for name in rng.sample(names, len(names))]
        bom = rng.choice(("", "\ufeff"))
        (material.work / given).write_text("\n".join([f"{bom}image_id,patient", *rows]), encoding="utf-8")

    def run() -> None:
        found = read_groups(given, names, material.work)
        pairs = [(one, other) for one in names for other in names]
        together = {pair for pair in pairs if truth.get(pair[0], "P1") == truth.get(pair[1], "P1")}
        compare(sorted(found), sorted(names))
        # A pattern of less than the whole name of a person may join people, and may not part one.
        same = {pair for pair in pairs if found[pair[0]] == found[pair[1]]}
        compare(together <= same if not table else together == same, True)

    return run


def stored_turned(path: Path, shown: Array, turn: int) -> None:
    """Stores a picture so that it is shown as it is under the orientation tag `turn`."""
    planes = [TURNS[BACK.get(turn, turn)](plane) for plane in np.atleast_3d(shown).transpose(2, 0, 1)]
    stored = np.ascontiguousarray(np.stack(planes, axis=2) if shown.ndim == 3 else planes[0])
    tag = Image.Exif()
    tag[274] = turn
    how: dict[str, Any] = {"exif": tag} if turn != 1 else {}
    Image.fromarray(stored).save(path, **how, **({"lossless": True, "exact": True} if path.suffix == ".webp" else {}))


def compare(found: Any, expected: Any) -> None:
    """Raises ReadWrong where they differ."""
    if not np.array_equal(found, expected):
        raise ReadWrong(f"found\n{found}\nexpected\n{expected}")
