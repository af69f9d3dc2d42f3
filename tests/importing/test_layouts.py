import pytest

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.layouts import files_of, holds_labels


@pytest.fixture
def tree(tmp_path):
    """Empty files in a folder."""

    def tree(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return tree


def found(root, **options):
    return {
        files.image_id: (files.split, *sorted(path.relative_to(root).as_posix() for path in files.labels))
        for files in files_of(root, options)
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("images/a.png", "masks/a.png"), {"a": (None, "masks/a.png")}),
        (("imgs/a.jpg", "GT/a_gt.png"), {"a": (None, "GT/a_gt.png")}),
        (("JPEGImages/a.jpg", "SegmentationClass/a.png", "SegmentationObject/a.png"),
         {"a": (None, "SegmentationClass/a.png")}),
        (("a.jpg", "a_mask.png", "b.jpg", "b-gt.png"), {"a": (None, "a_mask.png"), "b": (None, "b-gt.png")}),
        (("P1_L.png", "P1_L_mask.png", "P1_R.png", "P1_R_mask.png"),
         {"P1_L": (None, "P1_L_mask.png"), "P1_R": (None, "P1_R_mask.png")}),
        (("train/images/a.png", "train/labels/a.png", "val/images/b.png", "val/labels/b.png"),
         {"a": ("train", "train/labels/a.png"), "b": ("val", "val/labels/b.png")}),
        (("train/a.png", "train_labels/a_L.png", "test/b.png", "test_labels/b_L.png"),
         {"a": ("train", "train_labels/a_L.png"), "b": ("test", "test_labels/b_L.png")}),
        (("train/a.png", "trainannot/a.png"), {"a": ("train", "trainannot/a.png")}),
        (("images/train/a.png", "labels/train/a.png"), {"a": ("train", "labels/train/a.png")}),
        (("training/a.png", "training/a_seg.png"), {"a": ("train", "training/a_seg.png")}),
        (("n1/images/x.png", "n1/masks/1.png", "n1/masks/2.png"), {"n1": (None, "n1/masks/1.png", "n1/masks/2.png")}),
        (("images/a.png", "masks/a/1.png", "masks/a/2.png"), {"a": (None, "masks/a/1.png", "masks/a/2.png")}),
        (("images/a.png", "labels/disc/a.png", "labels/cup/a.png"),
         {"a": (None, "labels/cup/a.png", "labels/disc/a.png")}),
        (("images/a.png", "labels/a_disc.png", "labels/a_cup_mask.png"),
         {"a": (None, "labels/a_cup_mask.png", "labels/a_disc.png")}),
        (("images/a.npy", "labels/a.npy"), {"a": (None, "labels/a.npy")}),
    ],
    ids=str,
)  # fmt: skip
def test_usual_layouts_are_found(tree, names, expected):
    root = tree(*names)
    assert found(root) == expected
    assert holds_labels(root)


def test_what_a_file_adds_to_the_name_of_its_photograph_is_its_class(tree):
    (files,) = files_of(tree("images/a_1.png", "labels/a_1_disc.png", "labels/a_1_cup_mask.png"), {})
    assert sorted(files.labels.values()) == ["cup", "disc"]
    root = tree("more/images/a_1.png", "more/labels/disc/a_1.png", "more/labels/a_1/cup.png")
    (files,) = files_of(root / "more", {})
    assert sorted(files.labels.values()) == ["cup", "disc"]


def test_masks_beside_labels_are_asked_about(tree):
    root = tree("images/a.png", "labels/a.png", "masks/a.png")
    with pytest.raises(
        DataError, match=r"nothing tells what the masks are\. .*--fov masks.* --labels labels or --labels m"
    ):
        files_of(root, {})
    (files,) = files_of(root, {"fov": "masks"})
    assert (files.fov, [*files.labels]) == (root / "masks/a.png", [root / "labels/a.png"])
    (files,) = files_of(root, {"labels": "masks"})
    assert (files.fov, [*files.labels]) == (None, [root / "masks/a.png"])


def test_fields_of_view_are_found_by_their_folder_and_their_ending(tree):
    root = tree("a/images/1.png", "a/labels/1.png", "a/fov/1_fov.png", "b/1.png", "b/1_mask.png", "b/1_fov.png")
    assert files_of(root / "a", {})[0].fov == root / "a/fov/1_fov.png"
    assert files_of(root / "b", {})[0].fov == root / "b/1_fov.png"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("images/a.png", "images/b.png", "masks/a.png"), r"No label in \S+masks for the photograph b: each needs one"),
        (("images/a.png", "masks/a.png", "masks/c.png"), r"No photograph in \S+images for \S+c\.png: give both"),
        (("a.png", "a_mask.png", "b_mask.png"), r"No photograph in \S+ for \S+b_mask\.png"),
        (("a.png", "b.png"), r"No photographs with labels in \S+: looked for images/ with labels/"),
        (("images/1_image.png", "images/1_raw.png", "masks/1_mask.png"), r"No photograph in \S+images for"),
        (("images/a.png", "gt/a.png", "labels/a.png"), r"holds gt and labels: name one by --labels"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_named(tree, names, message):
    with pytest.raises(DataError, match=message):
        files_of(tree(*names), {})


def test_a_folder_without_labels_is_not_recognised(tree):
    assert not holds_labels(tree("images/a.png", "annotations/a.json"))


def test_a_folder_of_an_image_that_is_unlike_the_others_is_named(tree):
    root = tree("n1/images/x.png", "n1/masks/1.png", "n2/images/y.png", "n3/images/z.png", "n3/masks/1.png")
    with pytest.raises(DataError, match=r"others are \S+n2 \(1 photographs, 0 labels\)\. Add what is missing"):
        files_of(root, {})
    assert holds_labels(root)
    assert [*found(root, empty="background")] == ["n1", "n2", "n3"]
    assert [*found(root, empty="leave-out")] == ["n1", "n3"]


@pytest.mark.parametrize("option", ["images", "labels", "fov"])
def test_a_folder_that_is_named_must_be_there(tree, option):
    with pytest.raises(ConfigError, match=rf"No folder nope in \S+ or in a folder of it, as --{option} says"):
        files_of(tree("images/a.png", "masks/a.png"), {option: "nope"})
    assert found(tree("train/images/a.png", "train/drawn/a.png"), labels="drawn")


def test_fields_of_view_may_lie_in_folders_of_splits(tree):
    root = tree("images/train/a.png", "labels/train/a.png", "fov/train/a.png")
    assert files_of(root, {})[0].fov == root / "fov/train/a.png"
