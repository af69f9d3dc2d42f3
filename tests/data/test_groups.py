import logging
import re

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.groups import LIKELY, SHORT, ask_for_groups, likely_groups, read_groups
from unet_lightning.data.transforms import turn_flip_crop
from unet_lightning.errors import ConfigError, DataError

EYES = [f"p{person}_{eye}" for person in range(1, 5) for eye in "LR"]


def test_the_first_group_of_a_pattern_is_the_patient(tmp_path):
    names = ["P01_2020", "P02_2020", "P01_2021"]
    assert read_groups(r"(P\d+)_", names, tmp_path) == {"P01_2020": "P01", "P02_2020": "P02", "P01_2021": "P01"}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(P", "no regular expression"),
        ("P[0-9]+", "has no group"),
        ("(Q[0-9]+)", "finds no group in the name of P1_a, P2_a"),
        ("P1(x?)", "finds no group in the name of P1_a, P2_a"),  # an empty one is none
        ("(P1)", "finds no group in the name of P2_a"),
    ],
    ids=str,
)
def test_a_wrong_pattern_is_named(tmp_path, pattern, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_groups(pattern, ["P1_a", "P2_a"], tmp_path)


@pytest.mark.parametrize(
    "table",
    [
        "image_id,group\n01,a\n02,b\n03,a\n99,c\n",
        "group,age,file\na,5,01.png\nb,6,02.png\na,5,03.png\n",
        "\ufeffID;Patient\n01;a\n02;b\n03; a \n",
    ],
)
def test_a_table_names_the_group_of_each_image_from_the_working_folder_or_the_data_set_s(tmp_path, monkeypatch, table):
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "groups.csv", tmp_path / "data/theirs.csv"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(table, encoding="utf-8")
        assert read_groups(path.name, ["01", "02", "03"], tmp_path / "data") == {"01": "a", "02": "b", "03": "a"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("image_id,age\n01,5\n", "has the columns image_id, age, expected"),
        ("", "has the columns none"),
        ("image_id,group\n01,a\n", "has no group of the images 02"),
        ("image_id,group\n01,a\n02,\n", "has no group of the images 02"),
        ("image_id,group\n01,a\n02\n", "has no group of the images 02"),
        ("image_id,group\n01,a\n02,b\n01,c\n", "has 01 in two groups: a and c"),
        ('image_id,group\n01,"a\n', "cannot be read"),
        (None, "No table of groups: looked for groups.csv"),
    ],
)
def test_a_table_that_does_not_say_it_of_each_image_is_refused(tmp_path, table, said):
    if table is not None:
        (tmp_path / "groups.csv").write_text(table, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(said)):
        read_groups("groups.csv", ["01", "02"], tmp_path)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (EYES, [["p1_L", "p1_R"], ["p2_L", "p2_R"], ["p3_L", "p3_R"], ["p4_L", "p4_R"]]),
        (["01_left", "01_right", "02_left", "03"], [["01_left", "01_right"], ["02_left"], ["03"]]),
        (["Image_01L", "Image_01R", "Image_02L"], [["Image_01L", "Image_01R"], ["Image_02L"]]),
        (["left_1", "right_1", "left_2"], [["left_1", "right_1"], ["left_2"]]),
        (["P1_OD_1", "P1_OS_1", "P2_OD_1"], [["P1_OD_1", "P1_OS_1"], ["P2_OD_1"]]),
        (["P03_1", "P03_2", "P04_1"], [["P03_1", "P03_2"], ["P04_1"]]),
        (["case1_slice1", "case1_slice2", "case2_slice1"], [["case1_slice1", "case1_slice2"], ["case2_slice1"]]),
        (["anna-1", "anna-2", "ben-1", "eva-1"], [["anna-1", "anna-2"], ["ben-1"], ["eva-1"]]),
        (["7a", "7b", "8a"], [["7a", "7b"], ["8a"]]),
        (["P1_macula", "P1_disc", "P2_disc"], [["P1_macula", "P1_disc"], ["P2_disc"]]),
    ],
    ids=str,
)
def test_names_that_look_grouped_are_asked_about_with_a_pattern_that_works(tmp_path, caplog, names, groups):
    pattern, found = likely_groups(names)
    assert list(found.values()) == groups
    assert read_groups(pattern, names, tmp_path) == {name: key for key, members in found.items() for name in members}
    with caplog.at_level(logging.WARNING):
        ask_for_groups(tuple(names))
        ask_for_groups(tuple(names))
    (said,) = caplog.messages  # once a program
    assert f"of {len(groups)} patients" in said and ", ".join(groups[0]) in said
    assert f"'data.dataset.groups=\"{pattern}\"'" in said


def test_the_pattern_shown_is_a_short_one_where_that_says_the_same():
    assert likely_groups(EYES)[0] == "^(.+)[_-]"
    assert likely_groups(["P1_OD_1", "P1_OS_1", "P2_OD_1"])[0] == "^([^_]+)_"
    assert likely_groups(["Image_01L", "Image_01R", "Image_02L"])[0] == "^(.+)[A-Za-z]$"


@pytest.mark.parametrize(
    "names",
    [
        [f"image_{number:02d}" for number in range(1, 21)],
        [f"{number}_training" for number in range(21, 41)],
        [f"im{number:04d}" for number in range(1, 21)],
        [f"{number:02d}" for number in range(1, 21)],
        [f"{kind}_{number}" for kind in ("healthy", "ill") for number in range(10)],
        ["a", "b", "cell", "control"],
        ["P1_a", "P2_b"],
    ],
    ids=str,
)
def test_names_that_do_not_look_grouped_are_not_asked_about(names):
    assert likely_groups(names) is None


@pytest.fixture
def eyes(tmp_path):
    """Eight drawn photographs of four people."""
    for number, name in enumerate(EYES):
        for folder, pixels in (("images", np.full((4, 4, 3), 20 * number, np.uint8)), ("labels", np.eye(4) > 0)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def module(root, groups, **options):
    def dataset(root, split):
        return FolderDataset(root, split, groups=groups)

    return SegmentationDataModule(dataset, root, turn_flip_crop(4, 0, 0, 0), **options)


def test_folds_go_by_group(eyes):
    for fold in range(4):
        data = module(eyes, "(p[0-9])", folds=4, fold=fold)
        assert data.photographs("val").image_ids == [f"p{fold + 1}_L", f"p{fold + 1}_R"]
        assert len(data.photographs("train")) == 6
    with pytest.raises(ConfigError, match="8 images of 4 people"):
        module(eyes, "(p[0-9])", folds=5, fold=0).photographs("val")


def test_a_validation_split_that_parts_a_group_is_refused(eyes):
    with pytest.raises(ConfigError, match=r"data.val_ids parts .*: p1_L without p1_R \(p1\)"):
        module(eyes, "(p[0-9])", val_ids=["p1_L"]).photographs("train")
    assert len(module(eyes, "(p[0-9])", val_ids=["p1_L", "p1_R"]).photographs("train")) == 6
    assert len(module(eyes, None, val_ids=["p1_L"]).photographs("train")) == 7


def test_a_data_set_says_who_has_several_images_and_nothing_where_nobody_has(eyes):
    dataset = FolderDataset(eyes, "train", groups="(p[0-9])")
    assert dataset.groups == ["p1", "p1", "p2", "p2", "p3", "p3", "p4", "p4"]
    assert dataset.subset(["p2_R", "p2_L"]).groups == ["p2", "p2"]
    assert dataset.subset(["p1_L", "p2_L"]).groups is None
    assert FolderDataset(eyes, "train").groups is None


def test_a_patient_in_train_and_test_is_refused(eyes):
    for part, names in (("train", EYES[:3]), ("test", EYES[3:])):
        for folder in ("images", "labels"):
            (eyes / part / folder).mkdir(parents=True)
            for name in names:
                (eyes / folder / f"{name}.png").rename(eyes / part / folder / f"{name}.png")
    for folder in ("images", "labels"):
        (eyes / folder).rmdir()
    with pytest.raises(ConfigError, match=r"train/ and test/ parts .* without p2_R \(p2\)"):
        FolderDataset(eyes, "train", groups="(p[0-9])")


@pytest.mark.parametrize("pattern", [*LIKELY, *SHORT, "(.+)"])
def test_the_line_that_a_warning_shows_can_be_typed(pattern):
    parsed = OverridesParser.create().parse_override(f'data.dataset.groups="{pattern}"')
    assert parsed.value() == pattern
