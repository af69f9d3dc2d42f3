import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from unet_lightning.data.chase_db1 import ChaseDB1Dataset
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.data.normalisation import channel_statistics, moments_of
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.specs import SECTIONS, build

ALL = [str(number) for number in range(21, 41)]
GIVEN = {"mean": [0.7, 0.4, 0.2], "std": [0.1, 0.2, 0.3]}


@pytest.fixture
def module(tiny_drive):
    def make(root=tiny_drive, **options):
        return SegmentationDataModule(DriveDataset, root, turn_flip_crop(16, 0, 0, 0), **options)

    return make


def ready(data, stage="fit"):
    data.setup(stage)
    return data


def test_fixed_split_keeps_validation_out_of_training(module):
    data = ready(module(val_ids=["39", "24"]))
    assert data.val.image_ids == ["39", "24"]
    assert data.train.image_ids == [name for name in ALL if name not in ("24", "39")]


def test_without_val_ids_all_images_train(module):
    data = ready(module())
    assert data.train.image_ids == ALL and len(list(data.val_dataloader())) == 0


@pytest.mark.parametrize("folds", [2, 3, 5, 20])
def test_folds_partition_the_images(module, folds):
    parts = [module(folds=folds, fold=fold) for fold in range(folds)]
    held_out = [part.photographs("val").image_ids for part in parts]
    assert sorted(name for ids in held_out for name in ids) == ALL
    assert {len(ids) for ids in held_out} <= {20 // folds, 20 // folds + 1}
    for part, ids in zip(parts, held_out, strict=True):
        assert part.photographs("train").image_ids == [name for name in ALL if name not in ids]


def test_all_is_train_val_and_test_together(module):
    data = module(val_ids=["21"])
    parts = [data.photographs(split).image_ids for split in ("train", "val", "test")]
    assert sorted(data.photographs("all").image_ids) == sorted(name for ids in parts for name in ids)
    assert len(data.photographs("all")) == 40


def test_unknown_split_is_refused(module):
    with pytest.raises(ConfigError, match="split must be train, val, test, all, found tests"):
        module().photographs("tests")


def test_statistics_of_a_worked_example():
    red = torch.tensor([[0, 255], [51, 99]], dtype=torch.uint8)
    image = torch.stack([red, torch.full_like(red, 51), 255 - red])
    target = torch.tensor([[0, 1], [0, IGNORE]], dtype=torch.uint8)
    mean, std = channel_statistics([moments_of(image, target != IGNORE)])
    # Red inside is 0, 1 and 0.2: mean 0.4, variance (0.16 + 0.36 + 0.04) / 3.
    assert mean == pytest.approx([0.4, 0.2, 0.6], abs=1e-6)
    assert std == pytest.approx([(0.56 / 3) ** 0.5, 0.001, (0.56 / 3) ** 0.5], abs=1e-6)  # never 0: it divides


def test_statistics_are_of_the_training_pixels_inside_the_field_of_view(module):
    data = ready(module(val_ids=["21", "40"]))
    pixels = np.concatenate([sample.image.numpy()[:, sample.target.numpy() != IGNORE] for sample in data.train], axis=1)
    assert data.mean == pytest.approx((pixels / 255).mean(axis=1), abs=1e-6)
    assert data.std == pytest.approx((pixels / 255).std(axis=1), abs=1e-6)


def test_pixels_outside_the_field_of_view_do_not_change_the_statistics(module):
    samples = module().photographs("train")
    spoilt = [moments_of(image.masked_fill(target == IGNORE, 200), target != IGNORE) for image, target, _ in samples]
    assert channel_statistics(spoilt) == channel_statistics(
        moments_of(one.image, one.target != IGNORE) for one in samples
    )


def test_statistics_of_deep_photographs_are_exact_where_they_are_small():
    faint = 0.5 + 1e-5 * torch.tensor([[[0.0, 1], [2, 3]]])
    mean, std = channel_statistics(
        [moments_of(one, torch.ones(2, 2, dtype=torch.bool)) for one in (faint, faint + 1e-4)]
    )
    both = torch.cat([faint, faint + 1e-4]).double()
    assert mean == pytest.approx([float(both.mean())], rel=1e-8)
    assert std == pytest.approx([float(both.std(correction=0))], rel=1e-8)


def test_normalisation_makes_the_training_pixels_0_on_average_with_spread_1(module):
    data = ready(module(val_ids=["21"]))
    data.val = data.train  # the loader of whole photographs
    pixels = torch.cat([batch.image[0][:, batch.target[0] != IGNORE] for batch in data.val_dataloader()], dim=1)
    torch.testing.assert_close(pixels.mean(1), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(pixels.std(1), torch.ones(3), atol=1e-3, rtol=0)


def test_given_normalisation_is_used(module):
    data = ready(module(val_ids=["21"], normalize=GIVEN))
    batch = next(iter(data.val_dataloader()))
    expected = (data.val[0].image / 255 - torch.tensor([0.7, 0.4, 0.2]).view(3, 1, 1)) / torch.tensor(
        [0.1, 0.2, 0.3]
    ).view(3, 1, 1)
    torch.testing.assert_close(batch.image[0], torch.Tensor(expected))


@pytest.mark.parametrize(("split", "ids"), [("val", ["30", "22"]), ("test", [f"{n:02d}" for n in range(1, 21)])])
def test_evaluation_takes_whole_photographs_one_at_a_time(module, split, ids):
    data = ready(module(val_ids=["30", "22"]))
    loaded = list(getattr(data, f"{split}_dataloader")())
    assert [batch.image_id for batch in loaded] == [[name] for name in ids]
    for batch, sample in zip(loaded, data.photographs(split), strict=True):
        assert batch.image.shape == (1, 3, 48, 46)
        assert torch.equal(batch.target[0], sample.target.long())


def test_training_takes_crops_in_batches(module):
    loader = ready(module(val_ids=["21", "22"], batch_size=5, repeats=2)).train_dataloader()
    sizes = [tuple(batch.image.shape) for batch in loader]
    assert len(loader) == len(sizes) == 8
    assert sizes == [(5, 3, 16, 16)] * 7 + [(1, 3, 16, 16)]


def test_a_second_setup_keeps_the_decoded_photographs(module):
    data = ready(module(val_ids=["21"]))
    train = data.train
    assert ready(data, "validate").train is train


@pytest.mark.parametrize("name", ["21", "22"], ids=["validation", "training"])
def test_a_broken_photograph_is_found_before_training_begins(module, tiny_drive, tmp_path, name):
    root = shutil.copytree(tiny_drive, tmp_path / "DRIVE")
    (root / f"training/images/{name}_training.tif").write_text("broken", encoding="utf-8")
    data = module(root, val_ids=["21"], normalize=GIVEN)
    with pytest.raises(DataError, match=f"{name}_training.tif"):
        data.setup("fit")


def test_checkpoint_carries_the_normalisation_to_evaluation(module):
    state = json.loads(json.dumps(ready(module(val_ids=["21", "30"])).state_dict()))  # plain data
    assert state["dataset"] == "drive" and state["val_ids"] == ["21", "30"] and len(state["train_ids"]) == 18
    fresh = module(val_ids=["21", "30"])
    with pytest.raises(ConfigError, match="normalisation is not known"):
        fresh.test_dataloader()
    fresh.load_state_dict(state)
    assert (fresh.mean, fresh.std) == (state["mean"], state["std"])
    assert len(fresh.test_dataloader()) == 20


def test_checkpoint_of_the_same_split_is_resumed(module):
    state = ready(module(val_ids=["21"])).state_dict() | GIVEN
    data = ready(module(val_ids=["21"]))
    data.load_state_dict(state)
    assert (data.mean, data.std) == (GIVEN["mean"], GIVEN["std"])


def test_checkpoint_records_what_each_image_of_train_and_val_is(module):
    data = ready(module(val_ids=["21", "30"]))
    state = json.loads(json.dumps(data.state_dict()))
    assert sorted(state["contents"]) == ALL
    assert state["contents"]["30"] == data.val.content(1)
    assert state["contents"]["22"].keys() >= {"photograph", "look", "label", "fov"}


def test_weights_that_say_nothing_are_unknown_to_all_that_begins_from_them(module):
    first, second, third = (ready(module(val_ids=["21"])) for _ in range(3))
    first.inherit({}, "plain.pth")
    second.inherit(json.loads(json.dumps(first.state_dict())), "last.ckpt")
    third.inherit({})
    assert first.state_dict()["unknown_weights"] == second.state_dict()["unknown_weights"] == ["plain.pth"]
    assert third.state_dict()["unknown_weights"] == third.state_dict()["inherited_images"] == []
    assert sorted(image_id for _, image_id, _ in second.state_dict()["inherited_images"]) == ALL


def test_what_initial_weights_have_seen_stays_known_by_content_over_generations(module):
    first, second, third = (ready(module(val_ids=["21"])) for _ in range(3))
    state = first.state_dict()
    state["dataset"] = "folder"  # another data set with the same names
    state["contents"] = {name: {"photograph": f"{int(name):032x}"} for name in ALL}
    second.inherit(state)
    third.inherit(second.state_dict())
    found = {tuple(image[:2]): image[2] for image in third.state_dict()["inherited_images"]}
    assert found["folder", "21"] == {"photograph": f"{21:032x}"}
    assert found["drive", "21"] == second.val.content(0)


@pytest.mark.parametrize("other", [{"val_ids": ["22"]}, {"folds": 5, "fold": 0}, {}])
def test_checkpoint_of_another_split_is_refused(module, other):
    state = ready(module(val_ids=["21"])).state_dict()
    data = ready(module(**other))
    before = data.mean
    with pytest.raises(ConfigError, match=r"checkpoint's train_ids are 22, .* Resume with the same split"):
        data.load_state_dict(state)
    assert data.mean == before


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("images/23_training.tif", "the photograph of 23 in"),
        ("1st_manual/21_manual1.gif", "the label of 21 in"),
        ("mask/22_training_mask.gif", "the field of view of 22 in"),
    ],
)
def test_checkpoint_of_other_pixels_under_the_same_names_is_refused(module, tiny_drive, tmp_path, pattern, said):
    root = shutil.copytree(tiny_drive, tmp_path / "DRIVE")
    state = ready(module(root, val_ids=["21"])).state_dict()
    path = root / "training" / pattern
    with Image.open(path) as image:
        moved = ImageChops.offset(image, 3)
    moved.save(path)
    data = ready(module(root, val_ids=["21"]))
    with pytest.raises(ConfigError, match=f"began with other pixels: .*{said}"):
        data.load_state_dict(state)
    data.load_state_dict({name: value for name, value in state.items() if name != "contents"})  # of an earlier version


def test_checkpoint_of_the_same_pixels_in_other_files_is_resumed(module, tiny_drive, tmp_path):
    state = ready(module(val_ids=["21"])).state_dict()
    root = shutil.copytree(tiny_drive, tmp_path / "DRIVE")
    for path in (root / "training/images").iterdir():
        with Image.open(path) as image:
            image.load()
        image.save(path, compression="raw")
    ready(module(root, val_ids=["21"])).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, r"data\.batch_size must be at least 1, found 0"),
        ({"repeats": 0}, r"data\.repeats must be at least 1, found 0"),
        ({"num_workers": -1}, r"data\.num_workers must be auto or a number from 0, found -1"),
        ({"num_workers": "many"}, r"data\.num_workers .* found many"),
        ({"folds": 5}, r"go together: found folds=5 and fold=None"),
        ({"fold": 0}, r"go together: found folds=None and fold=0"),
        ({"folds": 5, "fold": 5}, r"from 0 to folds - 1: found 5, 5"),
        ({"folds": 5, "fold": -1}, r"from 0 to folds - 1: found 5, -1"),
        ({"folds": 1, "fold": 0}, r"at least 2 .* found 1, 0"),
        ({"folds": 21, "fold": 0}, r"data\.folds=21 for 20 images"),
        ({"val_ids": ["21", "01"]}, r"No image 01 in this split of drive: it has 21, 22"),
        ({"val_ids": [21]}, r"No image 21 in this split .* text in YAML"),
        ({"val_ids": ALL}, r"none is left to train on"),
        ({"normalize": "none"}, r"data\.normalize must be auto, or a mapping .* found none"),
        ({"normalize": {"mean": [0.5] * 3}}, r"data\.normalize must be auto, or a mapping with mean and std"),
        ({"normalize": {"mean": [0.5] * 2, "std": [0.1] * 3}}, r"a mean and a positive std for each channel"),
        ({"normalize": {"mean": [0.5] * 3, "std": [0.1, 0.0, 0.1]}}, r"a positive std for each channel.*0\.0"),
        ({"normalize": {"mean": 0.5, "std": 0.1}}, r"a mean and a positive std for each channel"),
        ({"normalize": {"mean": [180, 97, 57], "std": [32, 20, 11]}}, r"data\.normalize"),  # not in [0, 1]
    ],
    ids=str,
)
def test_wrong_values_are_named_with_what_was_expected(module, options, message):
    with pytest.raises(ConfigError, match=message):
        module(**options).setup("fit")


def test_folds_keep_both_eyes_of_a_child_together(tmp_path):
    for number in range(1, 15):
        for eye in "LR":
            for name in (f"Image_{number:02d}{eye}.jpg", f"Image_{number:02d}{eye}_1stHO.png"):
                (tmp_path / name).touch()
    for fold in range(5):
        augment = turn_flip_crop(32, 0, 0, 0)
        data = SegmentationDataModule(ChaseDB1Dataset, tmp_path, augment, folds=5, fold=fold)
        train, val = (data.photographs(split).image_ids for split in ("train", "val"))
        assert len(val) == 4
        assert {image_id[:2] for image_id in val}.isdisjoint(image_id[:2] for image_id in train)


def test_a_data_module_can_be_sent_to_another_process(tiny_drive):
    dataset = build({"_target_": "unet_lightning.data.drive.DriveDataset", "_partial_": True}, SECTIONS["data"])
    data = ready(SegmentationDataModule(dataset, tiny_drive, turn_flip_crop(16, 0, 0, 0), val_ids=["21"]))
    sent = pickle.loads(pickle.dumps(data))
    assert sent.photographs("test").image_ids == data.photographs("test").image_ids
    assert torch.equal(sent.train[0].image, data.train[0].image) and sent.mean == data.mean
