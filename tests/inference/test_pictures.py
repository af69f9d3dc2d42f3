from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.reading import read_classes
from unet_lightning.errors import ConfigError, DataError, UserError
from unet_lightning.inference.photographs import Photograph
from unet_lightning.inference.pictures import PictureFolder, predict_photograph
from unet_lightning.inference.predictor import Prediction

NAME = Path("left/03")
SETTINGS = {"threshold": 0.5}


def red_as_probability(photo, fov=None, warm_up=False):
    """A predictor of one class, and of two where the photograph has green."""
    maps = photo[:1] if not photo[1].any() else photo[:2]
    return Prediction(maps.float() / 255, "whole image", 1.0, 7.4)


@pytest.fixture
def predictor():
    return SimpleNamespace(predict=red_as_probability)


def folder_of(path, classes=("background", "vessel"), overwrite=False, **settings):
    return PictureFolder(path, classes, SETTINGS | settings, overwrite)


def photograph(photo, fov=None):
    return Photograph(NAME, lambda: (photo.clone(), fov))


def pixels(path):
    """Mode and first row of a picture."""
    with Image.open(path) as image:
        return image.mode, np.asarray(image)[0].tolist()


def test_a_photograph_becomes_a_mask_a_map_and_an_overlay(predictor, tmp_path):
    photo = torch.zeros(3, 1, 3, dtype=torch.uint8)
    photo[0, 0] = torch.tensor([0, 128, 255])
    drawn, words = predict_photograph(photograph(photo), predictor, 0.5, folder_of(tmp_path))
    assert drawn.tolist() == [[[False, True, True]]] and words == "7 ms forward"
    assert pixels(tmp_path / "left/03_mask.png") == ("L", [0, 255, 255])
    assert pixels(tmp_path / "left/03_probability.png") == ("I;16", [0, 128 * 257, 65535])
    mode, overlay = pixels(tmp_path / "left/03_overlay.png")
    assert mode == "RGB" and overlay[0] == [0, 0, 0] and overlay[1] == [92, 153, 198]  # 0.15 of it, 0.85 sky blue


def test_outside_the_field_of_view_nothing_is_found(predictor, tmp_path):
    fov = torch.tensor([[False, True]])
    photo = torch.full((3, 1, 2), 255, dtype=torch.uint8) * torch.tensor([1, 0, 0], dtype=torch.uint8)[:, None, None]
    drawn, _ = predict_photograph(photograph(photo, fov), predictor, 0.0, folder_of(tmp_path))
    assert drawn.tolist() == [[[False, True]]]
    assert pixels(tmp_path / "left/03_probability.png")[1] == [0, 65535]


def test_of_several_classes_the_mask_holds_numbers_and_each_has_a_map(predictor, tmp_path):
    photo = torch.tensor([[[200, 0, 10]], [[10, 250, 0]], [[0, 0, 0]]], dtype=torch.uint8)
    pictures = folder_of(tmp_path, ("background", "artery", "vein"))
    predict_photograph(photograph(photo), predictor, 0.5, pictures)
    assert pixels(tmp_path / "left/03_mask.png") == ("P", [1, 2, 0])
    assert read_classes(tmp_path / "left/03_mask.png", "mask", pictures.classes).tolist() == [[1, 2, 0]]
    with Image.open(tmp_path / "left/03_mask.png") as mask:  # artery, vein and background as viewers show them
        assert np.asarray(mask.convert("RGB"))[0].tolist() == [[0x56, 0xB4, 0xE9], [0xE6, 0x9F, 0x00], [0, 0, 0]]
    assert (tmp_path / "left/03_mask.png").read_bytes()[24] == 8  # bits a pixel
    assert "2 vein (#E69F00)" in (tmp_path / "legend.svg").read_text(encoding="utf-8")
    assert pixels(tmp_path / "left/03_overlay.png")[1] == [[103, 154, 198], [196, 173, 0], [10, 0, 0]]
    assert pixels(tmp_path / "left/03_probability_vein.png")[1] == [10 * 257, 250 * 257, 0]
    assert (tmp_path / "left/03_probability_artery.png").is_file()


def test_without_a_folder_no_picture_is_written(predictor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = torch.full((3, 2, 2), 0, dtype=torch.uint8)
    drawn, _ = predict_photograph(photograph(photo), predictor, 0.0, None)
    assert drawn.all() and not list(tmp_path.iterdir())


def write(predictor, pictures, photo=None, fov=None):
    photo = torch.zeros(3, 2, 2, dtype=torch.uint8) if photo is None else photo
    return predict_photograph(photograph(photo, fov), predictor, 0.5, pictures, again=False)[1]


def test_a_folder_goes_on_where_it_was(predictor, tmp_path):
    write(predictor, folder_of(tmp_path))
    assert write(predictor, folder_of(tmp_path)) == "there already"
    assert write(predictor, folder_of(tmp_path, overwrite=True)) == "7 ms forward"
    for kind in ("overlay", "mask", "probability"):
        folder_of(tmp_path).file(NAME, kind).unlink()
        assert write(predictor, folder_of(tmp_path)) == "7 ms forward"
    assert write(predictor, folder_of(tmp_path)) == "there already"


@pytest.mark.parametrize("change", ["photograph", "mask", "settings"])
def test_pictures_of_something_else_are_neither_passed_over_nor_written_over(predictor, tmp_path, change):
    photo, fov, pictures = (
        torch.zeros(3, 2, 2, dtype=torch.uint8),
        torch.ones(2, 2, dtype=torch.bool),
        folder_of(tmp_path),
    )
    write(predictor, pictures, photo, fov)
    before = pictures.file(NAME, "probability").read_bytes()
    if change == "photograph":
        photo = photo + 1
    elif change == "mask":
        fov = fov.logical_and(torch.tensor([[True], [False]]))
    else:  # one that was stopped after some pictures of other settings were overwritten
        pictures = folder_of(tmp_path, overwrite=True, threshold=0.3)
        pictures.overwrite = False
    with pytest.raises(
        ConfigError, match=r"03_mask\.png is there already, and predict has not made it of this photograph"
    ):
        write(predictor, pictures, photo, fov)
    assert pictures.file(NAME, "probability").read_bytes() == before


def test_pictures_made_in_two_ways_do_not_lie_side_by_side(predictor, tmp_path):
    write(predictor, folder_of(tmp_path))
    with pytest.raises(ConfigError, match=r"holds pictures made with another threshold: .* or give --overwrite"):
        folder_of(tmp_path, threshold=0.3)
    write(predictor, folder_of(tmp_path, threshold=0.3, overwrite=True))
    assert write(predictor, folder_of(tmp_path, threshold=0.3)) == "there already"


def test_files_that_are_not_ours_are_not_overwritten(predictor, tmp_path):
    (tmp_path / "left").mkdir()
    (tmp_path / "left/03_mask.png").write_bytes(b"drawn by hand")
    with pytest.raises(ConfigError, match=r"03_mask\.png is there already, and predict has not made it"):
        write(predictor, folder_of(tmp_path))
    assert (tmp_path / "left/03_mask.png").read_bytes() == b"drawn by hand"
    write(predictor, folder_of(tmp_path, overwrite=True))
    assert write(predictor, folder_of(tmp_path)) == "there already"


def test_two_commands_do_not_write_into_one_folder_at_once(predictor, tmp_path):
    first, second = folder_of(tmp_path / "out"), folder_of(tmp_path / "out", threshold=0.3)
    with first.held():
        write(predictor, first)
        with pytest.raises(ConfigError, match="Another command is writing into"), second.held():
            pass
    with pytest.raises(ConfigError, match="made with another threshold"), second.held():
        pass  # what was there by then counts


@pytest.mark.parametrize("content", ["[]", "{"])
def test_a_broken_note_of_how_pictures_were_made_is_named(tmp_path, content):
    (tmp_path / "predict.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"predict\.json is broken"):
        folder_of(tmp_path)


def test_a_place_that_cannot_be_written_is_named(predictor, tmp_path):
    (tmp_path / "out").write_text("a file, not a folder", encoding="utf-8")
    photo = torch.zeros(3, 2, 2, dtype=torch.uint8)
    with pytest.raises(UserError, match=r"Cannot write .*out"):
        predict_photograph(photograph(photo), predictor, 0.5, folder_of(tmp_path / "out"))


def test_a_photograph_that_cannot_be_read_leaves_nothing(predictor, tmp_path):
    def read():
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        predict_photograph(Photograph(NAME, read), predictor, 0.5, folder_of(tmp_path))
    assert not list(tmp_path.iterdir())
