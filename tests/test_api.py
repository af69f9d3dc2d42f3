import csv
from functools import partial

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn

from unet_lightning.api import load, measure, model_of, train
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.errors import ConfigError
from unet_lightning.losses.dice import DiceLoss
from unet_lightning.models.unet import UNet
from unet_lightning.task import SegmentationTask
from unet_lightning.training.callbacks.divergence import Diverged
from unet_lightning.training.callbacks.history import History


def own_data(root):
    augment = turn_flip_crop(crop=32, brightness=0.2, contrast=0.2, saturation=0.2)
    return SegmentationDataModule(DriveDataset, root, augment, val_ids=["25", "30"], batch_size=4)


def own_trainer(folder, **settings):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "num_sanity_val_steps": 0}
    return L.Trainer(accelerator="cpu", default_root_dir=folder, callbacks=[History()], **(quiet | settings))


@pytest.mark.filterwarnings("ignore:The .* does not have many workers", "ignore:The number of training batches")
@pytest.mark.filterwarnings("ignore:GPU available but not used")
def test_objects_of_ones_own_are_trained_and_predict(tiny_drive, tmp_path):
    data = own_data(tiny_drive)
    task = SegmentationTask(UNet(base_c=2), DiceLoss(), partial(torch.optim.SGD, lr=0.1))
    train(data, task, own_trainer(tmp_path, max_epochs=2))
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1"]
    assert task.hparams == {"scheduler": None, "channels_last": True}
    with pytest.warns(UserWarning, match="at its own scale: no field of view was found"):
        found = model_of(task, data).predict(np.zeros((20, 30, 3), np.uint8))
    assert (found.shape, found.dtype) == ((20, 30), np.float32)
    assert 0 <= found.min() and found.max() <= 1


@pytest.mark.filterwarnings("ignore:The .* does not have many workers", "ignore:The number of training batches")
@pytest.mark.filterwarnings("ignore:GPU available but not used")
def test_a_nan_loss_ends_a_training_of_ones_own(tiny_drive, tmp_path):
    class NoNumber(nn.Module):
        def forward(self, logits, target):
            return logits.sum() * torch.nan

    task = SegmentationTask(UNet(base_c=2), NoNumber(), {"_target_": "torch.optim.SGD", "lr": 0.1})
    with pytest.raises(Diverged, match="in epoch 0"):
        train(own_data(tiny_drive), task, own_trainer(tmp_path, max_epochs=1))


def test_a_run_that_is_loaded_predicts_what_its_network_says(tiny_run, tiny_drive):
    model = load(tiny_run, device="cpu")
    photo = read_photo(tiny_drive / "test/images/01_test.tif")
    found = model.predict(photo.permute(1, 2, 0).numpy())
    assert np.array_equal(found, model.predict(photo))
    assert np.array_equal(found, model.predictor(photo).numpy()[0])
    assert model.classes == ["background", "vessel"]
    assert load(tiny_run, tta="flips").predict(photo).shape == photo.shape[1:]


def test_arrays_are_measured_where_pixels_count():
    probability = np.array([[0.9, 0.8, 0.4, 0.1]], dtype=np.float32)
    label = np.array([[1, 0, 1, 255]], dtype=np.uint8)
    summary = measure(probability, label)
    assert summary.mean["dice"] == pytest.approx(0.5)  # one found, one called falsely, one missed
    assert measure(probability, label, threshold=0.3).mean["dice"] == pytest.approx(0.8)
    assert measure([probability > 0.5], [label == 1]).mean["dice"] == pytest.approx(0.5)
    assert "auroc" in summary.pooled and "auroc" not in measure(probability > 0.5, label).pooled


@pytest.mark.parametrize(
    ("prediction", "label", "said"),
    [
        (np.zeros((2, 2)), np.zeros((2, 3), bool), "of its size"),
        (np.full((2, 2), 3.0), np.zeros((2, 2), bool), "from 0 to 1"),
        (np.full((2, 2), np.nan), np.zeros((2, 2), bool), "from 0 to 1"),
        (np.zeros((2, 2)), np.array([[0, 255], [0, 0]]), "label > 0"),
        (np.zeros((2, 2)), np.array([[0, 7], [0, 0]]), r"found \[0, 7\]"),
    ],
)
def test_what_does_not_go_together_is_said(prediction, label, said):
    with pytest.raises(ConfigError, match=said):
        measure(prediction, label)
