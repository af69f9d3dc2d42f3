"""TIFF files of every layout, against a second reader: read right or refused, never read wrong."""

import itertools

import numpy as np
import pytest
import tifffile
from PIL import Image

from unet_lightning.data.reading import read_binary, read_classes, read_photo
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
            assert np.abs(found.numpy().astype(int) - expected).max() <= 1, layout
            right.append(layout)
    return right, refused


def stored(levels, dtype):
    """Levels of 0 to 255 over the range that photographs of a type have."""
    whole = {"u1": 1, "u2": 257, "u4": 257, "i4": 257}
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
        assert len(right) >= len(PACKINGS)
    if dtype[0] in "if" and dtype != "i4":
        assert not right


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


def test_a_kind_that_is_not_read_is_described(tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((3, 24, 20), np.uint16), photometric="rgb", planarconfig="separate")
    kind = "3 unsigned samples of 16 bits a pixel, PhotometricInterpretation 2, PlanarConfiguration 2, Compression 1"
    with pytest.raises(DataError, match=rf"TIFF of a kind that is not read: \S*p\.tif \({kind}\)\. Save it as PNG"):
        read_photo(tmp_path / "p.tif")
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((24, 20), np.float64))  # which Pillow does not open at all
    with pytest.raises(DataError, match=r"TIFF of a kind .*\(1 floating-point samples of 64 bits a pixel"):
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
