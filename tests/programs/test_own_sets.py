"""Sets of images as they are published, each from its original form to a table of Dice by two commands."""

import json
import shlex

import numpy as np
import pytest
import tifffile
from PIL import Image

from unet_lightning.data.description import Description, read_description, write_description
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.labels import IGNORE

SIZE = (40, 48)
TINY = ("trainer=cpu", "model.base_c=2", "data.repeats=1", "data.augment.crop=32", "trainer.max_epochs=1")
NUMBER = 6


def things(classes=2, seed=0):
    """Labels `(H, W)` of squares, one of each class, none over another."""
    chance = np.random.default_rng(seed)
    for _ in range(NUMBER):
        label = np.zeros(SIZE, np.uint8)
        places = chance.permutation(20)[: classes - 1]
        for number, place in enumerate(places, start=1):
            top, left = 10 * (place // 5), 9 * (place % 5)
            label[top + 1 : top + 9, left + 1 : left + 8] = number
        yield label


def photo_of(label, seed=0):
    """A grey photograph `(H, W)` uint8 that shows what is where."""
    noise = np.random.default_rng(seed).integers(0, 20, label.shape)
    return (10 + label.astype(int) * 200 // max(1, label[label != IGNORE].max()) % 230 + noise).astype(np.uint8)


def save(array, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(path, **options)


def membranes(folder):
    """A stack of sections and one of labels, in which membranes are black."""
    labels = [*things()]
    folder.mkdir()
    tifffile.imwrite(folder / "train-volume.tif", np.stack([photo_of(label) for label in labels]))
    tifffile.imwrite(folder / "train-labels.tif", np.stack([255 - label * 255 for label in labels]))
    asked = ["--stack", "--invert", "--classes", "inside,membrane", "--groups", "(.+)"]
    return {f"train-volume_{number}": label for number, label in enumerate(labels, start=1)}, asked, "membrane"


def nuclei(folder):
    """A folder an image, with a mask a nucleus."""
    labels = {}
    for number, label in enumerate(things(4)):
        name = f"nucleus{number}"
        save(photo_of(label), folder / name / f"images/{name}.png")
        for thing in (1, 2, 3):
            save((label == thing).astype(np.uint8) * 255, folder / name / f"masks/{thing}f3a.png")
        labels[name] = (label > 0).astype(np.uint8)
    return labels, ["--several", "instances", "--classes", "background,nucleus", "--test", "0.34"], "nucleus"


def blood_cells(folder):
    """Photographs as JPEG, labels as PNG of black, grey and white beside them."""
    labels = {}
    for number, label in enumerate(things(3)):
        save(photo_of(label), folder / f"{number:03d}.jpg")
        save(np.array([0, 128, 255], np.uint8)[label], folder / f"{number:03d}_mask.png")
        labels[f"{number:03d}"] = label
    return labels, ["--classes", "background,cytoplasm,nucleus"], "cytoplasm"


def streets(folder):
    """Labels in colours, with a table of them; void is a class of none."""
    colours = np.array([(20 * number, 255 - 20 * number, number * number) for number in range(13)], np.uint8)
    names = ["Void", "Sky", *(f"Thing {number}" for number in range(2, 13))]
    labels = {}
    for number, label in enumerate(things(12, seed=3)):
        label[:2] = 12
        label = (label + 1) % 13  # void is 0
        split = "test" if number < 2 else "train"
        save(photo_of(label), folder / split / f"{number}.png")
        save(colours[label], folder / f"{split}_labels/{number}_L.png")
        labels[f"{number}"] = np.where(label == 0, IGNORE, label - 1).astype(np.uint8)
    lines = ["name,r,g,b", *(f"{name},{r},{g},{b}" for name, (r, g, b) in zip(names, colours, strict=True))]
    (folder / "class_dict.csv").write_text("\n".join(lines))
    return labels, ["--colours", str(folder / "class_dict.csv")], "Thing 2"


def voc(folder):
    """Palette images, whose borders are 255."""
    palette = [(37 * number) % 256 for number in range(768)]
    labels = {}
    for number, label in enumerate(things(4)):
        label[0] = IGNORE
        name = f"2007_{number:06d}"
        indexed = Image.fromarray(label)
        indexed.putpalette(palette)
        save(photo_of(label), folder / f"JPEGImages/{name}.jpg")
        save(indexed, folder / f"SegmentationClass/{name}.png")
        labels[name] = label
    return labels, ["--classes", "background,aeroplane,bicycle,bird"], "bicycle"


def labelme(folder):
    """A JSON file of polygons beside each photograph."""
    names, labels = {1: "cat", 2: "dog"}, {}
    for number, label in enumerate(things(3)):
        shapes = []
        for thing, name in names.items():
            rows, columns = np.nonzero(label == thing)
            top, left, bottom, right = (int(n) for n in (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
            corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
            shapes.append({"label": name, "points": corners, "group_id": None, "shape_type": "polygon", "flags": {}})
        said = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"pet {number}.jpg", "imageData": None}
        save(photo_of(label), folder / f"pet {number}.jpg")
        (folder / f"pet {number}.json").write_text(json.dumps(said | {"imageHeight": SIZE[0], "imageWidth": SIZE[1]}))
        labels[f"pet {number}"] = label
    return labels, ["--test", "0.34"], "dog"


SETS = [membranes, nuclei, blood_cells, streets, voc, labelme]


@pytest.mark.parametrize("make", SETS, ids=lambda make: make.__name__)
def test_a_published_form_becomes_a_table_by_two_commands(make, program, tmp_path):
    labels, asked, thing = make(tmp_path / "their files")
    done = program("prepare", "folder", "their files", "--out", "data/my set", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    dataset = FolderDataset(tmp_path / "data/my set", "all", groups="(.+)")
    assert {sample.image_id: sample.target.tolist() for sample in dataset} == {
        name: label.tolist() for name, label in labels.items()
    }
    assert thing in read_description(tmp_path / "data/my set").classes
    said = done.stdout.splitlines()
    words = shlex.split(next(line for line in said if line.startswith("Train: ")).removeprefix("Train: python -m "))
    done = program(words[0].removeprefix("unet_lightning."), *words[1:], *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (table,) = (tmp_path / "outputs/own/latest/evaluation").glob("*/table.md")
    assert "dice_per_image" in table.read_text() and "my set" in table.read_text()
    if make is nuclei:  # the one with a test split of ours
        words = shlex.split(next(line for line in said if line.startswith("Then: ")).removeprefix("Then: python -m "))
        done = program(words[0].removeprefix("unet_lightning."), *words[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "outputs/own/latest/evaluation/my set-test/table.md").is_file()


def test_a_folder_that_was_prepared_is_checked_as_it_is(program, tmp_path):
    voc(tmp_path / "theirs")
    for path in (tmp_path / "theirs/SegmentationClass").iterdir():
        label = np.asarray(Image.open(path))
        save(
            np.where(label == IGNORE, 128, np.where(label > 0, 255, 0)).astype(np.uint8),
            tmp_path / f"mine/labels/{path.name}",
        )
        save(photo_of(label), tmp_path / f"mine/images/{path.name}")
        save(np.full(SIZE, 255, np.uint8), tmp_path / f"mine/masks/{path.name}")
    write_description(tmp_path / "mine", Description("mine", ["background", "thing"], "_(.+)", ignore=128))
    done = program("prepare", "folder", "mine", "--check", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Classes: background, thing\n" in done.stdout and "train: 6 images, 6 groups; " in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.html", "mine", "theirs"]
