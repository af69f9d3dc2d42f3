"""Files of every kind that a camera, a scanner or an annotation tool leaves."""

import gzip
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from unet_lightning.data import opening
from unet_lightning.data.form import Form
from unet_lightning.data.photograph import read_photo
from unet_lightning.data.reading import read_binary, read_classes
from unet_lightning.errors import DataError

DRAWN = np.array([[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]], dtype=np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (3, 4, 3)).astype(np.uint16)
CLASSES = ["background", "artery", "vein"]


def save(values, path, **options):
    Image.fromarray(values).save(path, **options)
    return path


def palette(values, *colours):
    image = Image.fromarray(values.astype(np.uint8), "P")
    image.putpalette([level for colour in colours for level in colour])
    return image


def write_png(values, path, bits=16):
    """A PNG by hand: Pillow writes no 16-bit colour, and no 2 or 4 bits."""
    height, width, channels = values.shape

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, bits, {1: 0, 2: 4, 3: 2}[channels], 0, 0, 0)
    rows = [row.astype(">u2").tobytes() for row in values]
    if bits < 8:
        spread = (values[..., 0, None] >> np.arange(bits)[::-1]) & 1
        rows = [np.packbits(row).tobytes() for row in spread.reshape(height, -1)]
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    content = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "write",
    [
        lambda values, path: write_png(values, path.with_suffix(".png")),
        lambda values, path: write_tiff(values, path.with_suffix(".tif")),
        lambda values, path: write_tiff(values, path.with_suffix(".tif"), order=">"),
    ],
    ids=["png", "tiff", "big-endian-tiff"],
)
def test_all_sixteen_bits_are_read_as_shares_of_white(tmp_path, write, channels):
    found = read_photo(write(DEEP[..., :channels], tmp_path / "photo"), Form(channels, converts=False))
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), (DEEP[..., :channels] / 65535).astype(np.float32).transpose(2, 0, 1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("write", "suffix"), [(write_png, "png"), (write_tiff, "tif")])
def test_twelve_bits_in_sixteen_are_refused_until_their_range_is_said(tmp_path, channels, write, suffix):
    values = DEEP[..., :channels] // 16
    values[0, 0] = 4095
    path, form = write(values, tmp_path / f"dark.{suffix}"), Form(channels, converts=False)
    with pytest.raises(
        DataError, match=rf"dark\.{suffix} has 16 bits .* no value above 4095 .*value_range=\[0, 4095\]"
    ):
        read_photo(path, form)
    assert read_photo(path, form._replace(value_range=(0, 4095))).max() == 1
    values[0, 0] = 4096
    assert read_photo(write(values, path), form).max() == 4096 / 65535


def test_a_dark_photograph_of_eight_bits_is_read(tmp_path):
    assert read_photo(save(PHOTO // 64, tmp_path / "dark.png")).max() == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (PHOTO[..., 0] / np.float32(255), r"photo\.tif holds floating-point numbers from .*value_range=\[0, 1\]"),
        (PHOTO[..., 0].astype(np.int32) - 300, r"photo\.tif holds whole numbers of 32 bits from -\d+ to -\d+"),
    ],
    ids=["float", "32-bit"],
)
def test_values_without_a_known_range_are_refused(tmp_path, values, message):
    path = save(values, tmp_path / "photo.tif")
    with pytest.raises(DataError, match=message):
        read_photo(path)
    found = read_photo(path, Form(1, converts=False, value_range=(-300, 300)))
    assert np.array_equal(found[0].numpy(), ((values + 300.0) / 600).astype(np.float32))
    with pytest.raises(DataError, match=r"has values from .* expected 2 to 10 \(data\.dataset\.value_range\)"):
        read_photo(path, Form(1, converts=False, value_range=(2, 10)))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_the_orientation_of_the_camera_is_applied(tmp_path, suffix):
    path, tag = tmp_path / f"photo.{suffix}", Image.Exif()
    tag[0x0112] = 6  # shown turned clockwise by a quarter
    flat = np.repeat(np.repeat(PHOTO // 128 * 255, 16, axis=0), 16, axis=1)  # blocks survive JPEG
    Image.fromarray(flat).save(path, exif=tag, **({"quality": 95, "subsampling": 0} if suffix == "jpg" else {}))
    found = read_photo(path).numpy().transpose(1, 2, 0)
    assert found.shape == (64, 48, 3)
    assert np.abs(found.astype(int) - np.rot90(flat, -1)).mean() < 8


TURNS = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose, 6: lambda a: np.rot90(a, -1)}
TURNS |= {7: lambda a: np.rot90(a, 2).T, 8: np.rot90}


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16", "RGB"])
@pytest.mark.parametrize("turn", TURNS)
def test_every_orientation_of_every_mode_is_applied(tmp_path, suffix, mode, turn):
    image = Image.fromarray(DRAWN.astype(np.uint16) * 65535) if mode == "I;16" else Image.fromarray(DRAWN * 255)
    tag = Image.Exif()
    tag[0x0112] = turn
    for packed in ({}, {"compression": "tiff_deflate"}) if suffix == "tif" else ({"lossless": True},):
        image = image if mode == "I;16" else image.convert(mode)
        if suffix == "webp" and mode == "I;16":
            return
        image.save(tmp_path / f"mask.{suffix}", exif=tag, **packed)
        found = read_binary(tmp_path / f"mask.{suffix}", "mask")
        assert found.tolist() == TURNS[turn](DRAWN).astype(bool).tolist(), packed


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
    ],
    ids=["nearly-black-and-white", "three-values", "16-bit-map", "floating-point-map"],
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


RAMP = [(grey, grey, grey) for grey in range(256)]
VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]  # the colours of PASCAL VOC


@pytest.mark.parametrize("suffix", ["png", "tif", "gif", "bmp"])
@pytest.mark.parametrize(
    ("colours", "values"),
    [
        (RAMP, DRAWN),
        (RAMP, DRAWN * 255),
        (VOC, DRAWN),
        ([(7, 0, 0), (0, 7, 0)], DRAWN),
        ([(255, 255, 255), (0, 0, 0)], 1 - DRAWN),
        ([(4, 2, 4), (252, 254, 252)], DRAWN),
        ([(9, 9, 9), (0, 0, 0), (255, 255, 255)], DRAWN + 1),
    ],
    ids=["greys-0-1", "greys-0-255", "voc", "nearly-black", "inverted", "drive", "unused-first"],
)
def test_a_palette_mask_is_read_by_colours_or_where_they_tell_nothing_by_indices(tmp_path, suffix, colours, values):
    palette(values, *colours).save(path := tmp_path / f"mask.{suffix}")
    try:
        assert read_binary(path, "mask").tolist() == DRAWN.astype(bool).tolist()
    except DataError:
        assert suffix in ("gif", "bmp")  # which renumber, or take greys for no palette


@pytest.mark.parametrize(
    ("colours", "index", "expected"),
    [
        (RAMP, 0, False),
        (RAMP, 1, True),
        (RAMP, 255, True),
        (VOC, 0, False),
        (VOC, 1, True),
        ([(255, 255, 255), (0, 0, 0)], 1, False),
        ([(4, 2, 4), (252, 254, 252)], 0, False),
    ],
    ids=["greys-0", "greys-1", "greys-255", "voc-0", "voc-1", "inverted-1", "drive-0"],
)
def test_a_palette_mask_of_one_value_is_black_or_white(tmp_path, colours, index, expected):
    palette(DRAWN * 0 + index, *colours).save(tmp_path / "mask.png")
    assert set(read_binary(tmp_path / "mask.png", "mask").unique().tolist()) == {expected}


@pytest.mark.parametrize(
    ("colours", "values"),
    [
        ([(0, 255, 0), (255, 0, 0)], DRAWN),
        ([(255, 255, 255), (255, 0, 0)], DRAWN),
        (VOC, DRAWN * 2),
        (VOC, DRAWN + (DRAWN == 0) * 2),
        ([(0, 0, 0)] * 4, DRAWN * 3),
        ([(1, 1, 1), (0, 0, 0)], DRAWN * 0),
        (RAMP, DRAWN * 3),
        ([(20, 20, 20), (255, 255, 255)], DRAWN),
    ],
    ids=["green-red", "white-red", "voc-0-2", "voc-1-2", "black-0-3", "grey-1-index-0", "greys-0-3", "dark-grey"],
)
def test_a_palette_mask_whose_meaning_is_not_sure_is_refused(tmp_path, colours, values):
    palette(values, *colours).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"mask (is a palette image of other colours|has grey values).*PNG"):
        read_binary(tmp_path / "mask.png", "mask")


@pytest.mark.parametrize("image", [Image.fromarray(DRAWN * 2), palette(DRAWN * 2, *VOC)], ids=["grey", "voc"])
def test_a_gif_that_may_have_been_renumbered_is_refused_as_classes(tmp_path, image):
    image.save(tmp_path / "label.gif")  # Pillow makes indices 0 and 1 of 0 and 2
    with pytest.raises(
        DataError, match=r"label may have been renumbered, as GIF does .*\S*label\.gif holds the indices 0, 1"
    ):
        read_classes(tmp_path / "label.gif", "label", CLASSES)


def test_a_gif_whose_greys_are_its_indices_is_read_as_classes(tmp_path):
    save(DRAWN, tmp_path / "label.gif")
    assert read_classes(tmp_path / "label.gif", "label", CLASSES).tolist() == DRAWN.tolist()


def test_a_palette_of_greys_that_are_numbers_of_other_classes_is_refused(tmp_path):
    palette(DRAWN, (0, 0, 0), (2, 2, 2)).save(tmp_path / "label.png")
    with pytest.raises(DataError, match=r"may have been renumbered"):
        read_classes(tmp_path / "label.png", "label", CLASSES)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_numbers_of_a_few_bits_count_not_their_greys(tmp_path, bits):
    most = 2**bits - 1
    path = write_png((DRAWN * most)[..., None], tmp_path / "mask.png", bits)
    assert read_binary(path, "mask").tolist() == DRAWN.astype(bool).tolist()
    classes = [f"{number}" for number in range(max(3, most))]
    values = np.arange(12, dtype=np.uint8).reshape(3, 4) % min(most + 1, len(classes))
    path = write_png(values[..., None], tmp_path / "label.png", bits)
    assert read_classes(path, "label", classes).tolist() == values.tolist()
    path = write_png(DRAWN[..., None], tmp_path / "mask.png", bits)
    assert read_binary(path, "mask").tolist() == DRAWN.astype(bool).tolist()


@pytest.mark.parametrize("white", [1, 2, 3, 100, 255, 256, 4095, 65535])
@pytest.mark.parametrize("plain", [False, True])
def test_the_numbers_of_a_pgm_count_not_their_greys(tmp_path, white, plain):
    def write(values):
        wide = ">u2" if white > 255 else "u1"
        body = " ".join(map(str, values.flat)).encode() if plain else values.astype(wide).tobytes()
        (tmp_path / "image.pgm").write_bytes(b"P%d\n4 3\n%d\n" % (2 if plain else 5, white) + body)
        return tmp_path / "image.pgm"

    assert read_binary(write(DRAWN.astype(int) * white), "mask").tolist() == DRAWN.astype(bool).tolist()
    assert read_binary(write(DRAWN), "mask").tolist() == DRAWN.astype(bool).tolist()
    assert read_classes(write(DRAWN), "label", CLASSES).tolist() == DRAWN.tolist()
    if white > 1:
        assert read_classes(write(DRAWN * 2), "label", CLASSES).tolist() == (DRAWN * 2).tolist()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: save(DRAWN, path / "label.jpg", quality=100),
        lambda path: save(DRAWN > 0, path / "label.pbm"),
        lambda path: save(DRAWN > 0, path / "label.tif", tiffinfo={262: 0}, compression="group4"),
    ],
    ids=["jpeg", "pbm", "white-is-zero"],
)
def test_a_file_that_may_have_changed_the_numbers_of_classes_is_refused(tmp_path, write):
    with pytest.raises(DataError, match=r"label does not surely hold the numbers that were drawn \((JPEG|white)"):
        read_classes(write(tmp_path), "label", CLASSES)


@pytest.mark.parametrize("name", ["mask.jpg", "mask.webp", "mask.tif"])
def test_of_a_mask_that_lost_its_values_no_empty_label_is_made(tmp_path, name):
    faint = np.repeat((np.indices((32, 32)).sum(0) == 20).astype(np.uint8)[..., None], 3, axis=2)
    how = {"compression": "jpeg"} if name == "mask.tif" else {"quality": 10}
    path = save(faint, tmp_path / name, **how)
    assert not read_photo(path).any()  # its line is gone
    with pytest.raises(DataError, match=rf"mask has grey values: \S*{name} holds 1 \(0\).* saved as JPEG or WebP"):
        read_binary(path, "mask")


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("white", [1, 255, 65535])
def test_a_mask_in_colours_of_16_bits_is_refused(tmp_path, channels, white):
    values = np.repeat(DRAWN[..., None], channels, axis=2).astype(np.uint16) * white
    path = write_png(values, tmp_path / "mask.png")  # of which Pillow reads the upper 8 bits: no vessel in 0 and 1
    with pytest.raises(DataError, match=r"mask has 16 bits a channel and colours: \S*mask\.png\. .*8-bit grey PNG"):
        read_binary(path, "mask")


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 1), (1, 1, 0), (255, 255, 0)], ids=str)
def test_a_mask_drawn_in_a_colour_is_refused(tmp_path, colour):
    path = save(DRAWN[..., None] * np.array(colour, dtype=np.uint8), tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"mask has colours: \S*mask\.png, expected black and white"):
        read_binary(path, "mask")


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_a_mask_in_a_space_of_colours_is_refused(tmp_path, mode):
    Image.new(mode, (4, 3)).save(tmp_path / "mask.tif")
    with pytest.raises(DataError, match=r"mask (has (Pillow mode|grey values|colours)|is a TIFF of a kind)"):
        read_binary(tmp_path / "mask.tif", "mask")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
@pytest.mark.parametrize("read", [read_photo, lambda path: read_binary(path, "mask")], ids=["photo", "mask"])
def test_of_several_frames_none_is_taken(tmp_path, suffix, read):
    first, second = (Image.fromarray(values * 255) for values in (DRAWN * 0, DRAWN))
    first.save(path := tmp_path / f"image.{suffix}", save_all=True, append_images=[second])
    with pytest.raises(
        DataError, match=rf"more than one page or frame: \S*image\.{suffix}\. Save the one .*IN\[0\] OUT"
    ):
        read(path)
    first.save(path, save_all=True)
    read_photo(path)


def test_the_photograph_of_a_jpeg_with_further_views_is_read(tmp_path):
    views = [Image.new("RGB", (16, 16), (grey, grey, grey)) for grey in (50, 200)]
    views[0].save(tmp_path / "photo.jpg", format="MPO", save_all=True, append_images=views[1:])
    assert read_photo(tmp_path / "photo.jpg").unique().tolist() == [50]


@pytest.mark.parametrize("size", [(opening.MAX_SIDE + 1, 1), (1, opening.MAX_SIDE + 1)], ids=["wide", "high"])
def test_a_side_of_more_pixels_than_any_camera_has_is_refused(tmp_path, size):
    Image.new("L", size).save(tmp_path / "thin.png")
    with pytest.raises(DataError, match=r"photograph is \d+ x \d+ pixels \(width x height\): \S*thin.* At most 32,768"):
        read_photo(tmp_path / "thin.png")
    Image.new("L", (opening.MAX_SIDE, 1)).save(tmp_path / "thin.png")
    assert read_photo(tmp_path / "thin.png").shape == (3, 1, opening.MAX_SIDE)


@pytest.mark.parametrize("name", ["im0001.ppm.gz", "im0001.pgm.gz"])
def test_a_gzipped_photograph_is_unpacked(tmp_path, name):
    values = PHOTO if "ppm" in name else PHOTO[..., 0]
    plain = save(values, tmp_path / name.removesuffix(".gz"))
    (tmp_path / name).write_bytes(gzip.compress(plain.read_bytes()))
    assert read_photo(tmp_path / name).tolist() == read_photo(plain).tolist()


def test_a_gzip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MAX_GUNZIPPED", 1000)
    path = tmp_path / "im0001.ppm.gz"
    path.write_bytes(gzip.compress(b"P5\n1 1000\n255\n" + bytes(1000)))
    with pytest.raises(DataError, match=r"photograph unpacks to more than 1,000 bytes: \S*im0001\.ppm\.gz"):
        read_photo(path)


def test_the_limit_of_a_gzip_file_is_what_pillow_would_decode():
    assert 0 <= opening.MAX_GUNZIPPED - 3 * Image.MAX_IMAGE_PIXELS < 1000


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


@pytest.mark.parametrize(("limit", "most"), [(8, 10), (5, 6)], ids=["ours", "pillows"])
def test_more_pixels_than_a_third_above_where_pillow_warns_are_refused(tmp_path, monkeypatch, limit, most):
    path = save(PHOTO, tmp_path / "photo.png")  # 12 pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=rf"more than {most} pixels: \S*photo\.png\. Cut or shrink"):
        read_photo(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9)
    assert read_photo(path).shape == (3, 3, 4)


def test_a_photograph_of_8000_x_8000_pixels_is_read(tmp_path):
    Image.new("L", (8000, 8000), 7).save(tmp_path / "large.png")
    assert read_photo(tmp_path / "large.png").shape == (3, 8000, 8000)
