import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.fundus import FundusDataset, Record, read_binary, read_photo, read_sample, read_target
from unet_lightning.errors import ConfigError, DataError

DRAWN = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=np.uint8)
FOV = np.array([[0, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]], dtype=np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)


def save(values, path, **options):
    Image.fromarray(values).save(path, **options)


def palette(values, black, white):
    image = Image.fromarray(values, "P")
    image.putpalette([*black, *white])
    return image


@pytest.fixture
def record(tmp_path):
    save(PHOTO, tmp_path / "photo.tif", compression="tiff_lzw")
    save(DRAWN * 255, tmp_path / "label.gif")
    save(FOV * 255, tmp_path / "fov.gif")
    return Record("21", tmp_path / "photo.tif", tmp_path / "label.gif", tmp_path / "fov.gif")


def test_target_is_1_on_vessels_0_on_background_and_255_outside_the_field_of_view(record):
    sample = read_sample(record)
    assert sample.target.tolist() == [[255, 1, 0, 1], [0, 0, 1, 0], [255, 0, 0, 255]]
    assert sample.image.tolist() == PHOTO.transpose(2, 0, 1).tolist()
    assert sample.image.dtype == sample.target.dtype == torch.uint8
    assert sample.image_id == "21"


def test_without_a_mask_every_pixel_counts(record):
    assert read_target(Record("21", record.photo, record.label), record.label, "label").tolist() == DRAWN.tolist()


def test_second_observer_is_read_within_the_same_field_of_view(record):
    save((1 - DRAWN) * 255, record.label.with_name("second.gif"))
    both = Record("21", record.photo, record.label, record.fov, record.label.with_name("second.gif"))
    dataset = FundusDataset([record, both])
    assert dataset.second_target(0) is None
    assert dataset.second_target(1).tolist() == [[255, 0, 1, 0], [1, 1, 0, 1], [255, 1, 1, 255]]


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(DRAWN * 255),
        Image.fromarray(DRAWN),
        Image.fromarray(DRAWN * 255).convert("1"),
        palette(DRAWN, (4, 2, 4), (252, 254, 252)),  # DRIVE's second observer
        palette(1 - DRAWN, (255, 255, 255), (0, 0, 0)),  # indices do not say what is white
    ],
    ids=["grey-0-255", "grey-0-1", "one-bit", "palette-of-drive", "inverted-palette"],
)
def test_every_form_of_a_mask_gives_the_same_truth_values(tmp_path, image):
    image.save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as saved:
        assert saved.mode == image.mode
    assert read_binary(tmp_path / "mask.png", "mask").tolist() == DRAWN.astype(bool).tolist()


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(DRAWN * 253 + 1),
        Image.fromarray(np.array([[0, 1, 255]], dtype=np.uint8)),
        palette(DRAWN, (20, 20, 20), (255, 255, 255)),
    ],
    ids=["nearly-black-and-white", "three-values", "grey-palette"],
)
def test_grey_values_are_refused(tmp_path, image):
    image.save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"The mask has grey values: \S*mask\.png .*threshold it"):
        read_binary(tmp_path / "mask.png", "mask")


def test_empty_label_is_a_label(tmp_path):
    save(DRAWN * 0, tmp_path / "label.png")
    assert not read_binary(tmp_path / "label.png", "label").any()


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("photo.tif", lambda path: path.unlink(), r"No photograph: looked for \S*photo\.tif"),
        ("label.gif", lambda path: path.unlink(), r"No label of image 21: looked for \S*label\.gif"),
        (
            "photo.tif",
            lambda path: path.write_text("no photograph"),
            r"photograph is not an image: \S*photo\.tif\. Expected TIFF",
        ),
        (
            "photo.tif",
            lambda path: save(PHOTO[..., 0].astype(np.uint16), path),
            r"photo\.tif has Pillow mode I;16: 8 bits .* Convert it to 8-bit",
        ),
        ("photo.tif", lambda path: save(PHOTO[..., 0].astype(np.float32), path), r"photo\.tif has Pillow mode F"),
        (
            "photo.tif",
            lambda path: save(PHOTO[:2], path),
            r"image 21 differ in size: 2 x 4 .*photo\.tif, 3 x 4 .*label\.gif\. Both must",
        ),
        (
            "fov.gif",
            lambda path: save(FOV[:, :3] * 255, path),
            r"image 21 differ in size: 3 x 4 .*label\.gif, 3 x 3 .*fov\.gif\. Both must",
        ),
        ("fov.gif", lambda path: save(FOV * 0, path), r"mask of image 21 is empty: \S*fov\.gif"),
        ("fov.gif", lambda path: save(FOV * 100, path), r"field-of-view mask of image 21 has grey values: \S*fov\.gif"),
    ],
    ids=["no-photo", "no-label", "text", "16-bit", "float", "photo-size", "fov-size", "empty-fov", "grey-fov"],
)
def test_what_is_wrong_with_a_file_is_named(record, name, spoil, message):
    spoil(record.photo.with_name(name))
    with pytest.raises(DataError, match=message):
        read_sample(record)


# Pillow warns of the missing directory of a cut TIFF before it gives up.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
@pytest.mark.parametrize("name", ["photo.tif", "photo.png", "photo.jpg"])
def test_half_a_file_is_refused(tmp_path, name):
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    save(noise, path := tmp_path / name, **({"compression": "tiff_lzw"} if name == "photo.tif" else {}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"photograph is (not an image|broken): \S*{name}.*(Expected TIFF|Copy it)"):
        read_photo(path)


@pytest.mark.parametrize("limit", [11, 5], ids=["where-pillow-warns", "where-pillow-refuses"])
def test_more_pixels_than_pillow_allows_are_refused(record, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)  # the photograph has 12
    with pytest.raises(DataError, match=rf"more than {limit} pixels: \S*photo\.tif\. Cut or shrink"):
        read_photo(record.photo)


def test_grey_photograph_has_three_equal_channels(tmp_path):
    save(PHOTO[..., 0], tmp_path / "grey.png")
    assert read_photo(tmp_path / "grey.png").tolist() == [PHOTO[..., 0].tolist()] * 3


def test_alpha_channel_is_dropped(tmp_path):
    save(np.concatenate([PHOTO, PHOTO[..., :1]], axis=2), tmp_path / "alpha.png")
    assert read_photo(tmp_path / "alpha.png").tolist() == PHOTO.transpose(2, 0, 1).tolist()


def test_samples_are_decoded_once(record):
    dataset = FundusDataset([record])
    first = dataset[0]
    record.photo.unlink()
    assert dataset[0] is dataset.samples[0] is first


def test_subset_has_the_order_asked_for(tmp_path):
    dataset = FundusDataset(Record(name, tmp_path, tmp_path) for name in ("a", "b", "c"))
    chosen = dataset.subset(["c", "a"])
    assert chosen.image_ids == ["c", "a"] and len(chosen) == 2
    assert dataset.image_ids == ["a", "b", "c"]


@pytest.mark.parametrize("unknown", ["d", 1], ids=["text", "a-number-as-yaml-reads-it"])
def test_subset_refuses_unknown_ids(tmp_path, unknown):
    dataset = FundusDataset(Record(name, tmp_path, tmp_path) for name in ("a", "b", "1"))
    with pytest.raises(
        ConfigError, match=rf"No image {unknown} in this split of fundus: it has a, b, 1\. .*write '01'"
    ):
        dataset.subset(["a", unknown])
