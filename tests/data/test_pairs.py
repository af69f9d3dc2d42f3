from pathlib import Path

import pytest

from unet_lightning.data.pairs import FIELDS, LABELS, doubled, paired, without_ending


@pytest.mark.parametrize(
    "stem",
    "a_1_mask a_1-gt a_1_Ground_Truth a_1_manual1 a_1_1st_manual a_1_labelIds a_1_seg a_1_2ndHO a_1_L".split(),
)
def test_an_ending_is_taken_from_the_name_of_a_label(stem):
    assert without_ending(stem, LABELS) == "a_1"


def test_a_name_that_is_an_ending_stays():
    assert [without_ending(stem, LABELS) for stem in ("mask", "_mask", "a_masked", "amask")] == [
        "mask", "_mask", "a_masked", "amask"
    ]  # fmt: skip


def pair(photos, others, endings=LABELS):
    found, alone = paired(photos, {name: Path(name) for name in others}, endings)
    return {photo: [path.name for path in paths] for photo, paths in found.items()}, [path.name for path in alone]


def test_the_same_name_goes_before_a_shorter_one():
    # Left and right eye: p_L is a photograph of its own here.
    assert pair(["p", "p_L"], ["p", "p_L"]) == ({"p": ["p"], "p_L": ["p_L"]}, [])
    assert pair(["p"], ["p_L"]) == ({"p": ["p_L"]}, [])


def test_photographs_have_endings_too():
    assert pair(["21_training", "22_sat"], ["21_manual1", "22_mask"]) == (
        {"21_training": ["21_manual1"], "22_sat": ["22_mask"]}, []
    )  # fmt: skip
    assert pair(["21_training"], ["21_training_mask"], FIELDS) == ({"21_training": ["21_training_mask"]}, [])


def test_what_may_belong_to_two_photographs_belongs_to_none():
    assert pair(["1_image", "1_raw"], ["1_mask"]) == ({}, ["1_mask"])


def test_files_of_one_photograph_are_named():
    found, _ = paired(["a", "b"], {name: Path(f"{name}.png") for name in ("a", "a_mask", "b")})
    assert doubled(found) == "a (a.png and a_mask.png)"
