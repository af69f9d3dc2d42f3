import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from unet_lightning.data import decoded
from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.errors import ConfigError, DataError

DRAWN = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=np.uint8)
FOV = np.array([[0, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]], dtype=np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)


def save(values, path, **options):
    Image.fromarray(values).save(path, **options)
    return path


@pytest.fixture
def files(tmp_path):
    save(PHOTO, tmp_path / "photo.tif", compression="tiff_lzw")
    save(DRAWN * 255, tmp_path / "label.gif")
    save(FOV * 255, tmp_path / "fov.gif")
    return ImageFiles("21", tmp_path / "photo.tif", tmp_path / "label.gif", tmp_path / "fov.gif")


@pytest.fixture
def disc(tmp_path):
    """A bright disc before a dark ground, with a label of lines that run through both, and a mask of the left half."""
    y, x = np.mgrid[:60, :60]
    inside = (y - 30) ** 2 + (x - 30) ** 2 <= 24**2
    save(np.where(inside[..., None], (200, 120, 60), (3, 2, 1)).astype(np.uint8), tmp_path / "disc.png")
    for name, values in (("label", y % 6 == 0), ("second", x % 6 == 0), ("fov", x < 30)):
        save(values.astype(np.uint8) * 255, tmp_path / f"{name}.png")
    return ImageFiles("1", *(tmp_path / f"{name}.png" for name in ("disc", "label", "fov", "second")))


def test_target_is_1_on_vessels_0_on_background_and_255_outside_the_field_of_view(files):
    sample = SegmentationDataset([files])[0]
    assert sample.target.tolist() == [[255, 1, 0, 1], [0, 0, 1, 0], [255, 0, 0, 255]]
    assert sample.image.tolist() == PHOTO.transpose(2, 0, 1).tolist()
    assert sample.image.dtype == sample.target.dtype == torch.uint8
    assert sample.image_id == "21"


def test_without_a_mask_every_pixel_counts(files):
    dataset = SegmentationDataset([replace(files, fov=None)])
    assert dataset[0].target.tolist() == DRAWN.tolist()
    assert dataset.field_of_view(0) is None and dataset.region == "whole image"


def test_second_observer_is_read_within_the_same_field_of_view(files):
    save((1 - DRAWN) * 255, files.label.with_name("second.gif"))
    dataset = SegmentationDataset(
        [files, replace(files, image_id="22", second_label=files.label.with_name("second.gif"))]
    )
    assert dataset.second_target(0) is None
    assert dataset.second_target(1).tolist() == [[255, 0, 1, 0], [1, 1, 0, 1], [255, 1, 1, 255]]


def test_the_field_of_view_is_the_mask_or_found_or_the_whole_image(disc):
    y, x = np.mgrid[:60, :60]
    inside = torch.from_numpy((y - 30) ** 2 + (x - 30) ** 2 <= 24**2)
    masked, found, whole = (SegmentationDataset([disc], fov=fov) for fov in ("mask", "auto", "none"))
    assert torch.equal(masked.field_of_view(0), torch.from_numpy(x < 30))
    both, either = found.field_of_view(0) & inside, found.field_of_view(0) | inside
    assert both.sum() / either.sum() > 0.9
    assert whole.field_of_view(0) is None
    assert [dataset.region for dataset in (masked, found, whole)] == [
        "field of view, masks of the data set",
        "field of view, found in the photographs",
        "whole image",
    ]


@pytest.mark.parametrize("fov", ["mask", "auto", "none"])
def test_both_observers_are_ignored_outside_the_same_field_of_view(disc, fov):
    dataset = SegmentationDataset([disc], fov=fov)
    field = dataset.field_of_view(0)
    outside = torch.zeros(60, 60, dtype=torch.bool) if field is None else ~field
    for target in (dataset[0].target, dataset.second_target(0)):
        assert torch.equal(target == 255, outside)
        assert set(target[~outside].tolist()) == {0, 1}


def test_a_field_of_view_is_found_once_a_photograph(disc, monkeypatch):
    calls = []
    found = decoded.find_field_of_view
    monkeypatch.setattr(decoded, "find_field_of_view", lambda photo: calls.append(photo) or found(photo))
    dataset = SegmentationDataset([disc], fov="auto")
    for _ in range(2):
        _ = dataset.field_of_view(0), [*dataset], dataset.second_target(0)
    assert len(calls) == 1


@pytest.mark.parametrize("fov", ["masks", None, True])
def test_another_field_of_view_is_refused(files, fov):
    with pytest.raises(ConfigError, match=rf"data\.dataset\.fov must be mask, auto or none, found {fov}\."):
        SegmentationDataset([files], fov=fov)


def test_where_one_image_cannot_be_read_there_are_no_samples_of_the_others(files):
    dataset = SegmentationDataset([files, replace(files, image_id="22", label=files.label.with_name("gone.gif"))])
    for _ in range(2):
        with pytest.raises(DataError, match=r"No label of image 22: looked for \S*gone\.gif"):
            _ = [*dataset]


def test_photographs_without_labels_can_be_predicted_and_not_measured(files):
    unlabelled = replace(files, image_id="22", label=None, second_label=files.label)
    dataset = SegmentationDataset([files, unlabelled])
    assert dataset.photo(1).tolist() == PHOTO.transpose(2, 0, 1).tolist()
    assert dataset.field_of_view(1).tolist() == FOV.astype(bool).tolist()
    for ask in (lambda: [*dataset], lambda: dataset[0], lambda: dataset.second_target(1)):
        with pytest.raises(DataError, match=r"No label for image 22 of dataset.* Predict it, or add its label"):
            ask()
    assert dataset.subset(["21"])[0].image_id == "21"


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("photo.tif", lambda path: path.unlink(), r"No photograph: looked for \S*photo\.tif"),
        ("label.gif", lambda path: path.unlink(), r"No label of image 21: looked for \S*label\.gif"),
        (
            "photo.tif",
            lambda path: path.write_text("no photograph", encoding="utf-8"),
            r"photograph is not an image: \S*photo\.tif\. Expected TIFF",
        ),
        (
            "photo.tif",
            lambda path: save(PHOTO[:2], path),
            r"image 21 differ in size: 2 x 4 .*photo\.tif, 3 x 4 .*gif\. Both must come from the same photograph\.$",
        ),
        (
            "label.gif",
            lambda path: save(DRAWN.T * 255, path),
            r"Photograph and label of image 21 .* 3 x 4 .* 4 x 3 .*orientation tag is applied",
        ),
        (
            "fov.gif",
            lambda path: save(FOV[:, :3] * 255, path),
            r"image 21 differ in size: 3 x 4 .*photo\.tif, 3 x 3 .*fov\.gif\. Both must",
        ),
        ("fov.gif", lambda path: save(FOV * 0, path), r"mask of image 21 is empty: \S*fov\.gif"),
        ("fov.gif", lambda path: save(FOV * 100, path), r"field-of-view mask of image 21 has grey values: \S*fov\.gif"),
    ],
    ids=["no-photo", "no-label", "text", "photo-size", "label-turned", "fov-size", "empty-fov", "grey-fov"],
)
def test_what_is_wrong_with_a_file_is_named(files, name, spoil, message):
    spoil(files.photo.with_name(name))
    with pytest.raises(DataError, match=message):
        _ = [*SegmentationDataset([files])]


def test_a_second_label_of_another_size_is_refused(files):
    second = save(DRAWN[:2] * 255, files.label.with_name("second.gif"))
    with pytest.raises(DataError, match=r"second observer of image 21 differ in size: 3 x 4 .* 2 x 4 .*second\.gif"):
        SegmentationDataset([replace(files, second_label=second)]).second_target(0)


def turned(path, values, tag):
    """Stores pixels with an orientation tag."""
    exif = Image.Exif()
    exif[274] = tag
    return save(values, path, **({"exif": exif} if tag else {}))


SQUARE = np.random.default_rng(2).integers(0, 2, (4, 4), dtype=np.uint8)
UPSIDE_DOWN, ASIDE, OTHER_SIDE = 3, 6, 8


@pytest.mark.parametrize("what", ["label", "fov"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    ("drawn", "photo_tag", "tag"),
    [
        *((DRAWN, UPSIDE_DOWN, None), (DRAWN, UPSIDE_DOWN, 1), (DRAWN, None, UPSIDE_DOWN), (DRAWN, 2, 4)),
        *((SQUARE, ASIDE, 1), (DRAWN, ASIDE, OTHER_SIDE), (SQUARE, ASIDE, UPSIDE_DOWN)),
    ],
)
def test_a_label_that_may_be_turned_against_its_photograph_is_refused(tmp_path, what, suffix, drawn, photo_tag, tag):
    photo = turned(tmp_path / "photo.tif", np.stack([drawn] * 3, axis=2), photo_tag)
    paths = {"label": save(drawn * 255, tmp_path / "label.png"), "fov": None}
    paths[what] = turned(tmp_path / f"{what}.{suffix}", np.maximum(drawn, 1 - drawn.flat[0]) * 255, tag)
    if what == "fov":
        paths["label"] = turned(tmp_path / "label.png", drawn * 255, photo_tag)
    expected = rf"photograph \S*photo\.tif has orientation tag {photo_tag or 1} and the .* of image 21 \S* {tag or 1} "
    with pytest.raises(DataError, match=expected + r".*-auto-orient.* remove the tag"):
        _ = [*SegmentationDataset([ImageFiles("21", photo, **paths)])]


@pytest.mark.parametrize("tag", [2, UPSIDE_DOWN, ASIDE, OTHER_SIDE])
def test_photograph_and_label_that_are_turned_alike_stay_together(tmp_path, tag):
    photo = turned(tmp_path / "photo.tif", np.stack([DRAWN * 255] * 3, axis=2), tag)
    sample = SegmentationDataset([ImageFiles("21", photo, turned(tmp_path / "label.png", DRAWN * 255, tag))])[0]
    assert torch.equal(sample.image[0] > 127, sample.target == 1)


def test_where_the_sizes_prove_that_a_label_was_drawn_on_the_upright_photograph_it_is_taken(tmp_path):
    photo = turned(tmp_path / "photo.tif", np.stack([np.rot90(DRAWN * 255)] * 3, axis=2), ASIDE)
    sample = SegmentationDataset([ImageFiles("21", photo, save(DRAWN * 255, tmp_path / "label.png"))])[0]
    assert torch.equal(sample.image[0] > 127, sample.target == 1)


def test_samples_are_decoded_once_and_share_the_photograph(files):
    dataset = SegmentationDataset([files])
    first = dataset[0]
    files.photo.unlink()
    again = dataset[0]
    assert again.image.data_ptr() == dataset.photo(0).data_ptr() == first.image.data_ptr()
    assert torch.equal(again.target, first.target)


def test_subset_has_the_order_asked_for(tmp_path):
    dataset = SegmentationDataset(ImageFiles(name, tmp_path, tmp_path) for name in ("a", "b", "c"))
    chosen = dataset.subset(["c", "a"])
    assert chosen.image_ids == ["c", "a"] and len(chosen) == 2
    assert dataset.image_ids == ["a", "b", "c"]


def test_subset_keeps_what_the_data_set_is_and_nothing_that_it_has_read(files):
    dataset = SegmentationDataset([replace(files, image_id=image_id) for image_id in ("a", "b")], fov="none")
    dataset.name, dataset.classes = "mine", ["background", "vessel"]
    _ = [*dataset], dataset.field_of_view(0)
    chosen = dataset.subset(["b"])
    assert (chosen.name, chosen.classes, chosen.fov) == ("mine", ["background", "vessel"], "none")
    assert [sample.image_id for sample in chosen] == ["b"]
    assert [sample.image_id for sample in dataset] == ["a", "b"]


def test_an_image_that_is_given_twice_is_refused(files):
    with pytest.raises(DataError, match=r"Images are given twice: 21\. Each counts once"):
        SegmentationDataset([files, replace(files, photo=files.label)])
    with pytest.raises(DataError, match=r"Images are given twice: 21\."):
        SegmentationDataset([files]).subset(["21", "21"])


@pytest.mark.parametrize("unknown", ["d", 1], ids=["text", "a-number-as-yaml-reads-it"])
def test_subset_refuses_unknown_ids(tmp_path, unknown):
    dataset = SegmentationDataset(ImageFiles(name, tmp_path, tmp_path) for name in ("a", "b", "1"))
    with pytest.raises(
        ConfigError, match=rf"No image {unknown} in this split of dataset: it has a, b, 1\. .*write '01'"
    ):
        dataset.subset(["a", unknown])


def test_a_data_set_can_be_sent_to_another_process_with_what_it_has_read(files):
    dataset = SegmentationDataset([files])
    _ = [*dataset], dataset.field_of_view(0)
    files.photo.unlink()
    image, target, image_id = pickle.loads(pickle.dumps(dataset))[0]
    assert (type(image), type(target), image_id) == (tv_tensors.Image, tv_tensors.Mask, "21")
    assert torch.equal(image, dataset[0].image) and torch.equal(target, dataset[0].target)
