"""Files of every kind that a camera, a scanner or an annotation tool leaves."""

import gzip
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from unet_lightning.data import reading
from unet_lightning.data.reading import read_binary, read_classes, read_photo
from unet_lightning.errors import DataError

DRAWN = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (3, 4, 3)).astype(np.uint16)
CLASSES = ["background", "artery", "vein"]


def save(values, path, **options):
    Image.fromarray(values).save(path, **options)
    return path


def palette(values, *colours):
    image = Image.fromarray(values, "P")
    image.putpalette([level for colour in colours for level in colour])
    return image


def write_png(values, path):
    """A 16-bit PNG by hand: Pillow writes no 16-bit colour."""
    height, width, channels = values.shape

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def write_tiff(values, path, order="<"):
    """A 16-bit TIFF by hand, in either byte order, as scanners write them."""
    height, width, channels = values.shape
    pixels = values.astype(f"{order}u2").tobytes()
    end = 8 + len(pixels)
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    tags = [(256, width), (257, height), (259, 1), (262, 1 if channels == 1 else 2), (273, 8), (277, channels)]
    entries = {tag: struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in [*tags, (279, len(pixels))]}
    after = end + 2 + 12 * (len(entries) + 1) + 4  # where the bits of the channels stand if they do not fit
    value = bits.ljust(4, b"\0") if channels <= 2 else struct.pack(f"{order}I", after)
    entries[258] = struct.pack(f"{order}HHI", 258, 3, channels) + value
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    path.write_bytes(
        (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, end) + pixels + directory + bits
    )
    return path


def test_grey_photograph_has_three_equal_channels(tmp_path):
    path = save(PHOTO[..., 0], tmp_path / "grey.png")
    assert read_photo(path).tolist() == [PHOTO[..., 0].tolist()] * 3


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "YCbCr", "LA", "L", "1", "P"])
def test_every_mode_of_a_photograph_is_read_as_pillow_shows_it(tmp_path, mode):
    image = Image.fromarray(PHOTO).convert(mode)
    image.save(path := tmp_path / ("photo.tif" if mode in ("CMYK", "YCbCr") else "photo.png"))
    with Image.open(path) as saved:
        assert saved.mode == mode
    assert read_photo(path).tolist() == np.asarray(image.convert("RGB")).transpose(2, 0, 1).tolist()


def test_alpha_channel_is_dropped(tmp_path):
    path = save(np.concatenate([PHOTO, PHOTO[..., :1]], axis=2), tmp_path / "alpha.png")
    assert read_photo(path).tolist() == PHOTO.transpose(2, 0, 1).tolist()


def test_transparency_of_a_palette_is_dropped(tmp_path):
    image = palette(DRAWN, (10, 20, 30), (200, 100, 50))
    image.save(tmp_path / "photo.png", transparency=bytes([0, 128]))
    assert read_photo(tmp_path / "photo.png")[:, 0, :2].tolist() == [[10, 200], [20, 100], [30, 50]]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_png(DEEP[..., :1], path.with_suffix(".png")),
        lambda path: write_tiff(DEEP[..., :1], path.with_suffix(".tif")),
        lambda path: write_tiff(DEEP[..., :1], path.with_suffix(".tif"), order=">"),
        lambda path: save(DEEP[..., 0], path.with_suffix(".tif"), compression="tiff_lzw"),
        lambda path: save(DEEP[..., 0].astype(np.int32), path.with_suffix(".tif")),
    ],
    ids=["png", "tiff", "big-endian-tiff", "lzw-tiff", "32-bit-tiff-of-16-bit-values"],
)
def test_sixteen_bit_grey_is_scaled_to_eight(tmp_path, write):
    expected = np.round(DEEP[..., 0] / 65535 * 255).astype(int).tolist()
    assert read_photo(write(tmp_path / "photo")).tolist() == [expected] * 3


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_png(DEEP, path.with_suffix(".png")),
        lambda path: write_tiff(DEEP, path.with_suffix(".tif")),
        lambda path: write_tiff(DEEP, path.with_suffix(".tif"), order=">"),
    ],
    ids=["png", "tiff", "big-endian-tiff"],
)
def test_sixteen_bit_colour_is_scaled_to_eight(tmp_path, write):
    found = read_photo(write(tmp_path / "photo")).numpy().transpose(1, 2, 0)
    assert np.abs(found - DEEP / 65535 * 255).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("write", "suffix"), [(write_png, "png"), (write_tiff, "tif")])
def test_twelve_bits_in_sixteen_are_refused_with_the_way_to_stretch_them(tmp_path, channels, write, suffix):
    values = DEEP[..., :channels] // 16
    values[0, 0] = 4095
    path = write(values, tmp_path / f"dark.{suffix}")
    with pytest.raises(
        DataError, match=rf"dark\.{suffix} has 16 bits .* no value above 4095 of 65535.*16 for 12-bit.*multiply 16"
    ):
        read_photo(path)
    values[0, 0] = 4096
    assert read_photo(write(values, path)).max() == 16


def test_a_dark_photograph_of_eight_bits_is_read(tmp_path):
    assert read_photo(save(PHOTO // 64, tmp_path / "dark.png")).max() == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (PHOTO[..., 0].astype(np.float32), r"photo\.tif has Pillow mode F: 8 or 16 bits .* Convert it to 8-bit"),
        (PHOTO[..., 0].astype(np.int32) - 300, r"photo\.tif has values from -\d+ to -\d+: 0 to 65535 .* Convert it"),
        (PHOTO[..., 0].astype(np.int32) * 300, r"photo\.tif has values from \d+ to \d{5}: 0 to 65535"),
    ],
    ids=["float", "negative", "32-bit"],
)
def test_values_without_a_known_range_are_refused(tmp_path, values, message):
    with pytest.raises(DataError, match=message):
        read_photo(save(values, tmp_path / "photo.tif"))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_the_orientation_of_the_camera_is_applied(tmp_path, suffix):
    path, tag = tmp_path / f"photo.{suffix}", Image.Exif()
    tag[0x0112] = 6  # shown turned clockwise by a quarter
    flat = np.repeat(np.repeat(PHOTO // 128 * 255, 16, axis=0), 16, axis=1)  # blocks survive JPEG
    Image.fromarray(flat).save(path, exif=tag, **({"quality": 95, "subsampling": 0} if suffix == "jpg" else {}))
    found = read_photo(path).numpy().transpose(1, 2, 0)
    assert found.shape == (64, 48, 3)
    assert np.abs(found.astype(int) - np.rot90(flat, -1)).mean() < 8


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(DRAWN * 255),
        Image.fromarray(DRAWN),
        Image.fromarray(DRAWN * 255).convert("1"),
        Image.fromarray(DRAWN * 255).convert("RGB"),
        Image.fromarray(DRAWN * 255).convert("RGBA"),
        Image.fromarray(DRAWN.astype(np.uint16) * 65535),
        palette(DRAWN, (4, 2, 4), (252, 254, 252)),  # DRIVE's second observer
        palette(1 - DRAWN, (255, 255, 255), (0, 0, 0)),  # indices do not say what is white
    ],
    ids=["grey-0-255", "grey-0-1", "one-bit", "colour", "alpha", "16-bit", "palette-of-drive", "inverted-palette"],
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
        Image.fromarray(np.array([[0, 300, 65535]], dtype=np.uint16)),  # a probability map
        Image.fromarray(np.array([[0.0, 0.2, 1.0]], dtype=np.float32)),
        palette(DRAWN, (20, 20, 20), (255, 255, 255)),
        palette(DRAWN, (0, 0, 0), (255, 0, 0)),
    ],
    ids=["nearly-black-and-white", "three-values", "16-bit-map", "floating-point-map", "grey-palette", "red"],
)
def test_grey_values_are_refused(tmp_path, image):
    image.save(tmp_path / "mask.tif")
    with pytest.raises(DataError, match=r"The mask has grey values: \S*mask\.tif .*threshold it"):
        read_binary(tmp_path / "mask.tif", "mask")


def test_a_mask_drawn_in_transparency_is_refused(tmp_path):
    values = np.zeros((3, 4, 4), dtype=np.uint8)
    values[..., 3] = DRAWN * 255
    with pytest.raises(DataError, match=r"mask is partly transparent: \S*mask\.png\. Flatten it"):
        read_binary(save(values, tmp_path / "mask.png"), "mask")


def test_empty_label_is_a_label(tmp_path):
    assert not read_binary(save(DRAWN * 0, tmp_path / "label.png"), "label").any()


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(np.array([[0, 1, 2], [255, 2, 0]], dtype=np.uint8)),
        Image.fromarray(np.array([[0, 1, 2], [255, 2, 0]], dtype=np.uint16)),
        # Colours say nothing: two of them are equal.
        palette(
            np.array([[0, 1, 2], [255, 2, 0]], dtype=np.uint8), (0, 0, 0), (9, 9, 9), (9, 9, 9), *[(1, 1, 1)] * 253
        ),
    ],
    ids=["grey", "16-bit", "palette"],
)
def test_an_index_image_gives_the_classes_and_255_is_ignored(tmp_path, image):
    image.save(tmp_path / "label.png")
    found = read_classes(tmp_path / "label.png", "label", CLASSES)
    assert found.tolist() == [[0, 1, 2], [255, 2, 0]] and str(found.dtype) == "torch.uint8"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [[0, 1, 3]],
            r"label holds the values 0, 1, 3: \S*label\.png, expected 0 to 2 \(background, artery, vein\) or",
        ),
        ([[0, 100, 200]], r"values 0, 100, 200: .* Renumber them, or name all classes in data\.dataset\.classes"),
        ([[[0, 0, 0], [255, 0, 0]]], r"label has Pillow mode RGB: \S*label\.png\. An index image is expected"),
    ],
    ids=["a-class-too-many", "grey-levels", "colours"],
)
def test_values_that_are_no_class_are_refused(tmp_path, values, message):
    path = save(np.array(values, dtype=np.uint8), tmp_path / "label.png")
    with pytest.raises(DataError, match=message):
        read_classes(path, "label", CLASSES)


@pytest.mark.parametrize("name", ["im0001.ppm.gz", "im0001.pgm.gz"])
def test_a_gzipped_photograph_is_unpacked(tmp_path, name):
    values = PHOTO if "ppm" in name else PHOTO[..., 0]
    plain = save(values, tmp_path / name.removesuffix(".gz"))
    (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))
    assert read_photo(tmp_path / name).tolist() == read_photo(plain).tolist()


def test_a_gzip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_GUNZIPPED", 1000)
    path = tmp_path / "im0001.ppm.gz"
    path.write_bytes(gzip.compress(b"P5\n1 1000\n255\n" + bytes(1000)))
    with pytest.raises(DataError, match=r"photograph unpacks to more than 1,000 bytes: \S*im0001\.ppm\.gz"):
        read_photo(path)


def test_the_limit_of_a_gzip_file_is_what_pillow_would_decode():
    assert 0 <= reading.MAX_GUNZIPPED - 3 * Image.MAX_IMAGE_PIXELS < 1000


PACKED = gzip.compress(PHOTO.tobytes() * 9)


@pytest.mark.parametrize(
    "content",
    [b"no gzip", PACKED[:-20], PACKED[:10] + b"\xff" * 20, gzip.compress(b"no image")],
    ids=["no-gzip", "cut", "garbled", "no-image"],
)
def test_a_broken_gzip_file_is_refused(tmp_path, content):
    (path := tmp_path / "im0001.ppm.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"photograph is (broken|not an image): \S*im0001\.ppm\.gz"):
        read_photo(path)


# Pillow warns of the missing directory of a cut TIFF before it gives up.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
@pytest.mark.parametrize("name", ["photo.tif", "photo.png", "photo.jpg"])
def test_half_a_file_is_refused(tmp_path, name):
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = save(noise, tmp_path / name, **({"compression": "tiff_lzw"} if name == "photo.tif" else {}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"photograph is (not an image|broken): \S*{name}.*(Expected TIFF|Copy it)"):
        read_photo(path)


@pytest.mark.parametrize("limit", [11, 5], ids=["where-pillow-warns", "where-pillow-refuses"])
def test_more_pixels_than_pillow_allows_are_refused(tmp_path, monkeypatch, limit):
    path = save(PHOTO, tmp_path / "photo.tif")  # 12 pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=rf"more than {limit} pixels: \S*photo\.tif\. Cut or shrink"):
        read_photo(path)


def test_a_photograph_of_8000_x_8000_pixels_is_read(tmp_path):
    Image.new("L", (8000, 8000), 7).save(tmp_path / "large.png")
    assert read_photo(tmp_path / "large.png").shape == (3, 8000, 8000)
