import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data.content import NEAR, alike, digest, look
from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary, read_classes


@pytest.fixture(scope="module")
def picture():
    """Smooth random colours, as different from one another as photographs are."""

    def make(seed, size=(96, 80)):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)

    return make


def tensor(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.bmp", {}),
        ("b.tif", {"compression": "tiff_lzw"}),
        ("c.png", {"compress_level": 9}),
        ("d.webp", {"lossless": True}),
    ],
)
def test_a_photograph_has_one_digest_in_every_format_without_loss(picture, tmp_path, name, options):
    picture(1).save(tmp_path / "photo.png")
    picture(1).save(tmp_path / name, **options)
    assert digest(read_photo(tmp_path / name)) == digest(read_photo(tmp_path / "photo.png"))


def test_one_grey_level_of_one_pixel_or_another_shape_is_another_digest():
    photo = torch.zeros(3, 4, 6, dtype=torch.uint8)
    changed = photo.clone()
    changed[1, 2, 3] = 1
    assert len({digest(one) for one in (photo, changed, photo.mT, photo[0], photo.reshape(3, 2, 12))}) == 5


def test_a_label_has_one_digest_however_it_is_stored(tmp_path):
    label = np.random.default_rng(0).integers(0, 2, (5, 7), dtype=np.uint8)
    for name, image in {
        "255.png": Image.fromarray(label * 255),
        "1.png": Image.fromarray(label),
        "bits.tif": Image.fromarray(label.astype(bool)),
    }.items():
        image.save(tmp_path / name)
    found = {digest(read_binary(path, "label").to(torch.uint8)) for path in tmp_path.iterdir()}
    assert found == {digest(read_classes(tmp_path / "1.png", "label", ["a", "b", "c"]))}


def test_content_tells_label_and_field_of_view_apart_from_the_photograph(picture, tmp_path):
    for name, image in (
        ("photo", picture(1)),
        ("label", Image.new("L", (96, 80))),
        ("other", Image.new("L", (96, 80), 255)),
    ):
        image.save(tmp_path / f"{name}.png")
    photo, label, other = (tmp_path / f"{name}.png" for name in ("photo", "label", "other"))
    contents = [
        SegmentationDataset([ImageFiles("1", photo, *files)]).content(0)
        for files in [(label, other), (other, other), (label, None), (None, None)]
    ]
    whole, relabelled, without_mask, bare = contents
    assert {name for name in whole if whole[name] != relabelled[name]} == {"label"}
    assert whole["label"] == without_mask["label"]  # also where fewer pixels count
    assert whole.keys() - without_mask.keys() == {"fov"} and bare.keys() == {"photograph", "look"}


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file)


COPIES = {
    "jpeg": jpeg,
    "resized": lambda image: image.resize((94, 78), Image.Resampling.BICUBIC),
    "brighter": lambda image: image.point(lambda value: min(255, int(value * 1.05))),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_near_copy_looks_alike_and_another_photograph_does_not(picture, copy):
    looks = [look(tensor(picture(seed))) for seed in range(30)]
    assert alike(tensor(copy(picture(7))), looks) == looks[7]
    assert alike(tensor(copy(picture(31))), looks) is None


def test_a_large_photograph_looks_like_its_small_copy(picture):
    assert alike(tensor(picture(3, (2400, 2100))), [look(tensor(picture(seed))) for seed in range(5)]) is not None


def test_pictures_of_one_grey_look_like_nothing():
    black, grey = (torch.full((3, 20, 20), value, dtype=torch.uint8) for value in (0, 90))
    assert alike(black, [look(grey)]) is None


def test_no_two_photographs_of_drive_and_chase_look_alike_and_their_jpegs_do(real_drive):
    chase = os.environ.get("CHASE_DB1_ROOT", "")
    files = [*real_drive.glob("*/images/*.tif"), *(Path(chase).glob("Image_*.jpg") if chase else ())]
    photos = [Image.open(path).convert("RGB") for path in sorted(files)]
    looks = [look(tensor(photo)) for photo in photos]
    bits = np.array([np.unpackbits(np.frombuffer(bytes.fromhex(one), np.uint8)) for one in looks])
    different = (bits[:, None] != bits[None]).sum(-1)[np.triu_indices(len(bits), 1)]
    assert different.min() > NEAR
    for photo, own in zip(photos[::9], looks[::9], strict=True):
        smaller = photo.resize((round(0.98 * photo.width), round(0.98 * photo.height)))
        assert alike(tensor(jpeg(photo)), looks) == alike(tensor(smaller), looks) == own
