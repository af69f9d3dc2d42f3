import csv
import shlex

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import ExifTags, Image

from unet_lightning.data.description import Description, read_description
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.bring import bring, next_commands
from unet_lightning.importing.found import Found, Labelled
from unet_lightning.importing.split import split_images

CLASSES = ("background", "cell")


def picture(number, size=(24, 32)):
    """A grey photograph that is like no other."""
    return np.kron(np.random.default_rng(number).integers(0, 256, (6, 8)), np.ones((4, 4)))[
        : size[0], : size[1]
    ].astype(np.uint8)


def label_of(number, size=(24, 32)):
    label = np.zeros(size, np.uint8)
    label[4:12, 4 : 10 + number % 4] = 1
    return label


@pytest.fixture
def found(tmp_path):
    """Images with files of photographs; labels and more by number."""

    def found(number, labels=None, classes=CLASSES, photos=None, **more):
        images = []
        for at in range(number):
            path = tmp_path / f"theirs/{at}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray((photos or {}).get(at, picture(at))).save(path)
            label = (labels or {}).get(at, label_of(at))
            images.append(Labelled(f"i{at}", path, lambda label=label: label, f"theirs/{at}_mask.png"))
        return Found(images, classes, **more)

    return found


def test_images_come_out_as_they_went_in(found, tmp_path):
    given = found(8)
    split = split_images(given.images, test=0.25, groups="(.+)")
    bring(given, split, tmp_path / "mine", "cells")
    assert read_description(tmp_path / "mine") == Description("cells", [*CLASSES], str(tmp_path / "mine/split.csv"))
    for part, number in (("train", 6), ("test", 2)):
        dataset = FolderDataset(tmp_path / "mine", part)
        assert dataset.image_ids == sorted(split.of(part)) and len(dataset) == number
        for sample in dataset:
            at = int(sample.image_id[1:])
            assert sample.target.tolist() == label_of(at).tolist()
            assert (tmp_path / f"mine/{part}/images/i{at}.png").read_bytes() == given.images[at].photo.read_bytes()
    with (tmp_path / "mine/split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"image_id": "i0", "split": split.parts["i0"], "group": "i0"}
    assert "i7 (" in (tmp_path / "mine/check.html").read_text()


def test_pixels_to_ignore_stay_so_in_two_classes_and_in_more(found, tmp_path):
    label = label_of(0)
    label[0] = IGNORE
    for classes in (CLASSES, (*CLASSES, "nucleus")):
        given = found(3, {0: label}, classes)
        bring(given, split_images(given.images), tmp_path / classes[-1], "cells")
        dataset = FolderDataset(tmp_path / classes[-1], "train")
        assert [sample.target.tolist() for sample in dataset] == [
            label.tolist(),
            *(label_of(n).tolist() for n in (1, 2)),
        ]
    assert read_description(tmp_path / "cell").ignore == 128 and read_description(tmp_path / "nucleus").ignore is None


def test_fields_of_view_come_along(found, tmp_path):
    given = found(2)
    inside = np.full((24, 32), 255, np.uint8)
    inside[:, :8] = 0
    Image.fromarray(inside).save(tmp_path / "fov.png")
    images = [
        Labelled(one.image_id, one.photo, one.label, one.source, fov=tmp_path / "fov.png") for one in given.images
    ]
    bring(Found(images, CLASSES), split_images(images), tmp_path / "mine", "cells")
    assert FolderDataset(tmp_path / "mine", "train").field_of_view(1).numpy().tolist() == (inside > 0).tolist()


def test_a_photograph_that_is_turned_by_a_tag_is_written_upright(found, tmp_path):
    given = found(2)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    Image.fromarray(picture(0)).save(given.images[0].photo, exif=exif)
    bring(given, split_images(given.images), tmp_path / "mine", "cells")
    sample, _ = FolderDataset(tmp_path / "mine", "train")
    assert sample.image[0].tolist() == picture(0)[::-1, ::-1].tolist()
    assert sample.target.tolist() == label_of(0).tolist()


@pytest.mark.parametrize(
    ("shape", "kind", "top"),
    [((24, 32), np.uint16, 65535), ((24, 32, 1), np.uint8, 1), ((24, 32, 5), np.uint8, 1), ((24, 32), np.float32, 200)],
    ids=str,
)
def test_arrays_become_files_of_the_same_numbers(tmp_path, shape, kind, top):
    pixels = np.random.default_rng(0).integers(0, 200, shape).astype(kind)
    images = [Labelled(name, lambda: pixels, lambda: label_of(0), "volume.nii") for name in ("slice", "other")]
    given = Found(images, CLASSES, value_range=(0, top) if kind != np.uint8 else None)
    bring(given, split_images(images), tmp_path / "mine", "cells")
    photo = FolderDataset(tmp_path / "mine", "train").photo(0)
    assert np.allclose(photo.permute(1, 2, 0).numpy() * float(top), pixels.reshape(24, 32, -1), atol=1e-4 * top)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"labels": {1: label_of(0)[:20]}},
            r"image i1 differ in size: 24 x 32 .* in \S+theirs/1\.png, 20 x 32 .* in theirs/1_m",
        ),
        ({"labels": {n: 1 - label_of(0) for n in range(3)}, "may_be_inverted": True}, "cell covers 93.* give --invert"),
        ({"labels": {0: np.full((24, 32), IGNORE, np.uint8)}}, "No pixel counts in the label of image i0"),
    ],
    ids=["size", "inverted", "empty"],
)
def test_where_something_is_wrong_nothing_is_written(found, tmp_path, options, message):
    given = found(3, **options)
    with pytest.raises((DataError, ConfigError), match=message):
        bring(given, split_images(given.images), tmp_path / "data/mine", "cells")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_a_photograph_that_cannot_be_read_is_named(found, tmp_path):
    given = found(2)
    given.images[1].photo.unlink()
    with pytest.raises(DataError, match=r"theirs/1\.png cannot be read: No such file"):
        bring(given, split_images(given.images), tmp_path / "mine", "cells")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_a_folder_that_is_there_is_left_alone(found, tmp_path):
    (tmp_path / "mine").mkdir()
    given = found(2)
    with pytest.raises(ConfigError, match="mine is there already, and is not written over"):
        bring(given, split_images(given.images), tmp_path / "mine", "cells")
    assert [*(tmp_path / "mine").iterdir()] == []


def test_one_photograph_in_two_parts_is_refused(found, tmp_path):
    given = found(4, photos={3: picture(0)})
    given = Found([*given.images[:3], given.images[3]], CLASSES)
    (tmp_path / "split.csv").write_text("image_id,split\ni0,train\ni1,train\ni2,train\ni3,test\n")
    split = split_images(given.images, table=tmp_path / "split.csv")
    with pytest.raises(
        DataError, match=r"i0 \(train\) and i3 \(test\) are one photograph: \S+theirs/0\.png and \S+theirs/3"
    ):
        bring(given, split, tmp_path / "mine", "cells")


def test_one_photograph_to_train_and_to_validate_on_is_refused(found, tmp_path):
    given = found(3, photos={2: picture(0)})
    split = split_images(given.images)._replace(parts={"i0": "train", "i1": "train", "i2": "val"})
    with pytest.raises(DataError, match=r"i0 \(train\) and i2 \(val\) are one photograph"):
        bring(given, split, tmp_path / "mine", "cells")


def test_labels_of_which_nothing_can_be_learnt_are_refused(found, tmp_path):
    given = found(2, {0: label_of(0) * 0, 1: label_of(0) * 0})
    with pytest.raises(DataError, match="All counted pixels of the 2 training labels are background"):
        bring(given, split_images(given.images), tmp_path / "mine", "cells")


def test_errors_name_the_options_of_prepare_and_what_they_say_is_kept(found, tmp_path):
    given = found(2, photos={1: np.stack([picture(1)] * 3, axis=-1)})
    split = split_images(given.images)
    with pytest.raises(DataError, match=r"unlike channels: .*theirs/0\.png; .*theirs/1\.png.* Set --channels 3, which"):
        bring(given, split, tmp_path / "mine", "cells")
    bring(given, split, tmp_path / "mine", "cells", channels=3)
    assert read_description(tmp_path / "mine").channels == 3
    deep = [Labelled(name, lambda: picture(0) / np.float32(255), lambda: label_of(0), "a.nii") for name in ("a", "b")]
    with pytest.raises(DataError, match=r"whose black and white nothing tells\. .*: --value-range 0 1, say"):
        bring(Found(deep, CLASSES), split_images(deep), tmp_path / "deep", "cells")


def test_having_something_is_not_odd_where_most_images_have_nothing(found, tmp_path):
    given = found(8, {at: label_of(at) * (at > 5) for at in range(8)})
    assert bring(given, split_images(given.images), tmp_path / "mine", "cells").unlike == []


def test_looking_writes_a_page_alone(found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    large = label_of(0)
    large[2:22, 2:30] = 1
    given = found(8, {6: large}, photos={5: picture(0), 7: picture(3) // 40})
    facts = bring(given, split_images(given.images), None, "cells")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.html", "theirs"]
    assert facts.lines[:2] == ["Sizes (height x width): 24 x 32 (8)", "Photographs: 1 channel of 8 bits, png (8)"]
    assert facts.lines[2].startswith("train: 8 images; background 8")
    assert any("i0, i5 are one photograph: keep one" in doubt for doubt in facts.doubts)
    assert {*facts.unlike} == {"i6", "i7"}
    page = (tmp_path / "check.html").read_text()
    assert page.index("i6 (train)") < page.index("i0 (train)") and page.count("<img") == 16


def test_commands_fit_the_data(found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = found(3)
    split = split_images(given.images)
    facts = bring(given, split, tmp_path / "it's mine", "cells")
    train, evaluate = next_commands(given, split, facts, tmp_path / "it's mine")
    words = OverridesParser.create().parse_overrides(shlex.split(train)[3:])
    assert {one.key_or_group: one.value() for one in words} == {
        "experiment": "own", "data.root": "it's mine"
    }  # fmt: skip
    split = split._replace(parts={"i0": "train", "01, it's": "val", "i2": "train"})
    words = OverridesParser.create().parse_overrides(shlex.split(next_commands(given, split, facts, tmp_path)[0])[3:])
    assert words[2].value() == ["01, it's"]
    assert evaluate.endswith("run=outputs/own/latest split=val")
