import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.datamodule import SegmentationDataModule
from unet_lightning.data.description import Description, write_description
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.labels import IGNORE, collate
from unet_lightning.data.transforms import rotate_zoom_crop, scale_flip_crop, turn_flip_crop
from unet_lightning.errors import ConfigError, DataError

LABEL = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=np.uint8)
THREE = {"classes": ["background", "artery", "vein"]}


def save(values, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture
def draw(tmp_path):
    """Photographs of 3 x 4 with labels in a folder; the names with their suffixes are given."""

    def draw(names, below="", label=LABEL * 255):
        for number, name in enumerate(names):
            photo = np.full((3, 4, 3), (40 * number + 20) % 256, dtype=np.uint8)
            save(photo, tmp_path / below / "images" / name)
            save(label, tmp_path / below / "labels" / f"{name.split('.')[0]}.png")
        return tmp_path

    return draw


def test_a_photograph_and_the_label_of_its_name_are_a_sample(draw):
    dataset = FolderDataset(draw(["b.png", "a.tif", "c.PNG"]), "train")
    assert dataset.image_ids == ["a", "b", "c"]
    assert [int(sample.image[0, 0, 0]) for sample in dataset] == [60, 20, 100]
    assert all(sample.target.tolist() == LABEL.tolist() for sample in dataset)
    assert (dataset.name, dataset.classes, dataset.region) == ("folder", ("background", "foreground"), "whole image")
    assert dataset.second_target(0) is None


def test_a_flat_folder_is_all_train(draw):
    root = draw(["a.png", "b.png"])
    assert FolderDataset(root, "all").image_ids == FolderDataset(root, "train").image_ids == ["a", "b"]
    with pytest.raises(DataError, match=rf"{root} has no test split: .* split=all, or put those .* test/images/"):
        FolderDataset(root, "test")


def test_subfolders_are_the_splits(draw):
    draw(["a.png", "b.png"], "train")
    root = draw(["c.png"], "test")
    ids = {split: FolderDataset(root, split).image_ids for split in ("train", "test", "all")}
    assert ids == {"train": ["a", "b"], "test": ["c"], "all": ["a", "b", "c"]}
    with pytest.raises(ConfigError, match=r"train, test and all \(both\), found val"):
        FolderDataset(root, "val")


def test_a_folder_of_test_photographs_alone_can_be_tested_on(draw):
    root = draw(["c.png"], "test")
    assert FolderDataset(root, "test").image_ids == FolderDataset(root, "all").image_ids == ["c"]
    with pytest.raises(DataError, match=r"has no train split: .*/test\. "):
        FolderDataset(root, "train")


def test_masks_and_a_second_observer_are_found_where_they_are(draw):
    root = draw(["a.png", "b.png"])
    fov = np.array([[0, 1, 1, 1]] * 3, dtype=np.uint8)
    for name in "ab":
        save(fov * 255, root / "masks" / f"{name}.gif")
    save((1 - LABEL) * 255, root / "labels2/b.png")
    dataset = FolderDataset(root, "train", task="vessels")
    assert dataset.region == "field of view, masks of the data set"
    assert FolderDataset(root, "train").region == "counted area, masks of the data set"
    assert dataset[1].target.tolist() == np.where(fov, LABEL, IGNORE).tolist()
    assert dataset.second_target(0) is None
    assert dataset.second_target(1).tolist() == np.where(fov, 1 - LABEL, IGNORE).tolist()
    assert FolderDataset(root, "train", fov="none")[1].target.tolist() == LABEL.tolist()


def test_masks_are_the_labels_where_there_are_no_labels(draw, caplog):
    caplog.set_level("INFO")
    root = draw(["a.png", "b.png"])
    (root / "labels").rename(root / "masks")
    dataset = FolderDataset(root, "train")
    assert (dataset.region, dataset[0].target.tolist()) == ("whole image", LABEL.tolist())
    assert "has no labels/: its masks/ are read as the labels" in caplog.text


def test_masks_are_fields_of_view_where_either_split_has_labels(draw):
    draw(["a.png"], "train")
    root = draw(["b.png"], "test")
    (root / "test/labels").rename(root / "test/masks")
    dataset = FolderDataset(root, "test")
    assert (dataset.files[0].label, dataset.files[0].fov) == (None, root / "test/masks/b.png")


def test_labels_may_have_an_ending_of_their_own(draw):
    root = draw(["a_image.png", "b.png", "c_1.png"])
    for old, new in (("a_image", "a_Mask"), ("b", "b-gt"), ("c_1", "c_1.manual1")):
        (root / f"labels/{old}.png").rename(root / f"labels/{new}.png")
    dataset = FolderDataset(root, "train")
    assert dataset.image_ids == ["a_image", "b", "c_1"]
    assert [image.label.name for image in dataset.files] == ["a_Mask.png", "b-gt.png", "c_1.manual1.png"]


def test_two_labels_of_a_photograph_are_refused(draw):
    root = draw(["a.png", "b.png"])
    save(LABEL, root / "labels/a_mask.png")
    with pytest.raises(
        DataError, match=r"More than one file in \S*labels for the photograph a \(a\.png and a_mask\.png"
    ):
        FolderDataset(root, "train")


def test_masks_that_are_not_asked_for_may_be_incomplete(draw):
    root = draw(["a.png", "b.png"])
    save(LABEL * 255, root / "masks/a.png")
    for fov in ("auto", "none"):
        assert len([*FolderDataset(root, "train", fov=fov)]) == 2


def test_photographs_without_any_label_can_be_predicted(draw):
    draw(["a.png"], "train")
    root = draw(["c.png", "d.png"], "test")
    for path in (root / "test/labels").iterdir():
        path.unlink()
    dataset = FolderDataset(root, "test")
    assert int(dataset.photo(1)[0, 0, 0]) == 60
    with pytest.raises(DataError, match="No label for image c, d of folder"):
        _ = [*dataset]


def test_hidden_files_and_other_files_are_left_out(draw):
    root = draw(["a.png"])
    for folder in ("images", "labels"):
        for name in ("._a.png", ".DS_Store", "Thumbs.db", "notes.txt"):
            (root / folder / name).write_bytes(b"\0")
        (root / folder / "old.png").mkdir()
    assert FolderDataset(root, "train").image_ids == ["a"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: save(LABEL, root / "images/a.tif"),
            r"Two images are called a: a\.png and a\.tif in \S*images\. .* rename or remove",
        ),
        (
            lambda root: (root / "labels/a.png").unlink(),
            r"No file in \S*labels for the photograph a: each needs one with its name",
        ),
        (lambda root: (root / "images/a.png").unlink(), r"No photograph in \S*images for a\.png in \S*labels"),
        (
            lambda root: save(LABEL, root / "masks/a.png"),
            r"No file in \S*masks for the photograph b: each needs one",
        ),
        (lambda root: save(LABEL, root / "labels2/x.png"), r"No photograph in \S*images for x\.png in \S*labels2"),
        (
            lambda root: [path.unlink() for path in (root / "images").iterdir()],
            r"No photograph in \S*images: looked for \.bmp, .*\.png",
        ),
        (
            lambda root: (root / "images").rename(root / "photos"),
            r"No data set in \S+: looked for images/ and labels/, or train/images/.*data\.root",
        ),
        (lambda root: save(LABEL, root / "test/images/c.png"), r"holds images/ and test/images/: keep one of the two"),
    ],
    ids=["one-stem", "no-label", "no-photo", "a-mask-missing", "alone", "empty", "nothing", "both-forms"],
)
def test_what_does_not_go_together_is_named(draw, spoil, message):
    root = draw(["a.png", "b.png"])
    spoil(root)
    with pytest.raises(DataError, match=message):
        FolderDataset(root, "train")


def test_without_a_root_the_remedy_is_named():
    with pytest.raises(ConfigError, match=r"data=folder needs the folder: data\.root=<the folder with images/ and"):
        FolderDataset(None, "train")


def test_many_names_are_cut_short(draw):
    root = draw([f"{number:02d}.png" for number in range(13)])
    for path in sorted((root / "labels").iterdir())[1:]:
        path.unlink()
    with pytest.raises(DataError, match=r"photograph 01, 02, .*, 10 and 2 more: each"):
        FolderDataset(root, "train")


def test_a_name_in_train_and_in_test_is_refused(draw):
    draw(["a.png", "b.png"], "train")
    root = draw(["b.tif", "c.png"], "test")
    for split in ("train", "test", "all"):
        with pytest.raises(DataError, match=r"Train and test in \S+ both have an image b\. .* rename one"):
            FolderDataset(root, split)


def test_a_label_of_another_size_is_refused(draw):
    root = draw(["a.png"])
    save(LABEL[:2] * 255, root / "labels/a.png")
    with pytest.raises(DataError, match=r"image a differ in size: 3 x 4 .*images/a\.png, 2 x 4 .*labels/a\.png"):
        _ = FolderDataset(root, "train")[0]


def test_with_more_classes_a_label_holds_their_indices(draw):
    label = np.array([[0, 1, 2, 2], [255, 0, 1, 0], [1, 0, 0, 2]], dtype=np.uint8)
    dataset = FolderDataset(draw(["a.png", "b.png"], label=label), "train", **THREE)
    assert dataset[0].target.tolist() == label.tolist() and dataset[0].target.dtype == torch.uint8
    assert dataset.subset(["b"])[0].target.tolist() == label.tolist()


def test_with_more_classes_a_label_of_black_and_white_is_refused(draw):
    root = draw(["a.png"], label=LABEL * 100)
    with pytest.raises(DataError, match=r"label of image a holds the values 0, 100: \S*a\.png, expected 0 to 2 \(back"):
        _ = FolderDataset(root, "train", **THREE)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ["vessel"]}, r"classes must be a list of 2 to 255 .* found \['vessel'\]"),
        ({"classes": "ab"}, r"classes must be a list .* found ab"),
        ({"classes": ["a", "a"]}, r"different names"),
        ({"classes": ["a", 1]}, r"classes must be a list"),
        ({"classes": ["a", {"b": 1}]}, r"classes must be a list"),
        ({"classes": ["a", "b/c"]}, r"without / \\ : and control characters"),
        ({"classes": ["a", "b\n"]}, r"control characters"),
        ({"classes": ["a", "\x1b[31mred"]}, r"control characters"),
        ({"classes": ["a", "disc", "Disc"]}, r"different names"),
        ({"classes": ["a", "\xe9", "e\u0301"]}, r"different names"),
        ({"classes": [f"{number}" for number in range(256)]}, r"list of 2 to 255"),
        *(({"groups": one}, r"data\.dataset\.groups must be a pattern as text") for one in ("", 5, ["(P1)"])),
        ({"name": "a/b"}, r"name must be a name without / \\ and :, found a/b"),
        ({"name": ""}, r"name must be a name"),
        ({"name": ".."}, r"name must be a name"),
        ({"fov": "found"}, r"fov must be mask, auto or none"),
    ],
    ids=str,
)
def test_wrong_values_are_refused(draw, options, message):
    with pytest.raises(ConfigError, match=message):
        FolderDataset(draw(["a.png"]), "train", **options)


def test_what_is_not_typed_is_taken_from_the_description(draw):
    root = draw(["P1_a.png", "P1_b.png", "P2_a.png"])
    write_description(root, Description("cells", ["background", "cell"], "(P[0-9])_", task="regions"))
    dataset = FolderDataset(root, "train")
    assert (dataset.name, dataset.classes, dataset.groups) == ("cells", ["background", "cell"], ["P1", "P1", "P2"])
    assert dataset.subset(["P1_a"]).task == "regions"
    typed = FolderDataset(root, "train", classes=["background", "nucleus"], name="mine", groups="(.+)")
    assert (typed.name, typed.classes, typed.groups) == ("mine", ["background", "nucleus"], None)


@pytest.mark.parametrize(
    "augment",
    [
        scale_flip_crop(24, 12, 40),
        turn_flip_crop(24, 0.2, 0.2, 0.2),
        rotate_zoom_crop(24, 90, (0.7, 1.4), 0.2, 0.2, 0.2),
    ],
    ids=["scale", "turn", "rotate"],
)
def test_augmentation_and_batches_make_no_new_class(tmp_path, augment):
    rng = np.random.default_rng(0)
    for number in range(3):
        size = (18 + number, 20)
        save(rng.integers(0, 256, (*size, 3), dtype=np.uint8), tmp_path / f"images/{number}.png")
        save(rng.integers(0, 5, size, dtype=np.uint8), tmp_path / f"labels/{number}.png")

    def dataset(root, split):
        return FolderDataset(root, split, classes=["background", "a", "b", "c", "d"])

    data = SegmentationDataModule(dataset, tmp_path, augment, val_ids=["2"], batch_size=2, repeats=4)
    data.setup("fit")
    for batch in data.train_dataloader():
        assert batch.target.dtype == torch.int64
        assert {0, 1, 2, 3, 4} <= set(batch.target.unique().tolist()) <= {0, 1, 2, 3, 4, IGNORE}
    whole = next(iter(data.val_dataloader()))
    assert torch.equal(whole.target[0], data.val[0].target.long())
    padded = collate([sample._replace(image=sample.image.float()) for sample in data.train])
    assert padded.target[0, 18:].unique().tolist() == [IGNORE]
    assert data.state_dict()["classes"] == ["background", "a", "b", "c", "d"]


def test_a_label_belongs_to_its_photograph_in_either_form_of_an_accent(draw):
    root = draw([f"{unicodedata.normalize('NFD', 'é')}.png"])
    (root / "labels" / unicodedata.normalize("NFD", "é.png")).rename(root / "labels" / "é.png")
    dataset = FolderDataset(root, "train")
    assert dataset.image_ids == ["é"]
    assert len([*dataset]) == 1


def test_a_control_character_is_no_part_of_a_class(draw):
    with pytest.raises(ConfigError, match="list of 2 to 255 different names"):
        FolderDataset(draw(["a.png"]), "train", classes=["background", "ves\x1bsel"])


def test_maps_of_two_images_do_not_get_one_name(draw):
    root = draw(["a.png", "a_b.png"])
    with pytest.raises(ConfigError, match="image a with class b_c and image a_b with class c would have one name"):
        FolderDataset(root, "train", classes=["background", "b_c", "c"])
    FolderDataset(root, "train", classes=["background", "c"])


def test_a_validation_image_that_is_a_copy_of_a_training_image_is_warned_of(tmp_path, caplog):
    pictures = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    noisy = (pictures[2] // 2 + 60).astype(np.uint8)  # other pixels, the same look
    for name, pixels in zip("abcdef", [*pictures, pictures[0], noisy], strict=True):
        save(pixels, tmp_path / f"images/{name}.png")
        save((pixels[..., 0] % 64 < 5 * (ord(name) - 96)).astype(np.uint8) * 255, tmp_path / f"labels/{name}.png")
    SegmentationDataModule(FolderDataset, tmp_path, turn_flip_crop(8, 0, 0, 0), val_ids=["b", "e", "f"]).setup("fit")
    assert [message.partition(",")[0] for message in caplog.messages if "is to validate on" in message] == [
        "Image e is to validate on and is a copy of a",
        "Image f is to validate on and looks like c",
    ]


def test_labels_of_two_classes_may_hold_a_grey_of_pixels_to_ignore(draw):
    root = draw(["a.png", "b.png"])
    save(np.array([[0, 128, 255, 0]] * 3, np.uint8), root / "labels/a.png")
    with pytest.raises(DataError, match="grey values"):
        _ = FolderDataset(root, "train")[0]
    write_description(root, Description(ignore=128))
    assert [sample.target[0].tolist() for sample in FolderDataset(root, "train")] == [[0, IGNORE, 1, 0], [0, 1, 0, 1]]
    save(np.array([[0, 127, 255, 0]] * 3, np.uint8), root / "labels/a.png")
    with pytest.raises(
        DataError, match=r"holds 0, 127, 255 \(Pillow mode L\): \S+a\.png\. Black .* and 128 \(ignored\)"
    ):
        _ = FolderDataset(root, "train")[0]
