import csv
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation_folders import PROTOCOL, protocol_of
from PIL import Image

from unet_lightning.data.folder import FolderDataset
from unet_lightning.results.maps import Maps
from unet_lightning.results.scores import evaluate_maps
from unet_lightning.results.stored import read_stored, write_stored
from unet_lightning.results.tables import by_group, words_of
from unet_lightning.training.origin import Origin

ORIGIN = Origin(networks=[], tta="none", scale="none", tiles="none")
GIVEN = PROTOCOL | {"images": 3, "leak": []}


@pytest.fixture
def eyes(tmp_path):
    """Eight photographs of four people."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        name = f"p{number // 2}_{'LR'[number % 2]}.png"
        Image.fromarray(pixels).save(tmp_path / "images" / name)
        Image.fromarray(pixels[..., 0] > 128).save(tmp_path / "labels" / name)
    return tmp_path


@pytest.mark.parametrize("groups", [None, "(p[0-9])"])
def test_an_evaluation_keeps_the_group_of_each_image_and_has_its_intervals_by_group(eyes, groups):
    dataset = FolderDataset(eyes, "train", groups=groups)
    maps = [torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(number)) for number in range(8)]
    found = evaluate_maps(Maps(dataset, "val", maps, ORIGIN, thresholds=[0.5] * 8))
    content = found.protocol.content
    assert content["p1_L"]["photograph"] == dataset.content(2)["photograph"]
    assert {one.get("group") for one in content.values()} == ({None} if groups is None else {"p0", "p1", "p2", "p3"})
    assert math.isnan(found.observers["model"].interval["dice"][0]) == (groups is not None)  # four are too few


def test_groups_stand_beside_the_figures_of_each_image(eyes, tmp_path):
    dataset = FolderDataset(eyes, "train", groups="(p[0-9])")
    maps = [torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(number)) for number in range(8)]
    found = evaluate_maps(Maps(dataset, "val", maps, ORIGIN, thresholds=[0.5] * 8))
    write_stored(tmp_path / "run/evaluation/x", found.protocol, found.observers, dataset.image_ids, {})
    with (tmp_path / "run/evaluation/x/per_image.csv").open(newline="") as file:
        assert [(row["image_id"], row["group"]) for row in csv.DictReader(file)][:3] == [
            ("p0_L", "p0"),
            ("p0_R", "p0"),
            ("p1_L", "p1"),
        ]
    assert "group" not in read_stored(tmp_path / "run/evaluation/x").per_image["model"]


def test_a_photograph_of_a_patient_who_was_trained_on_is_marked():
    given = protocol_of(GIVEN | {"same_patient": {"p1_R": "p1_L of eyes"}})
    assert given.mark == "(same patient)"
    assert "Of patients of whom the network has seen another image" in words_of(given) and "p1_R (p1_L of" in words_of(
        given
    )
    assert replace(given, leak=["p1_L"]).mark == "LEAK"


def test_photographs_that_were_not_scaled_are_named_in_the_protocol():
    given = protocol_of(GIVEN | {"own_scale": {"no field of view was found": ["a", "b"]}})
    assert "At their own scale: a, b: no field of view was found. Set scale to a factor" in words_of(given)
    assert given.written["own_scale"] == {"no field of view was found": ["a", "b"]}


def test_it_is_said_how_many_patients_the_images_are_of():
    groups = {name: {"photograph": name, "group": name[0]} for name in ("1L", "1R", "2L")}
    assert by_group(protocol_of(GIVEN | {"content": groups})) == ", by group: the images are of 2 patients"
    assert by_group(protocol_of(GIVEN | {"content": {"1L": {"photograph": "a"}}})) == by_group(protocol_of(GIVEN)) == ""
