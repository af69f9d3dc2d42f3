"""What a data set calls things, and what is measured of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.description import Description, write_description
from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.folder import FolderDataset, likely_task
from unet_lightning.data.terms import SHAPE, TERMS
from unet_lightning.errors import ConfigError
from unet_lightning.metrics.several import summarise_classes
from unet_lightning.metrics.summary import CALIBRES, TOPOLOGY, summarise

Folder = Callable[..., FolderDataset]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A data set of one photograph of 64 x 64, whose mask is a disc of 40 pixels."""
    rows, cols = np.mgrid[:64, :64]
    disc = (rows - 32) ** 2 + (cols - 32) ** 2 <= 20**2
    for name, pixels in {"images": disc * 200, "labels": (cols < 32) * 255, "masks": disc * 255}.items():
        (tmp_path / name).mkdir()
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / "a.png")
    return lambda **said: FolderDataset(tmp_path, "train", **said)


def test_a_task_is_typed_or_said_or_likely(folder: Folder, tmp_path: Path) -> None:
    assert folder().task == "regions"
    assert folder(classes=["background", "Vessel"]).task == "vessels"
    write_description(tmp_path, Description(task="vessels"))
    assert folder().task == "vessels"
    assert folder(task="regions").task == "regions"
    with pytest.raises(ConfigError, match="vessels or regions, found cells"):
        folder(task="cells")


def test_a_class_is_a_vessel_by_its_name_alone() -> None:
    assert likely_task(["background", "vessels"]) == "vessels"
    assert likely_task(["background", "vesselness"]) == "regions"


def test_the_data_sets_of_the_retina_have_vessels() -> None:
    assert DriveDataset.task == SegmentationDataset.task == "vessels"


def test_only_vessels_have_a_diameter_by_which_to_scale(folder: Folder) -> None:
    """The disc that is a mask of regions says nothing of a camera."""
    assert folder(task="vessels").diameter == pytest.approx(41, abs=1)
    assert folder(task="regions").diameter is None


def test_figures_of_shape_are_those_that_a_task_has() -> None:
    target = torch.zeros(16, 16, dtype=torch.uint8)
    target[4:8] = 1
    figures = {task: set(summarise([target == 1], [target], shape=terms.shape).mean) for task, terms in TERMS.items()}
    assert figures["vessels"] - figures["regions"] == {*SHAPE} == {*TOPOLOGY, *CALIBRES}
    several = summarise_classes([target], [target], [], 3, shape=())
    assert not {*SHAPE} & {*several.mean.mean, *several.each[1].pooled}
