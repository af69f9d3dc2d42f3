"""Images of other channels and depths than 8-bit RGB, from training to prediction."""

import json

import numpy as np
import pytest
import tifffile
import torch
import yaml
from conftest import TINY_RUN
from PIL import Image

from unet_lightning.api import load
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.form import Form
from unet_lightning.data.photograph import read_photo
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.models.unet import UNet
from unet_lightning.models.weights import load_weights


def draw(folder, count, write, names="abcd"):
    """Pictures `(H, W, C)` in [0, 1] with a bright square in all channels, and its label."""
    chance = np.random.default_rng(0)
    for place in ("images", "labels"):
        (folder / place).mkdir(parents=True)
    for name in names:
        label = np.zeros((40, 48), dtype=np.uint8)
        top, left = chance.integers(2, 20, 2)
        label[top : top + 16, left : left + 16] = 255
        picture = 0.6 * (label > 0)[..., None] + 0.3 * chance.random((40, 48, count))
        write(folder / "images" / name, picture)
        Image.fromarray(label).save(folder / f"labels/{name}.png")
    return folder


def write_grey(path, picture):
    Image.fromarray((picture[..., 0] * 255).astype(np.uint8)).save(path.with_suffix(".png"))


def write_colours(path, picture):
    Image.fromarray((picture[..., :3] * 255).astype(np.uint8)).save(path.with_suffix(".png"))


def write_floats(path, picture):
    values = (picture * 400 - 100).astype(np.float32)
    tifffile.imwrite(path.with_suffix(".tif"), values, photometric="minisblack", planarconfig="contig")


@pytest.fixture(scope="module")
def floats(tmp_path_factory):
    """Pictures of five channels in floating-point numbers from -100 to 300, said in dataset.yaml."""
    folder = draw(tmp_path_factory.mktemp("floats"), 5, write_floats)
    said = {"channels": ["dapi", "gfp", "rfp", "cy5", "phase"], "value_range": [-100, 300], "name": "stains"}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(said))
    return folder


@pytest.fixture(scope="module")
def run(program, floats, tmp_path_factory):
    """A run on them."""
    cwd = tmp_path_factory.mktemp("run")
    arguments = [*TINY_RUN, "data=folder", f"data.root={floats}", "data.val_ids=[d]", "data.repeats=4"]
    done = program("train", *arguments, f"hydra.run.dir={cwd / 'run'}", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run"


def test_the_network_follows_the_data_and_its_config_holds_the_numbers(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["model"]["in_channels"], config["model"]["num_classes"]) == (5, 2)
    state = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["SegmentationDataModule"]
    assert state["form"] == {"channels": 5, "converts": False, "value_range": [-100.0, 300.0]}
    assert len(state["mean"]) == len(state["std"]) == 5


def test_five_deep_channels_are_measured_shown_and_predicted_alike(program, run, floats, tmp_path):
    done = program("evaluate", f"run={run}", "split=val", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = run / "evaluation/stains-val"
    assert json.loads((folder / "metrics.json").read_text())["protocol"]["leak_reasons"] == {"epoch": ["d"]}
    assert (folder / "report.html").is_file()
    done = program("predict", floats / "images/d.tif", "--run", run, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made, measured = (
        np.asarray(Image.open(one)) for one in (tmp_path / "out/d_probability.png", folder / "probabilities/d.png")
    )
    assert np.array_equal(made, measured)
    assert np.asarray(Image.open(tmp_path / "out/d_overlay.png")).shape == (40, 48, 3)
    photo = read_photo(floats / "images/d.tif", Form(5, False, (-100.0, 300.0)))
    assert np.abs(load(run).predict(photo) - made / 65535).max() < 1e-4


def test_a_run_goes_on_and_is_not_measured_on_photographs_of_other_channels(in_process, run, tmp_path):
    grey = draw(tmp_path / "grey", 1, write_grey)
    message = in_process("evaluate", f"run={run}", "data=folder", f"data.root={grey}", "split=all")
    assert "The network takes photographs of 5 channels, those of folder have 1" in message
    message = in_process("predict", grey / "images/a.png", "--run", run, "--out", tmp_path / "out")
    assert "a.png has 1 channel, expected 5" in message


def test_typed_numbers_that_do_not_fit_are_refused(in_process, floats):
    arguments = [*TINY_RUN, "data=folder", f"data.root={floats}"]
    assert "takes photographs of 3 channels, those of the data have 5: leave model.in_channels at auto" in in_process(
        "train", *arguments, "model.in_channels=3"
    )
    assert "5 channels, expected 4" in in_process("train", *arguments, "data.dataset.channels=4")


def test_grey_and_colours_together_are_one_error_until_a_choice_is_made(tmp_path):
    folder = draw(tmp_path / "mixed", 1, write_grey, "ab")
    for name in "ab":
        (folder / f"labels/{name}2.png").write_bytes((folder / f"labels/{name}.png").read_bytes())
        write_colours(folder / f"images/{name}2", np.random.default_rng(0).random((40, 48, 3)))
    with pytest.raises(DataError, match=r"1 channel in .*a\.png, .*b\.png; 3 channels in .*a2\.png.*channels=3.* or 1"):
        FolderDataset(folder, "train").photo(0)
    assert FolderDataset(folder, "train").channels is None
    three, one = (FolderDataset(folder, "train", channels=number) for number in (3, 1))
    assert [len(three.photo(index)) for index in range(4)] == [3] * 4
    assert [len(one.photo(index)) for index in range(4)] == [1] * 4
    assert torch.equal(three.photo(0), one.photo(0).expand(3, -1, -1))
    expected = np.asarray(Image.open(folder / "images/a2.png").convert("L"))
    assert np.array_equal(one.photo(1)[0].numpy(), expected)


def test_transparency_is_refused_until_it_is_left_out_or_taken(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 9, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png is partly transparent: .*channels=3, which .* or 4, which takes"):
        read_photo(tmp_path / "a.png", Form(3, converts=False))
    assert np.array_equal(read_photo(tmp_path / "a.png", Form(3, True)).numpy(), pixels[..., :3].transpose(2, 0, 1))
    assert np.array_equal(read_photo(tmp_path / "a.png", Form(4, True)).numpy(), pixels.transpose(2, 0, 1))
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert len(read_photo(tmp_path / "a.png", Form(3, converts=False))) == 3


def test_values_that_say_no_channels_or_range_are_refused(tmp_path):
    folder = draw(tmp_path / "grey", 1, write_grey)
    for channels in (0, 65, True, [], ["a", "a"], "three"):
        with pytest.raises(ConfigError, match=r"data.dataset.channels must be auto, a number from 1 to 64, or a list"):
            FolderDataset(folder, "train", channels=channels)
    for span in ([1], [1, 0], ["a", "b"], [0, float("nan")], 255):
        with pytest.raises(
            ConfigError, match=r"data.dataset.value_range must be auto, or two numbers, the lower first"
        ):
            FolderDataset(folder, "train", value_range=span)
    with pytest.raises(DataError, match=r"8 bits a channel, 0 to 255: data.dataset.value_range is of photographs"):
        FolderDataset(folder, "train", value_range=[0, 100]).photo(0)


def test_weights_for_other_channels_are_refused_with_the_way_out(tmp_path):
    torch.save(UNet(in_channels=3, base_c=2).state_dict(), tmp_path / "three.pth")
    with pytest.raises(Exception, match=r"in_conv.* by model\.weights_skip=head.*data\.dataset\.channels"):
        load_weights(UNet(in_channels=1, base_c=2), tmp_path / "three.pth")
