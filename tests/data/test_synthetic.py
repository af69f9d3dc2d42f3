import random

import pytest
import torch
from torchvision.transforms.v2.functional import pil_to_tensor

from unet_lightning.data import synthetic
from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.synthetic import SyntheticDataset, draw_dataset, draw_photograph
from unet_lightning.errors import ConfigError

SMALL = (24, 23)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_draws_the_same_bytes_and_another_seed_others(tmp_path):
    torch.manual_seed(1)
    draw_dataset(tmp_path / "one", 3, SMALL)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    draw_dataset(tmp_path / "two", 3, SMALL)
    draw_dataset(tmp_path / "other", 4, SMALL)
    one, two, other = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert len(one) == 140  # 20 x 3 for training, 20 x 4 for test
    assert one == two and one.keys() == other.keys()
    photos = [name for name in one if "/images/" in name]
    assert len({data[name] for data in (one, other) for name in photos}) == 80
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("split", ["train", "test"])
def test_drawn_photographs_load_as_drive(tiny_drive, split):
    for image, target, _ in DriveDataset(tiny_drive, split):
        assert image.shape == (3, 48, 46) and target.shape == (48, 46)
        assert set(target.unique().tolist()) == {0, 1, IGNORE}
        assert image[:, target == IGNORE].max() == 0


@pytest.fixture(scope="module")
def full():
    """A photograph of DRIVE's size: each part as a tensor."""
    return {what: pil_to_tensor(image) for what, image in draw_photograph(random.Random("0/1"), (584, 565)).items()}


def test_second_observer_misses_thin_vessels_but_mostly_agrees(full):
    first, second = full["label"][0] > 0, full["second_label"][0] > 0
    assert not (second & ~first).any()
    assert 0.7 < 2 * (first & second).sum() / (first.sum() + second.sum()) < 0.9  # DRIVE's own: 0.79


def test_photograph_has_the_proportions_of_drive_and_dark_vessels(full):
    inside, vessel = full["fov"][0] > 0, full["label"][0] > 0
    assert full["photo"].shape == (3, 584, 565)
    assert inside.float().mean() == pytest.approx(0.688, abs=0.02)
    assert 0.06 < vessel.sum() / inside.sum() < 0.18
    assert not (vessel & ~inside).any()
    green = full["photo"][1].float()
    assert green[vessel].mean() < green[inside & ~vessel].mean() - 10


def test_dataset_is_drawn_once(tmp_path, monkeypatch):
    train = SyntheticDataset(tmp_path, "train", seed=5, size=SMALL)
    drawn = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.delattr(synthetic, "draw_photograph")
    test = SyntheticDataset(tmp_path, "test", seed=5, size=SMALL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == drawn
    assert (train.name, train.image_ids[0], test.image_ids[0]) == ("synthetic", "21", "01")


def test_all_is_both_splits_and_the_field_of_view_may_be_found(tmp_path):
    dataset = SyntheticDataset(tmp_path, "all", size=SMALL, fov="auto")
    assert dataset.image_ids == [f"{number:02d}" for number in [*range(21, 41), *range(1, 21)]]
    assert dataset.region == "field of view, found in the photographs"


@pytest.mark.parametrize("other", [{"seed": 1, "size": SMALL}, {"seed": 0, "size": (28, 27)}], ids=["seed", "size"])
def test_another_seed_or_size_is_drawn_anew(tmp_path, other):
    first = SyntheticDataset(tmp_path, "train", seed=0, size=SMALL)[0].image
    second = SyntheticDataset(tmp_path, "train", **other)[0].image
    assert second.shape == (3, *other["size"]) and not torch.equal(first, second)
    assert torch.equal(read_photo(SyntheticDataset(tmp_path, "train", seed=0, size=SMALL).files[0].photo), first)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch, error):
    calls = []

    def stop(rng, size):
        calls.append(size)
        if len(calls) == 3:
            raise error("stopped")
        return draw_photograph(rng, size)

    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "draw_photograph", stop)
        with pytest.raises(error, match="stopped"):
            draw_dataset(tmp_path / "seed-0", 0, SMALL)
    assert list(tmp_path.iterdir()) == []
    assert len(SyntheticDataset(tmp_path, "train", size=SMALL)) == 20


def test_the_first_of_two_processes_wins(tmp_path):
    draw_dataset(tmp_path / "seed-0", 0, SMALL)
    before = contents(tmp_path / "seed-0")
    draw_dataset(tmp_path / "seed-0", 1, SMALL)
    assert contents(tmp_path / "seed-0") == before
    assert [path.name for path in tmp_path.iterdir()] == ["seed-0"]


@pytest.mark.parametrize("size", [[48], [48, 8], [48.5, 64], [48, 46, 3]])
def test_a_size_that_is_none_is_refused_before_anything_is_drawn(tmp_path, size):
    with pytest.raises(ConfigError, match=r"data.dataset.size must be height and width"):
        SyntheticDataset(tmp_path, "train", size=size)
    assert not list(tmp_path.iterdir())
