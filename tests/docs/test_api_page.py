"""The examples of docs/api.md run as they stand there, one after the other, shortened to seconds."""

import shutil

import numpy as np
import pytest
from pages import DOCS, blocks
from PIL import Image

import unet_lightning
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary
from unet_lightning.inference.predictor import PredictionOptions
from unet_lightning.results.maps import NetworkSource
from unet_lightning.results.places import held
from unet_lightning.results.published import write_evaluation
from unet_lightning.results.scores import evaluate_maps

SHORTER = (("max_epochs=20", "max_epochs=1"), ("crop=256", "crop=32"), ("base_c=8", "base_c=2"))


@pytest.fixture
def beside(tiny_run, tiny_drive, tmp_path, monkeypatch):
    """What the examples take as there, in the working folder; their variables."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run, tmp_path / "outputs/quick/latest")
    source = NetworkSource(tmp_path / "outputs/quick/latest", {}, None, PredictionOptions(device="cpu"))
    with held(source.folder, source.name("test")) as place:
        write_evaluation(evaluate_maps(source.maps("test")), place, False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/DRIVE").symlink_to(tiny_drive)
    (tmp_path / "clinic").mkdir()
    for name, source in (
        ("01", "images/01_test.tif"),
        ("01_label", "1st_manual/01_manual1.gif"),
        ("01_fov", "mask/01_test_mask.gif"),
    ):
        with Image.open(tiny_drive / "test" / source) as image:
            image.save(tmp_path / f"clinic/{name}.png")
    photograph = read_photo(tiny_drive / "test/images/02_test.tif").permute(1, 2, 0).numpy()
    label = read_binary(tiny_drive / "test/1st_manual/02_manual1.gif", "label").numpy()
    mask = read_binary(tiny_drive / "test/mask/02_test_mask.gif", "mask").numpy()
    pairs = [(np.roll(photograph, 5 * turn, 0), np.roll(label, 5 * turn, 0)) for turn in range(5)]
    return {"photograph": photograph, "label": label, "mask": mask, "images": pairs[:3], "held_out": pairs[3:]}


@pytest.mark.filterwarnings("ignore")  # of Lightning, about so few images
def test_the_examples_run(beside, capsys):
    text = "\n".join(blocks("api.md", "python"))
    for long, short in SHORTER:
        assert long in text
        text = text.replace(long, short)
    exec(compile(text, "docs/api.md", "exec"), beside)
    assert "Networks that have a name do not come with this version" in capsys.readouterr().out
    assert beside["probability"].shape == beside["label"].shape
    assert 0 <= beside["found"].figures.mean["dice"] <= 1


def test_the_stable_names_are_there():
    rows = (DOCS / "api.md").read_text(encoding="utf-8").partition("## Stable names")[2]
    assert all(f"`{name}`" in rows for name in unet_lightning.__all__)
