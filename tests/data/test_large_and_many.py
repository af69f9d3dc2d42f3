"""Data sets that do not fit into memory: what is kept, remembered between runs, and read in windows."""

import os

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torchvision.transforms import v2

from unet_lightning.data import decoded, facts
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.kept import Kept, bytes_of
from unet_lightning.data.sampling import TransformedDataset, Visit
from unet_lightning.data.transforms import rotate_zoom_crop, scale_flip_crop, to_input, turn_flip_crop
from unet_lightning.errors import ConfigError


def folder_of(root, count=3, size=(90, 70), channels=3, tile=(16, 16), label="png", dtype=np.uint8):
    chance = np.random.default_rng(0)
    for place in ("images", "labels"):
        (root / place).mkdir(parents=True)
    for number in range(count):
        pixels = chance.integers(0, 200, (*size, channels)).astype(dtype)
        how = {"photometric": "rgb"} if channels == 3 else {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(root / f"images/{number}.tif", pixels, tile=tile, compression="zlib", **how)
        drawn = (chance.random(size) < 0.2).astype(np.uint8) * 255
        if label == "png":
            Image.fromarray(drawn).save(root / f"labels/{number}.png")
        else:
            tifffile.imwrite(root / f"labels/{number}.tif", drawn, tile=(16, 16), photometric="minisblack")
    for path in root.rglob("*.*"):
        os.utime(path, (1e9, 1e9))  # long ago
    return root


@pytest.mark.parametrize(
    ("cache", "size"), [("2GB", 2 * 10**9), ("500 mb", 5 * 10**8), (1000, 1000), ("1.5KB", 1500), ("0", 0)]
)
def test_a_size_of_memory_is_read(cache, size):
    assert bytes_of(cache) == size


@pytest.mark.parametrize("cache", ["much", "2 XB", -1, True, None])
def test_what_is_no_size_of_memory_is_refused(cache):
    with pytest.raises(ConfigError, match=r"data\.cache must be auto, or a size of memory, such as 2GB"):
        bytes_of(cache)


def test_what_does_not_fit_is_made_again():
    kept, made = Kept(10), []

    def make(size):
        made.append(size)
        return torch.zeros(size, dtype=torch.uint8)

    for size in (6, 6, 5, 5, 4, 4):
        kept.get(size, lambda size=size: make(size))
    assert made == [6, 5, 5, 4] and kept.room == 0


def test_samples_are_the_same_with_and_without_room(tmp_path):
    root = folder_of(tmp_path)
    data = [FolderDataset(root, "train") for _ in range(2)]
    data[1].kept = Kept(0)
    for one, other in zip(*data, strict=True):
        assert torch.equal(one.image, other.image) and torch.equal(one.target, other.target)
    assert data[0].kept.items and not data[1].kept.items
    assert data[0].facts == data[1].facts


def module(root, **options):
    return SegmentationDataModule(FolderDataset, root, turn_flip_crop(16, 0, 0, 0), **options)


def test_a_second_start_decodes_nothing_until_a_file_changes(tmp_path, monkeypatch):
    root, read = folder_of(tmp_path / "set"), []
    monkeypatch.setattr(facts, "FRESH", 0.0)
    real = decoded.read_photo
    monkeypatch.setattr(decoded, "read_photo", lambda path, *args: read.append(path.name) or real(path, *args))
    first = module(root)
    first.setup("fit")
    assert sorted(read) == ["0.tif", "1.tif", "2.tif"]
    read.clear()
    second = module(root)
    second.setup("fit")
    assert not read
    assert second.state_dict() == first.state_dict()
    pixels = tifffile.imread(root / "images/1.tif")
    tifffile.imwrite(root / "images/1.tif", 255 - pixels, tile=(16, 16), compression="zlib", photometric="rgb")
    third = module(root)
    third.setup("fit")
    assert read == ["1.tif"] and third.mean != first.mean


def test_another_file_of_the_same_name_size_and_time_is_another_file(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "FRESH", 0.0)
    root, contents = folder_of(tmp_path / "set"), []
    for level in (10, 200):  # as two archives that were packed with one date
        for path in sorted((root / "images").iterdir()):
            tifffile.imwrite(path, np.full((90, 70, 3), level, np.uint8), photometric="rgb")
            os.utime(path, (1e9, 1e9))
        data = module(root, normalize={"mean": [0.5] * 3, "std": [0.1] * 3})
        data.setup("fit")
        contents.append([content["photograph"] for content in data.state_dict()["contents"].values()])
    assert not {*contents[0]} & {*contents[1]}


@pytest.mark.parametrize("label", ["png", "tif"])
@pytest.mark.parametrize(("channels", "dtype"), [(3, np.uint8), (5, np.uint8), (4, np.int16)])
@pytest.mark.parametrize(
    "augment",
    [
        turn_flip_crop(32, 0.2, 0.2, 0.2),
        turn_flip_crop(80, 0.2, 0.2, 0.2),  # wider than the photograph
        turn_flip_crop(24, 0.2, 0.2, 0.2, foreground=0.7),
        rotate_zoom_crop(16, 180, (0.8, 1.25), 0.3, 0.3, 0.3),
        scale_flip_crop(32, 40, 60),
    ],
    ids=["turn", "padded", "foreground", "rotate", "scale"],
)
def test_a_crop_from_the_file_is_that_of_the_whole(tmp_path, monkeypatch, augment, channels, dtype, label):
    root = folder_of(tmp_path, channels=channels, dtype=dtype, label=label)
    whole, parts = FolderDataset(root, "train"), FolderDataset(root, "train")
    assert len(whole.facts) == len(parts.facts) == 3
    transform = [augment, to_input([0.5] * channels, [0.2] * channels)]
    visits = [Visit(item, seed) for seed in range(8) for item in range(3)]
    expected = [TransformedDataset(whole, v2.Compose(transform))[visit] for visit in visits]
    monkeypatch.setattr(decoded, "LARGE", 10)
    assert parts.in_windows(0)
    found = [TransformedDataset(parts, v2.Compose(transform))[visit] for visit in visits]
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.image, other.image) and torch.equal(one.target, other.target)


def test_of_a_large_photograph_a_crop_reads_the_tiles_that_it_touches(tmp_path, monkeypatch):
    dataset = FolderDataset(folder_of(tmp_path, label="tif"), "train")
    assert dataset.facts
    monkeypatch.setattr(decoded, "LARGE", 10)
    read, real = [], decoded.read_photo
    monkeypatch.setattr(decoded, "read_photo", lambda path, form, *part: read.append(part) or real(path, form, *part))
    loaded = TransformedDataset(dataset, turn_flip_crop(16, 0, 0, 0))
    for seed in range(5):
        _ = loaded[Visit(0, seed)]
    assert len(read) == 5 and all(part and part[0][2:] == (16, 16) for part in read)
