import csv
import os
import subprocess
import sys
from functools import partial

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

import unet_lightning
from unet_lightning.api import data_of, load, measure, model_of, train
from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.drive import DriveDataset
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.errors import ConfigError, DataError, RunError
from unet_lightning.inference.predictor import PredictionOptions
from unet_lightning.losses.dice import DiceLoss
from unet_lightning.models.unet import UNet
from unet_lightning.results.maps import NetworkSource
from unet_lightning.results.scores import evaluate_maps
from unet_lightning.task import SegmentationTask
from unet_lightning.training.callbacks.divergence import Diverged
from unet_lightning.training.callbacks.history import History

quiet = pytest.mark.filterwarnings(
    "ignore:The .* does not have many workers",
    "ignore:The number of training batches",
    "ignore:GPU available but not",
    "ignore:Total length of",
)


def own_data(root):
    augment = turn_flip_crop(crop=32, brightness=0.2, contrast=0.2, saturation=0.2)
    return SegmentationDataModule(DriveDataset, root, augment, val_ids=["25", "30"], batch_size=4)


def own_trainer(folder, **settings):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "num_sanity_val_steps": 0}
    return L.Trainer(accelerator="cpu", default_root_dir=folder, callbacks=[History()], **(quiet | settings))


@quiet
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


@quiet
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


def test_names_are_given_when_they_are_asked_for():
    listed = (
        "import unet_lightning, sys; print(*unet_lightning.__all__, *{'torch', 'lightning', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert done.stdout.split() == unet_lightning.__all__
    assert unet_lightning.load is load
    assert {*unet_lightning.__all__} <= {*dir(unet_lightning)}
    assert not hasattr(unet_lightning, "loaded")


@pytest.mark.parametrize("before", ["", "import unet_lightning.train; "])
def test_train_trains_whatever_was_imported_before(before):
    code = f"{before}from unet_lightning import train; train(1, 2, 3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "AttributeError: 'int' object has no attribute" in done.stderr  # of the trainer


def test_a_checkpoint_and_weights_are_loaded_from_their_files(tiny_run, tiny_drive, tmp_path):
    photo = read_photo(tiny_drive / "test/images/01_test.tif")
    expected = load(tiny_run).predict(photo)
    assert np.array_equal(load(tiny_run / "checkpoints/best.ckpt").predict(photo), expected)
    network = UNet(base_c=2)
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    with pytest.warns(UserWarning, match=r"mine\.pth: photographs are normalised by mean 0\.1,0\.2,0\.3 and SD 1,1,1"):
        model = load(tmp_path / "mine.pth", normalize={"mean": [0.1, 0.2, 0.3], "std": [1.0, 1.0, 1.0]}, scale="none")
    assert model.predictor.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert model.predict(photo).shape == photo.shape[1:]


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (
            "drive-best",
            {},
            r"No trained network: looked for drive-best in .* Networks that have a name do not come with",
        ),
        ("a/b", {}, r"looked for a/b"),
        (".", {}, r"run"),
    ],
)
def test_what_is_no_trained_network_is_said(given, options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=said):
        load(given, **options)


def test_an_option_that_does_not_go_with_the_source_is_said(tiny_run):
    with pytest.raises(ConfigError, match=r"normalize has no meaning here.* is a folder"):
        load(tiny_run, normalize={"mean": [0.5] * 3, "std": [0.5] * 3})
    with pytest.raises(ConfigError, match="checkpoint has no meaning here"):
        load(tiny_run / "checkpoints/best.ckpt", checkpoint="last")


def test_files_are_predicted_as_by_the_program_and_lists_one_by_one(tiny_run, tiny_drive, tmp_path):
    model, path = load(tiny_run, device="cpu"), tiny_drive / "test/images/01_test.tif"
    mask = tiny_drive / "test/mask/01_test_mask.gif"
    photo = read_photo(path)
    expected = model.predict(photo)
    assert np.array_equal(model.predict(path), expected)
    assert np.array_equal(model.predict(os.fspath(path)), expected)
    assert np.array_equal(model.predict(Image.fromarray(photo.permute(1, 2, 0).numpy())), expected)
    found = model.predict([path, photo], fov=[mask, None])
    assert np.array_equal(found[0], model.predict(path, mask)) and np.array_equal(found[1], expected)
    with pytest.raises(DataError, match="No photograph: looked for"):
        model.predict(tmp_path / "no.png")
    with pytest.raises(ConfigError, match="a field of view for each of 2"):
        model.predict([path, photo], fov=mask)
    Image.new("1", (8, 8), 1).save(tmp_path / "small.png")
    with pytest.raises(DataError, match="differ in size"):
        model.predict(path, tmp_path / "small.png")


def test_figures_of_arrays_and_files_are_those_of_evaluate(tiny_run, tiny_drive):
    folder = tiny_drive / "test"
    ids = [f"{number:02d}" for number in range(1, 21)]
    photos = [folder / f"images/{one}_test.tif" for one in ids]
    labels = [folder / f"1st_manual/{one}_manual1.gif" for one in ids]
    masks = [folder / f"mask/{one}_test_mask.gif" for one in ids]
    options = PredictionOptions(device="cpu")
    expected = evaluate_maps(NetworkSource(tiny_run, {}, None, options).maps("test")).observers["model"]
    photos[3] = read_photo(photos[3])
    labels[4] = read_binary(labels[4], "label").numpy()
    masks[5] = read_binary(masks[5], "mask")
    found = load(tiny_run, device="cpu").evaluate(photos, labels, masks)
    assert found.figures == expected
    assert (found.protocol.leak, found.protocol.threshold, found.protocol.images) == ([], 0.5, 20)
    one = load(tiny_run, device="cpu").evaluate(photos[0], labels[0], masks[0], threshold=0.3)
    assert one.figures.per_image[0]["auroc"] == expected.per_image[0]["auroc"]
    assert one.protocol.threshold == 0.3


def test_an_image_that_the_network_has_seen_is_a_leak_whatever_it_is_called(tiny_run, tiny_drive):
    folder = tiny_drive / "training"
    photo, label = read_photo(folder / "images/21_training.tif"), folder / "1st_manual/21_manual1.gif"
    with pytest.warns(UserWarning, match="LEAK: image_0: the network was trained on them"):
        found = load(tiny_run, device="cpu").evaluate(photo, label)
    assert found.protocol.leak == ["image_0"]
    assert found.protocol.region == "field of view, found in the photographs"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": []}, "found 1 images, 0 labels"),
        ({"groups": ["a", "b"]}, "found 1 images, 1 labels, 1 fields of view, 2 groups"),
        ({"threshold": 2}, "threshold is from 0 to 1"),
    ],
)
def test_what_cannot_be_evaluated_is_said(options, said, tiny_run):
    with pytest.raises(ConfigError, match=said):
        given = {"images": [np.zeros((9, 9), np.uint8)], "labels": [np.ones((9, 9), bool)]} | options
        load(tiny_run).evaluate(**given)


def squares(count, size=(37, 41)):
    """Pictures with a bright rectangle, and where it is."""
    chance = np.random.default_rng(0)
    for _ in range(count):
        label = np.zeros(size, bool)
        top, left = chance.integers(0, 20, 2)
        label[top : top + 12, left : left + 15] = True
        noise = chance.integers(0, 60, (*size, 3))
        yield (noise + 180 * label[..., None]).astype(np.uint8), label


class Strided(nn.Module):
    """A network of one's own: logits alone, and sides that are multiples of 32."""

    stride = 32

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *[nn.MaxPool2d(2)] * 5)
        self.up = nn.Upsample(scale_factor=32)
        self.out = nn.Conv2d(7, 2, 1)

    def forward(self, image):
        return self.out(torch.cat([image, self.up(self.down(image))], 1))


@quiet
@pytest.mark.parametrize("crop", [32, 30])
def test_images_and_a_network_of_ones_own_are_trained_and_predict(crop, tmp_path):
    pairs = list(squares(6))
    data = data_of(pairs[:4], val=pairs[4:], crop=crop, batch_size=4, repeats=10)
    torch.manual_seed(0)
    network = Strided()
    task = SegmentationTask(network, DiceLoss(), torch.optim.Adam(network.parameters(), lr=0.05))
    train(data, task, own_trainer(tmp_path, max_epochs=3))
    model = model_of(task, data, device="cpu")
    assert model.classes == ["background", "foreground"]
    found = model.predict([image for image, _ in pairs])
    labels = [label for _, label in pairs]
    assert measure(found, labels).mean["dice"] > 0.9
    with pytest.warns(UserWarning, match="LEAK: image_0, image_1, image_2, image_3, image_4, image_5"):
        evaluated = model.evaluate([image for image, _ in pairs], labels)
    assert evaluated.figures.mean["dice"] == measure(found, labels).mean["dice"]
    assert evaluated.dataset.task == "regions"
    task.trainer.save_checkpoint(tmp_path / "mine.ckpt")
    again = load(tmp_path / "mine.ckpt", network=Strided(), device="cpu")
    assert np.array_equal(again.predict(pairs[0][0]), found[0])
    assert again.networks[0].val_ids == ["val_0", "val_1"]


@quiet
def test_a_network_of_torchvision_is_trained(tmp_path):
    data = data_of(list(squares(2)), crop=32, batch_size=2)
    network = lraspp_mobilenet_v3_large(num_classes=2, weights_backbone=None)
    before = network.classifier.high_classifier.weight.clone()
    task = SegmentationTask(network, nn.CrossEntropyLoss(ignore_index=255), partial(torch.optim.SGD, lr=0.1))
    train(data, task, own_trainer(tmp_path, max_steps=1))
    assert not torch.equal(network.classifier.high_classifier.weight, before)


@quiet
def test_what_does_not_fit_together_is_said_before_training(tmp_path):
    data, trainer = data_of(list(squares(2)), crop=32), own_trainer(tmp_path, max_steps=1)
    for network, said in (
        (UNet(base_c=2, num_classes=3), "gives 3 classes, the labels have 2"),
        (nn.Sequential(nn.Conv2d(3, 2, 1, stride=2)), "resize it to the image"),
    ):
        with pytest.raises(ConfigError, match=said):
            train(data, SegmentationTask(network, DiceLoss(), partial(torch.optim.SGD, lr=0.1)), trainer)
    other = torch.optim.SGD(UNet(base_c=2).parameters(), lr=0.1)
    with pytest.raises(ConfigError, match="parameters of another network"):
        train(data, SegmentationTask(UNet(base_c=2), DiceLoss(), other), trainer)


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
        (np.zeros((2, 2)), np.array([[0, 7], [0, 0]]), "found 0, 7"),
    ],
)
def test_what_does_not_go_together_is_said(prediction, label, said):
    with pytest.raises(ConfigError, match=said):
        measure(prediction, label)
