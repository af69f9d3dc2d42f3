"""Probability maps in every form and scale that other programs write: none may be read in another scale."""

import io
import random
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from drawn import BACK, TURNS, ReadWrong, lines, stored_turned
from forms import RAMP, Array, png
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.results.foreign import read_maps

# What programs take for probability 1, by the bits of a PNG. Shifted values of fewer bits have a white near the file's.
WHITES = {
    1: (1,),
    2: (3, 1),
    4: (15, 1),
    8: (255, 255, 255, 1, 15, 100, 127, 128),
    16: (65535, 65535, 65535, 65280, 1, 100, 255, 1000, 1023, 4095, 10_000, 16_383, 16_384, 32_767, 32_768),
}
DTYPES = (*("f2", "f4", "f8", "g", ">f4", ">f8") * 3, "u1", "<u2", ">u2", "i1", "<i8", "?", "c8", "O")
SAID = ("Is their scale right?", "and its label has ")


@dataclass(frozen=True)
class Form:
    """How a program writes maps.

    Attributes:
        write: a map `(H, W)` float64, true where nothing is measured, and a path without suffix.
        rounding: the greatest difference from what was drawn that is the form's own.
        known: whether the file's type says what is probability 1 in it; else such maps are refused, or it is said.
        transposed: whether height and width have changed places.
    """

    write: Callable[[Array, Array, Path], None]
    rounding: float
    known: bool = True
    transposed: bool = False


def as_png(rng: random.Random) -> Form:
    """Grey, colours or a palette of greys, of any depth, by the white of the file or another."""
    bits = rng.choice((1, 2, 4, *(8, 16) * 4))
    white, full = rng.choice(WHITES[bits]), 2**bits - 1
    kind = rng.choice((0,) * 12 + (2, 3, 4, 6)) if bits >= 8 else rng.choice((0, 0, 3))
    cut = white > 1 and rng.random() < 0.3
    outside = rng.choice((None, None, 0, full)) if bits > 2 else None  # 2 bits have but three numbers beside white
    opaque, frames = rng.random() < 0.5, rng.random() < 0.02

    def write(probability: Array, unmeasured: Array, path: Path) -> None:
        stored = (np.floor if cut else np.round)(probability * white).astype(np.int64)
        if outside is not None:
            stored[unmeasured] = outside
        path = path.with_suffix(".png")
        if kind == 3 or frames:
            image = Image.fromarray((stored * 255 // full).astype(np.uint8), "P" if kind == 3 else "L")
            if kind == 3:
                image.putpalette([level for colour in RAMP for level in colour])
            more: dict[str, Any] = {"save_all": True, "append_images": [image.rotate(180)]} if frames else {}
            image.save(path, **more)
            return
        pixels = np.repeat(stored[..., None], {0: 1, 2: 3, 4: 2, 6: 4}[kind], axis=2)
        if kind in (4, 6) and opaque:
            pixels[..., -1] = full
        path.write_bytes(png(pixels, kind, bits))

    shifted = white == 65280  # 8 bits, shifted up
    return Form(write, 1.01 / 255 if shifted else (1.01 if cut else 0.51) / white, shifted or white == full)


SCALES: dict[str, Callable[[Array], Array]] = {
    "percent": lambda p: p * 100,
    "8 bits": lambda p: p * 255,
    "16 bits": lambda p: p * 65535,
    "divided twice": lambda p: p / 255,
    "percent of percent": lambda p: p / 100,
    "signed": lambda p: p * 2 - 1,
    "logits": lambda p: np.log(p.clip(1e-4, 1 - 1e-4) / (1 - p.clip(1e-4, 1 - 1e-4))),
    "logarithms": lambda p: np.log(p.clip(1e-9, 1)),
    "sigmoid twice": lambda p: 1 / (1 + np.exp(-p)),
}
SHAPES: dict[str, Callable[[Array], Array]] = {
    "(1, H, W)": lambda a: a[None],
    "(H, W, 1)": lambda a: a[..., None],
    "(1, 1, H, W)": lambda a: a[None, None],
    "both classes": lambda a: np.stack([1 - a, a]),
    "both classes last": lambda a: np.stack([1 - a, a], axis=2),
    "(W, H)": lambda a: a.T,
    "one row": lambda a: a.reshape(1, -1),
}


def as_array(rng: random.Random) -> Form:
    """An array of any type, shape and order, of probabilities or of what programs keep in their place."""
    dtype, fortran, version = rng.choice(DTYPES), rng.random() < 0.3, rng.choice(((1, 0), (2, 0), (3, 0)))
    real = np.dtype(dtype).kind in "fc"
    scale = rng.choice((None,) * 9 + (*SCALES,)) if real else rng.choice(("percent", "8 bits", "16 bits", None))
    shape = rng.choice((None,) * 14 + ("(1, H, W)",) * 3 + (*SHAPES,))
    outside = rng.choice((None,) * 6 + (0, 1, -1, 255, np.nan))
    outside = None if scale == "sigmoid twice" else outside  # nothing tells 0 among them from black

    def write(probability: Array, unmeasured: Array, path: Path) -> None:
        stored = SCALES[scale](probability) if scale else probability.copy()
        if outside is not None and (real or outside == outside):
            stored[unmeasured] = outside
        with np.errstate(over="ignore", invalid="ignore"):
            array = (stored if real else stored.round()).astype(dtype)
        square = probability.shape[0] == probability.shape[1]
        array = SHAPES[shape](array) if shape and not (shape == "(W, H)" and square) else array
        with path.with_suffix(".npy").open("wb") as file:
            np.lib.format.write_array(file, np.asarray(array, order="F" if fortran else "C"), version=version)

    return Form(write, 2e-3 if dtype == "f2" else 1e-6, scale is None, shape == "(W, H)")


def maps(material: Any, rng: random.Random) -> Callable[[], object]:
    """A set of maps in one form, now and then in two, with what it is known to be the probability."""
    forms = [rng.choice((as_png, as_array))(rng) for _ in range(1 if rng.random() < 0.8 else 2)]
    masked, reached, threshold = rng.random() < 0.4, rng.random() < 0.7, rng.choice((None, None, 0.2, 0.4, 0.7))
    truth: dict[str, tuple[Array, Array, Form]] = {}
    for folder in ("images", "labels", "maps", *(["masks"] if masked else [])):
        (material.work / folder).mkdir()
    numbers = np.random.default_rng(rng.randrange(2**32))
    for name in rng.sample(("a", "b", "21", "é", "x y", "a_1"), rng.randint(1, 4)):
        # Where the program has not measured, which the mask leaves out, but for a rim.
        rim, label, form = rng.random() < 0.3, lines(rng, (0, 1)), rng.choice(forms)
        unmeasured, mask = np.zeros(label.shape, dtype=bool), np.full(label.shape, 255, dtype=np.uint8)
        unmeasured[:, : label.shape[1] // 3] = masked or rim
        mask[:, : label.shape[1] // 3 - rim] = 0
        faint = bool(truth) and form.known and rng.random() < 0.15
        label[...] = 0 if faint else label
        if not faint:
            label[0, 0], label[-1, -1] = 1, 0
        probability = np.where(
            label > 0, numbers.uniform(0.55, 0.95, label.shape), numbers.uniform(0.0, 0.45, label.shape)
        )
        probability = numbers.uniform(0, 0.05, label.shape) if faint else probability
        if not faint and not rim and rng.random() < 0.2:
            probability = label.astype(np.float64)  # decisions
        if not faint:  # both ends are measured
            row, column = rng.randrange(len(label)), label.shape[1] - 1
            label[row, column], probability[row, column] = 1, 1.0 if reached else 0.96
            label[row - 1, column], probability[row - 1, column] = 0, 0.0
        photo, turn = np.stack([label * 200 + 40, label * 90, label * 0], axis=2), rng.choice((1,) * 12 + (3, 6))
        turn = 1 if form.transposed else turn  # turned and transposed, nothing tells that it is mirrored
        stored_turned(material.work / f"images/{name}.png", photo, turn)
        stored_turned(material.work / f"labels/{name}.png", label * 255, turn)
        if masked:
            stored_turned(material.work / f"masks/{name}.png", mask, turn)
        ignores = rng.random() < 0.5  # the orientation, as a program does that draws on pixels as they are stored
        seen = [TURNS[BACK.get(turn, turn)](one) if ignores else one for one in (probability, unmeasured)]
        form.write(seen[0], seen[1], material.work / "maps" / name)
        truth[name] = (probability, ~unmeasured, form)
    data = {
        "_target_": "unet_lightning.data.datamodule.SegmentationDataModule",
        "dataset": {"_target_": "unet_lightning.data.folder.FolderDataset", "_partial_": True},
        "augment": {"_target_": "torchvision.transforms.v2.Identity"},
        "root": str(material.work),
    }

    def run() -> None:
        with redirect_stdout(io.StringIO()) as printed:
            found = read_maps(material.work / "maps", data, "all", threshold)
        wrong = []
        for name, read in zip(found.dataset.image_ids, found.probabilities, strict=True):
            probability, measured, form = truth[name]
            if np.abs(read[0].numpy() - probability)[measured].max() > form.rounding:
                wrong.append(f"{name} {read[0].numpy()[measured]}\nexpected\n{probability[measured]}")
        check_said(wrong, printed.getvalue())

    return run


def check_said(wrong: Sequence[str], said: str) -> None:
    """Raises ReadWrong where maps were read in another scale, DataError where a warning asks about it."""
    if wrong and any(words in said for words in SAID):
        raise DataError(said)
    if wrong:
        raise ReadWrong("\n".join((*wrong, said)))
