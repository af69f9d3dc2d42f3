from pathlib import Path

import pytest

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.found import Labelled
from unet_lightning.importing.split import split_images


def images(*ids, **more):
    return [Labelled(name, Path(f"{name}.png"), lambda: None, f"labels/{name}.png", **more) for name in ids]


def ids(number, per=1):
    return [f"P{image // per}_{image % per}" for image in range(number)]


def test_nothing_is_drawn_where_nothing_is_asked():
    split = split_images(images("a", "b"))
    assert split.parts == {"a": "train", "b": "train"}
    assert (split.folder_of("a"), split.groups) == (".", {})


def test_groups_stay_together_and_a_seed_repeats_the_draw():
    given = images(*ids(40, per=4))
    split = split_images(given, test=0.2, seed=3, groups="(P[0-9]+)_")
    assert len(split.of("test")) == 8
    assert not {split.groups[name] for name in split.of("test")} & {split.groups[name] for name in split.of("train")}
    assert split == split_images(given, test=0.2, seed=3, groups="(P[0-9]+)_")
    assert split != split_images(given, test=0.2, seed=4, groups="(P[0-9]+)_")


def test_names_that_look_grouped_are_asked_about():
    with pytest.raises(DataError, match=r"of 10 patients, and none may be in both parts: give --groups '.+', or"):
        split_images(images(*ids(40, per=4)), test=0.2)
    assert len(split_images(images(*ids(40, per=4)), test=0.2, groups="(.+)").of("test")) == 8


def test_one_group_is_too_few_for_a_test_split():
    with pytest.raises(DataError, match=r"All 3 images are of one group \(v\): .* --groups '\(\.\+\)'"):
        split_images(images("a", "b", "c", group="v"), test=0.3)


def test_a_split_that_is_given_is_kept_and_no_other_is_drawn():
    given = [*images("a", split="train"), *images("b", split="test"), *images("c", split="val")]
    split = split_images(given)
    assert (split.of("train"), split.of("test"), split.of("val")) == (["a"], ["b"], ["c"])
    assert [split.folder_of(name) for name in "abc"] == ["train", "test", "train"]
    with pytest.raises(ConfigError, match="The split is given twice"):
        split_images(given, test=0.2)


def test_a_split_that_was_written_can_be_taken_again(tmp_path):
    (tmp_path / "split.csv").write_text("image_id,split\na,test\nb,train\nc,train\n")
    assert split_images(images("a", "b", "c"), table=tmp_path / "split.csv").of("test") == ["a"]
    with pytest.raises(DataError, match="has no split of the images d"):
        split_images(images("a", "b", "c", "d"), table=tmp_path / "split.csv")
    for rows, message in (
        ("a,tests", "says of image a tests: train, val or test"),
        ("a,test\na,train", "a in two splits"),
    ):
        (tmp_path / "split.csv").write_text(f"image_id,split\n{rows}\n")
        with pytest.raises(DataError, match=message):
            split_images(images("a"), table=tmp_path / "split.csv")


def test_a_group_in_both_parts_is_refused():
    given = [
        *images("a", "c", split="train", group="P1"),
        *images("b", split="test", group="P1"),
        *images("d", split="val", group="P2"),
    ]
    with pytest.raises(ConfigError, match="The split into train and test parts the images of one patient"):
        split_images(given)


def test_an_image_in_both_splits_is_refused():
    given = [*images("a", split="train"), *images("a", split="test")]
    with pytest.raises(
        DataError, match=r"Two images are called a: labels/a\.png \(train\) and labels/a\.png \(test\)\. "
    ):
        split_images(given)


def test_what_some_images_lack_is_named():
    with pytest.raises(DataError, match="Some images have no split, such as b"):
        split_images([*images("a", split="train"), *images("b")])


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_a_share_is_between_none_and_all(share):
    with pytest.raises(ConfigError, match="--test must be a share above 0 and below 1"):
        split_images(images("a", "b"), test=share)


def test_nothing_to_train_on_is_refused():
    with pytest.raises(DataError, match="All 1 images are to test on"):
        split_images(images("a", split="test"))


def test_one_group_to_train_on_is_too_few_to_hold_any_out():
    given = [*images("a", "b", group="P1"), *images("c", group="P2")]
    with pytest.raises(DataError, match=r"The images to train on are of one group, P\d: none can be held out"):
        split_images(given, test=0.4)
    with pytest.raises(DataError, match="are of one group, a: none can be held out"):
        split_images(images("a"))


def test_a_group_that_is_validated_on_is_not_trained_on():
    given = [*images("a", "b", split="train", group="P1"), *images("c", split="val", group="P1")]
    with pytest.raises(ConfigError, match="The split into train and val parts the images of one patient"):
        split_images(given)
