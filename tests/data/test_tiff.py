"""TIFF files of every layout, against a second reader: read right or refused, never read wrong."""

import itertools

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from unet_lightning.data.bands import Window, layout_of, read_bands
from unet_lightning.data.form import Form
from unet_lightning.data.photograph import kind_of, read_photo
from unet_lightning.data.reading import read_binary, read_classes
from unet_lightning.errors import DataError

HEIGHT, WIDTH = 24, 20
LEVELS = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3))
DRAWN = np.random.default_rng(1).integers(0, 3, (HEIGHT, WIDTH))
TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4")
PACKINGS = [
    {"byteorder": order, "compression": packing, "tile": tile, "predictor": predictor}
    for order, packing, tile, predictor in [
        *itertools.product("<>", (None, "zlib"), (None,), (False,)),
        ("<", None, (16, 16), False),
        (">", "zlib", (16, 16), True),
    ]
]
# Photometric interpretation, samples, what the samples beyond the colours are.
KINDS = [
    ("minisblack", 1, []),
    ("miniswhite", 1, []),
    ("minisblack", 2, ["unspecified"]),
    ("minisblack", 2, ["unassalpha"]),
    ("rgb", 3, []),
    ("rgb", 4, ["unassalpha"]),
    ("rgb", 4, ["assocalpha"]),
    ("rgb", 4, ["unspecified"]),
    ("separated", 4, []),
    ("cielab", 3, []),
]


def layouts(path, samples):
    """Writes `samples` `(H, W, S)` in every layout that there is of its kind and type; gives their names."""
    photometric, beyond, array = samples
    planes = ("contig", "separate") if array.shape[2] > 1 else (None,)
    for plane, packing in itertools.product(planes, PACKINGS):
        if packing["predictor"] and array.dtype.kind == "f":
            continue
        data = array[..., 0] if plane is None else array.transpose(2, 0, 1) if plane == "separate" else array
        how = {"photometric": photometric, **packing} | ({"planarconfig": plane} if plane else {})
        tifffile.imwrite(path, data, **how, **({"extrasamples": beyond} if beyond else {}))
        yield f"{photometric} {beyond} {array.dtype} {plane} {packing}"


def outcomes(path, samples, read, expected):
    """The layouts that were read right, and those that were refused; a wrong reading fails."""
    right, refused = [], []
    for layout in layouts(path, samples):
        try:
            found = read(path)
        except DataError:
            refused.append(layout)
        else:
            assert np.abs(found.float().numpy() * (255 if found.is_floating_point() else 1) - expected).max() <= 1, (
                layout
            )
            right.append(layout)
    return right, refused


def stored(levels, dtype):
    """Levels of 0 to 255 over the range that photographs of a type have."""
    whole = {"u1": 1, "u2": 257, "u4": 257, "i4": 257}
    if dtype == "i2":
        return (levels * 257 - 32768).astype(dtype)
    return (levels * whole[dtype] if dtype in whole else levels / 255 if dtype[0] == "f" else levels // 2).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("photometric", "count", "beyond"), KINDS, ids=str)
def test_a_photograph_is_read_right_or_refused(tmp_path, photometric, count, beyond, dtype):
    colours = 1 if photometric.startswith("minis") else count - len(beyond)
    levels = np.concatenate([LEVELS[..., :1]] * 4, axis=2) if colours == 1 else LEVELS[..., [0, 1, 2, 0]]
    levels = levels[..., :count].copy()
    if beyond and colours < count:
        levels[..., colours:] = 255  # opaque
    seen = np.repeat(levels[..., :1], 3, axis=2) if colours == 1 else levels[..., :3]
    seen = 255 - seen if photometric == "miniswhite" else seen
    if photometric == "separated":
        seen = np.asarray(Image.fromarray(levels.astype(np.uint8), "CMYK").convert("RGB")).astype(int)
    samples = (photometric, beyond, stored(levels, dtype))
    right, _ = outcomes(tmp_path / "photo.tif", samples, read_photo, seen.transpose(2, 0, 1))
    if dtype in ("u1", "u2") and (photometric, count) in (("minisblack", 1), ("rgb", 3), ("rgb", 4)):
        assert len(right) >= (1 if count == 1 else 2) * len(PACKINGS) - 1
    if dtype[0] == "f" or dtype in ("i1", "u4", "i4"):
        assert not right  # nothing tells their black and white


@pytest.mark.parametrize(
    ("dtype", "white"), [("u1", 1), ("u1", 255), ("i1", 1), ("u2", 1), ("u2", 65535), ("i2", 255), ("i4", 1), ("f4", 1)]
)
@pytest.mark.parametrize(("photometric", "count", "beyond"), [KINDS[kind] for kind in (0, 1, 2, 4, 5)], ids=str)
def test_a_mask_is_read_right_or_refused(tmp_path, photometric, count, beyond, dtype, white):
    mask = (DRAWN[..., None] > 0).repeat(count, axis=2)
    values = mask * white
    if beyond and count in (2, 4):
        values[..., -1] = white
    samples = (photometric, beyond, values.astype(dtype))
    expected = mask[..., 0] ^ (photometric == "miniswhite")
    right, refused = outcomes(tmp_path / "mask.tif", samples, lambda path: read_binary(path, "mask"), expected)
    if photometric == "minisblack" and count == 1 and dtype != "i1":
        assert len(right) >= len(refused)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_classes_are_read_right_or_refused(tmp_path, photometric, dtype):
    samples = (photometric, [], DRAWN[..., None].astype(dtype))
    classes = ["background", "artery", "vein"]
    right, _ = outcomes(tmp_path / "l.tif", samples, lambda path: read_classes(path, "label", classes), DRAWN)
    assert bool(right) == (photometric == "minisblack" and dtype in ("u1", "u2", "i2", "u4", "i4"))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize(("count", "beyond"), [(1, 0), (2, 1), (4, 3), (5, 4), (64, 63)])
def test_bands_of_every_layout_are_read_whole_and_in_windows(tmp_path, count, beyond, dtype):
    numbers = np.random.default_rng(2).integers(0, 120, (HEIGHT, WIDTH, count))
    span, samples = (None if dtype == "u1" else (-5.0, 300.0)), numbers.astype(dtype)
    expected = samples.astype(np.float64) if span is None else (samples.astype(np.float64) + 5) / 305
    form, path, window = Form(count, False, span), tmp_path / "bands.tif", Window(5, 3, 12, 15)
    for layout in layouts(path, ("minisblack", ["unspecified"] * beyond, samples)):
        whole = read_photo(path, form)
        assert whole.dtype == (torch.uint8 if dtype == "u1" else torch.float32), layout
        assert np.array_equal(whole.numpy(), expected.astype(np.float32).transpose(2, 0, 1)) or np.allclose(
            whole.numpy(), expected.transpose(2, 0, 1), rtol=1e-6
        ), layout
        assert torch.equal(read_photo(path, form, window), whole[:, 5:17, 3:18]), layout
        assert kind_of(path)[:4] == (HEIGHT, WIDTH, count, False)


@pytest.mark.parametrize(
    ("dtype", "kind", "count"), [("u1", "minisblack", 1), ("u1", "rgb", 3), ("u2", "minisblack", 1)]
)
def test_pillow_and_tifffile_read_the_same_numbers(tmp_path, dtype, kind, count):
    path = tmp_path / "photo.tif"
    for layout in layouts(path, (kind, [], LEVELS[..., :count].astype(dtype) * (257 if dtype == "u2" else 1))):
        with Image.open(path) as image:
            seen = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)
        found = layout_of(path)
        assert found is not None and np.array_equal(read_bands(path, found), seen), layout


def test_pages_are_channels_where_so_many_are_asked_for(tmp_path):
    pages = np.random.default_rng(0).integers(0, 256, (4, HEIGHT, WIDTH), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for page in pages:
            file.write(page, photometric="minisblack", metadata=None)
    assert np.array_equal(read_photo(tmp_path / "pages.tif", Form(4, converts=True)).numpy(), pages)
    for channels in (1, 3, 5):
        with pytest.raises(DataError, match=r"more than one page .*a channel, say how many: data\.dataset\.channels"):
            read_photo(tmp_path / "pages.tif", Form(channels, converts=True))


def test_a_file_of_bands_that_is_cut_off_or_claims_too_much_is_refused(tmp_path):
    bands = np.random.default_rng(0).integers(0, 256, (5, HEIGHT, WIDTH), dtype=np.uint8)
    how = {"planarconfig": "separate", "metadata": None}
    for packing in (None, "zlib"):
        tifffile.imwrite(path := tmp_path / "b.tif", bands, photometric="minisblack", compression=packing, **how)
        content = path.read_bytes()
        path.write_bytes(content[: -700 if packing is None else -100])
        with pytest.raises(DataError, match=r"photograph is broken: \S*b\.tif .* Copy it again"):
            read_photo(path, Form(5, False))
    tifffile.imwrite(path, np.zeros((2, 12000, 12000), np.uint8), photometric="minisblack", compression="zlib", **how)
    with pytest.raises(DataError, match=r"unpacks to over 200 times its size"):
        read_photo(path, Form(2, False))


def test_a_kind_that_is_not_read_is_described(tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((24, 20, 3), np.int8), photometric="rgb")
    with pytest.raises(DataError, match=r"TIFF of a kind .*\(3 signed samples of 8 bits a pixel"):
        read_photo(tmp_path / "p.tif")
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((24, 20), np.complex64))  # which Pillow does not open at all
    with pytest.raises(DataError, match=r"TIFF of a kind .*64 bits a pixel"):
        read_photo(tmp_path / "p.tif")


def test_a_stack_is_refused_and_a_picture_with_its_thumbnail_is_read(tmp_path):
    stack = np.stack([DRAWN * 0, (DRAWN > 0) * 255]).astype(np.uint8)
    for how in ({}, {"imagej": True}, {"metadata": None}, {"volumetric": True, "tile": (2, 16, 16)}):
        tifffile.imwrite(tmp_path / "label.tif", stack, photometric="minisblack", **how)
        with pytest.raises(DataError, match=r"more than one page or frame: \S*label\.tif\. Save the one that is meant"):
            read_binary(tmp_path / "label.tif", "label")
    for kind, part in ((1, stack[1, ::2, ::2].copy()), (4, stack[1] > 0)):  # a thumbnail, a mask of transparency
        with tifffile.TiffWriter(tmp_path / "label.tif") as file:
            file.write(stack[1])
            file.write(part, subfiletype=kind, photometric="minisblack")
        assert read_binary(tmp_path / "label.tif", "label").tolist() == (DRAWN > 0).tolist()
    with tifffile.TiffWriter(tmp_path / "label.tif") as file:  # as raw files of cameras have it
        file.write(stack[1, ::2, ::2].copy(), subfiletype=1)
        file.write(stack[1])
    with pytest.raises(DataError, match="more than one page"):
        read_binary(tmp_path / "label.tif", "label")
