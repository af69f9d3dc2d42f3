"""The folders of images that docs/own_images.md speaks of, drawn small."""

import numpy as np
from PIL import Image

SIZE = (48, 52)
SHADES = np.array([30, 120, 220], np.uint8)  # of the classes in a photograph
GREYS = np.array([0, 128, 255], np.uint8)  # of the classes in a label


def discs(chance, number, radius=6):
    """The pixels of discs that do not touch, `(H, W)` bool each."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    places = [(row, column) for row in (12, 34) for column in (10, 26, 42)]
    for place in chance.permutation(len(places))[:number]:
        row, column = places[place]
        yield (rows - row) ** 2 + (columns - column) ** 2 < radius**2


def save(pixels, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def photograph(chance, label):
    return SHADES[label] + chance.integers(0, 20, label.shape)


def draw_own_sets(folder):
    """nuclei/ (a mask an object), cells/ (three greys) and eyes/ (two images of each patient) in a folder."""
    chance = np.random.default_rng(0)
    for number in range(1, 9):
        name = f"n{number:02d}"
        objects = [*discs(chance, 3)]
        save(photograph(chance, np.any(objects, axis=0).astype(int)), folder / f"nuclei/{name}/images/{name}.png")
        for index, one in enumerate(objects):
            save(one * 255, folder / f"nuclei/{name}/masks/{index}.png")
    for number in range(1, 7):
        (outer, other) = discs(chance, 2)
        label = np.where(other, 2, outer.astype(int))
        save(photograph(chance, label), folder / f"cells/{number:03d}.jpg")
        save(GREYS[label], folder / f"cells/{number:03d}_mask.png")
    for patient in range(1, 8):
        for eye in "LR":
            (disc,) = discs(chance, 1)
            save(photograph(chance, disc.astype(int)), folder / f"eyes/P{patient:02d}_{eye}.png")
            save(disc * 255, folder / f"eyes/P{patient:02d}_{eye}_mask.png")
