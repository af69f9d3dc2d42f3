import numpy as np
import pytest
from evaluation_folders import folder_section
from PIL import Image

from unet_lightning.errors import DataError
from unet_lightning.results.foreign import read_maps
from unet_lightning.training.origin import MadeBy, Origin

DRAWN = np.array([[0, 255, 0, 255], [0, 0, 255, 0], [255, 0, 0, 0]], dtype=np.uint8)


@pytest.fixture
def data(tmp_path):
    """A photograph and its label that are both stored upside down."""
    tag = Image.Exif()
    tag[274] = 3
    for folder, values in (("images", np.stack([DRAWN] * 3, axis=2)), ("labels", DRAWN)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.ascontiguousarray(np.rot90(values, 2))).save(tmp_path / folder / "a.png", exif=tag)
    (tmp_path / "maps").mkdir()
    return folder_section(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "npy"])
def test_maps_of_another_program_that_may_be_turned_against_their_photograph_are_refused(data, tmp_path, suffix):
    if suffix == "png":
        Image.fromarray(DRAWN).save(tmp_path / "maps/a.png")
    else:
        np.save(tmp_path / "maps/a.npy", DRAWN.astype(np.float32) / 255)
    with pytest.raises(DataError, match=r"a\.png has orientation tag 3 and the probability map \S*a\.\w+ 1 "):
        read_maps(tmp_path / "maps", data, "all")


def test_maps_of_ours_are_of_photographs_as_they_are_shown(data, tmp_path, monkeypatch):
    Image.fromarray(DRAWN).save(tmp_path / "maps/a.png")
    said = MadeBy(Origin(networks=[], tta="-", scale="-", tiles="-", unknown_training=[]), learned=[], watched=[])
    monkeypatch.setattr("unet_lightning.results.foreign.read_made_by", lambda path: said)
    (probability,) = read_maps(tmp_path / "maps", data, "all").probabilities
    assert probability.tolist() == [(DRAWN / 255).tolist()]
