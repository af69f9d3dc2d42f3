"""Values chosen from a data set and a machine, worked out by hand."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from unet_lightning.models.unet import UNet
from unet_lightning.training.auto import as_recorded, copied, sized, width_of
from unet_lightning.training.machine import Machine, this_machine
from unet_lightning.training.sizing import FOV, Circumstances, choose

LAPTOP, GPU = Machine("cpu", 4, 16.0), Machine("cuda", 16, 24.0)
DRIVE = Circumstances(20, 20, 584, 565, masks=True, finds_field=True, machine=LAPTOP)  # as a folder
FOLDER = "unet_lightning.data.folder.FolderDataset"


def values(facts: Circumstances, **given: Any) -> dict[str, Any]:
    """What is chosen, by the last part of its name."""
    named = {key.replace("__", "."): value for key, value in given.items()}
    return {key.rpartition(".")[2]: one.value for key, one in choose(facts, named).items()}


def test_drive_on_a_laptop_has_what_the_quick_experiment_has() -> None:
    """565 / 4 = 141, so 256; four crops are 262,144 pixels; 40 steps of 4 are 10 visits of 16 images; 1600 / 40."""
    assert values(DRIVE) == {
        "fov": "mask", "folds": 5, "fold": 0, "crop": 256, "base_c": 8, "batch_size": 4, "repeats": 10,
        "max_epochs": 40, "check_val_every_n_epoch": 1,
    }  # fmt: skip


def test_a_gpu_has_a_wider_network_and_more_crops_as_far_as_they_fit() -> None:
    """160 x 32 bytes a pixel, in half of 24 GB: 2.3 million pixels; of 2 GB 195,312, two crops of 256 x 256."""
    found = values(dataclasses.replace(DRIVE, machine=GPU))
    assert (found["base_c"], found["batch_size"], found["repeats"], found["max_epochs"]) == (32, 16, 40, 75)
    small = dataclasses.replace(DRIVE, machine=Machine("cuda", 16, 2.0))
    assert values(small)["batch_size"] == 2


@pytest.mark.parametrize(
    ("side", "crop", "batch"),
    [(48, 48, 16), (50, 48, 16), (10, 16, 16), (300, 256, 4), (1600, 400, 2), (5000, 512, 2)],
)
def test_crops_follow_the_shorter_side(side: int, crop: int, batch: int) -> None:
    found = values(dataclasses.replace(DRIVE, height=side, width=2 * side))
    assert (found["crop"], found["batch_size"]) == (crop, batch)


@pytest.mark.parametrize(
    ("images", "groups", "folds"), [(20, 20, 5), (12, 3, 3), (2, 1, None), (1000, 1000, 20), (1000, 8, 8)]
)
def test_one_in_five_validates_of_many_fewer(images: int, groups: int, folds: int | None) -> None:
    found = values(dataclasses.replace(DRIVE, images=images, groups=groups))
    assert (found["folds"], found["fold"]) == (folds, None if folds is None else 0)


def test_named_images_validate_instead_of_a_fold() -> None:
    found = values(DRIVE, data__val_ids=["1", "2"])
    assert (found["folds"], found["fold"], found["repeats"]) == (None, None, 9)  # 160 / 18


@pytest.mark.parametrize(
    ("masks", "finds", "rule"), [(True, False, "mask"), (False, True, "auto"), (False, False, "none")]
)
def test_no_field_of_view_is_looked_for_but_in_a_fundus(masks: bool, finds: bool, rule: str) -> None:
    assert values(dataclasses.replace(DRIVE, masks=masks, finds_field=finds))["fov"] == rule


def test_what_is_typed_wins_and_the_rest_follows_it() -> None:
    """Batches of 8 need 20 visits of 16 images for 40 steps."""
    found = values(DRIVE, data__batch_size=8)
    assert "batch_size" not in found and found["repeats"] == 20


def test_from_weights_the_width_is_theirs_and_the_steps_are_a_quarter(tmp_path: Path) -> None:
    torch.save({"model": UNet(base_c=6, num_classes=3).state_dict()}, tmp_path / "weights.pth")
    width = width_of(tmp_path / "weights.pth")
    found = values(dataclasses.replace(DRIVE, width_of_weights=width))
    assert (found["base_c"], found["max_epochs"]) == (6, 10)


def test_many_images_are_visited_ten_times_and_validated_five() -> None:
    """1950 of 2000 images train in 975 steps of 2 x 512 x 512: 511 million pixels. 50 of 3000 x 4000 take the time of
    150 million, more than a quarter.
    """
    found = values(dataclasses.replace(DRIVE, images=2000, groups=2000, height=3000, width=4000))
    assert (found["repeats"], found["max_epochs"], found["check_val_every_n_epoch"]) == (1, 10, 2)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """That of a folder of five photographs of 40 x 60, all but two fields left to be chosen."""
    from PIL import Image

    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("L", (60, 40), 255).save(tmp_path / name / f"{number}.png")
    dataset = {"_target_": FOLDER, "_partial_": True, "fov": None}
    data = {"dataset": dataset, "root": str(tmp_path), "val_ids": None, "folds": "auto", "fold": "auto"}
    return {
        "data": data | {"augment": {"crop": "auto"}, "batch_size": 2, "repeats": "auto"},
        "model": {"base_c": "auto", "weights": None},
        "trainer": {"accelerator": "cpu", "max_epochs": 3},
    }


def test_a_config_gets_numbers_and_a_command_that_says_them(config: dict[str, Any]) -> None:
    found, lines = sized(config)
    assert found["data"]["dataset"]["fov"] == "none" and found["data"]["augment"] == {"crop": 32}
    assert (found["data"]["batch_size"], found["data"]["repeats"], found["data"]["folds"]) == (2, 20, 5)
    assert found["trainer"]["max_epochs"] == 3 and "check_val_every_n_epoch" not in found["trainer"]
    assert lines[0].startswith("Chosen for 5 images of 40 x 60 pixels on a CPU of ")
    assert all("  # " in line for line in lines[1:]) and len(lines) == 7
    assert {"data.dataset.fov=none", "data.folds=5", "data.augment.crop=32"} < {*copied(["experiment=own"], lines)}
    assert sized(found) == (found, [])


def test_a_run_that_goes_on_chooses_nothing_anew(config: dict[str, Any]) -> None:
    recorded = {
        "data": {"dataset": {"fov": "auto"}, "augment": {"crop": 99}, "repeats": 7, "folds": None, "fold": None}
    }
    found = as_recorded(config, recorded | {"model": {"base_c": 5}})
    assert (
        found["data"]["augment"]["crop"] == 99 and found["data"]["batch_size"] == 2 and found["data"]["folds"] is None
    )
    assert FOV == "data.dataset.fov" and sized(found) == (found, [])


def test_processes_share_the_cores() -> None:
    alone = this_machine({"accelerator": "cpu"})
    assert alone.device == "cpu" and this_machine({"accelerator": "cpu", "devices": 1000}).cores == 1
    assert str(LAPTOP) == "a CPU of 4 cores with 16 GB" and str(GPU) == "a GPU (cuda) with 24 GB"
