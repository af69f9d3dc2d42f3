import io
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image

from unet_lightning.data.archive import import_drive
from unet_lightning.data.drive import SIZE, DriveDataset, expected_files
from unet_lightning.errors import DataError

PHOTO, MASK, LABEL = "training/images/21_training.tif", "test/mask/02_test_mask.gif", "test/1st_manual/07_manual1.gif"


def encoded(image, kind, **options):
    image.save(buffer := io.BytesIO(), kind, **options)
    return buffer.getvalue()


def drawn(box, size=SIZE, value=255):
    canvas = np.zeros(size, dtype=np.uint8)
    canvas[slice(*box), slice(*box)] = value
    return Image.fromarray(canvas)


@pytest.fixture(scope="session")
def official():
    """The files of training.zip and of test.zip."""
    second = drawn((250, 320), value=1)
    second.putpalette([4, 2, 4, 252, 254, 252])
    one = {
        "photo": encoded(Image.new("RGB", SIZE[::-1], (180, 90, 40)), "TIFF", compression="tiff_lzw"),
        "fov": encoded(drawn((20, 540)), "GIF"),
        "label": encoded(drawn((250, 300)), "GIF"),
        "second_label": encoded(second, "GIF"),
    }
    files = {name: one[what] for number in range(1, 41) for what, name in expected_files(number).items()}
    return [{name: data for name, data in files.items() if name.startswith(part)} for part in ("training/", "test/")]


def zipped(files, path=None, packing=zipfile.ZIP_STORED):
    """A zip of `files`, pairs or a mapping of name (or ZipInfo) and bytes: written to `path`, or as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, data)
    return path.write_bytes(buffer.getvalue()) and path if path else buffer.getvalue()


def in_two(tmp_path, training, test):
    return [zipped(training, tmp_path / "training.zip"), zipped(test, tmp_path / "test.zip")]


def in_two_the_other_way_round(tmp_path, training, test):
    return in_two(tmp_path, training, test)[::-1]


def in_one_with_a_leading_folder(tmp_path, training, test):
    return [zipped({f"my/DRIVE/{name}": data for name, data in (training | test).items()}, tmp_path / "DRIVE.zip")]


def nested(tmp_path, training, test):
    inner = {"datasets/DRIVE/training.zip": zipped(training), "datasets/DRIVE/test.zip": zipped(test)}
    return [zipped({"drive.zip": zipped(inner)}, tmp_path / "download.zip")]


def with_litter(tmp_path, training, test):
    litter = {"__MACOSX/training/images/._21_training.tif": b"x", ".DS_Store": b"x"}
    return in_two(tmp_path, training | litter, test | litter)


@pytest.mark.parametrize(
    "pack", [in_two, in_two_the_other_way_round, in_one_with_a_leading_folder, nested, with_litter]
)
def test_official_files_are_found_however_they_are_packed(tmp_path, official, pack):
    folder = import_drive(pack(tmp_path, *official), tmp_path / "a" / "out")
    assert folder == tmp_path / "a" / "out" / "DRIVE"
    assert list(folder.parent.iterdir()) == [folder]
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in files.items()} == official[0] | official[1]
    assert DriveDataset(folder, "test").second_target(0) is not None


@pytest.mark.parametrize("observers", [("1st_manual", "2nd_manual"), ("2nd_manual",)], ids=["both", "second"])
def test_test_labels_may_all_be_missing(tmp_path, official, observers):
    training, test = official
    kept = {name: data for name, data in test.items() if not any(observer in name for observer in observers)}
    folder = import_drive(in_two(tmp_path, training, kept), tmp_path / "out")
    assert not any((folder / "test" / observer).exists() for observer in observers)
    assert len(DriveDataset(folder, "train")) == 20


def without(*names):
    return lambda files: {name: data for name, data in files.items() if name not in names}


def with_file(name, data):
    return lambda files: files | {name: data}


def link(files):
    info = zipfile.ZipInfo("training/images/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return [*files.items(), (info, "/etc/passwd")]


def in_zips(files, depth):
    for level in range(depth):
        files = {f"{level}.zip": zipped(files)}
    return files


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without(MASK), rf"lack {MASK}\. Give both training\.zip and test\.zip"),
        (without(PHOTO), rf"lack {PHOTO}\."),
        (without(LABEL), rf"lack {LABEL}\."),
        (without("test/2nd_manual/20_manual2.gif"), r"lack test/2nd_manual/20_manual2\.gif"),
        (without("training/1st_manual/40_manual1.gif"), r"lack training/1st_manual/40_manual1\.gif"),
        (
            with_file(PHOTO, encoded(Image.new("RGB", SIZE), "TIFF")),
            rf"{PHOTO} in the archives is 565 x 584 \(height x width\) with mode RGB, expected 584 x 565",
        ),
        (with_file(PHOTO, encoded(Image.new("L", SIZE[::-1]), "TIFF")), rf"{PHOTO} .* with mode L, .* with RGB"),
        (with_file(PHOTO, b"no photograph"), rf"{PHOTO} in the archives is not as expected.*not an image"),
        (with_file(MASK, encoded(drawn((9, 99), value=128), "GIF")), rf"{MASK} .* not as expected.*grey values"),
        (with_file(MASK, encoded(drawn((9, 99), (48, 46)), "GIF")), rf"{MASK} in the archives is 48 x 46"),
        (with_file("../evil", b"x"), r"leads outside: \.\./evil"),
        (with_file("training/../../../evil", b"x"), r"leads outside"),
        (with_file("/tmp/unet-lightning-evil", b"x"), r"leads outside: /tmp/unet-lightning-evil"),
        (with_file("..\\evil", b"x"), r"leads outside"),
        (with_file("C:evil", b"x"), r"leads outside: C:evil"),
        (link, r"holds a link: training/images/link"),
        (lambda files: in_zips(files, 3), r"zips within zips within zips"),
        (lambda files: files | {str(number): b"" for number in range(2_001)}, r"far larger than DRIVE"),
        (lambda files: files | {"more.zip": b"no zip"}, r"more\.zip is not a zip, or a broken one .*Download it again"),
        (lambda files: {**files, "more.zip": zipped({PHOTO: files[PHOTO]})}, rf"holds {PHOTO} a second time"),
    ],
    ids=(
        "no-mask no-photo one-test-label-less one-second-label-less no-label turned-photo grey-photo text-photo "
        "grey-mask small-mask parent hidden-parent absolute backslash drive-letter link deep many nested-text "
        "nested-again"
    ).split(),
)
def test_wrong_contents_are_refused_and_nothing_is_left(tmp_path, official, spoil, message):
    archive = zipped(spoil(official[0] | official[1]), tmp_path / "drive.zip")
    assert_refused([archive], tmp_path / "out", message)


def assert_refused(archives, out, message):
    out.mkdir(exist_ok=True)
    before = set(out.parent.rglob("*"))
    with pytest.raises(DataError, match=message):
        import_drive(archives, out)
    assert set(out.parent.rglob("*")) == before


def test_a_name_given_twice_is_refused(tmp_path, official):
    files = [*official[0].items(), (PHOTO, b"another")]
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zipped(files, tmp_path / "drive.zip")
    assert_refused([archive], tmp_path / "out", "holds two files of one name")


def test_an_archive_given_twice_is_refused(tmp_path, official):
    archive = zipped(official[0], tmp_path / "training.zip")
    assert_refused([archive, archive], tmp_path / "out", "a second time. Give each archive once")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    archive = zipped({PHOTO: bytes(3 * 1024**2)}, tmp_path / "bomb.zip", zipfile.ZIP_DEFLATED)
    assert_refused([archive], tmp_path / "out", rf"unpacks to 200 times its size: {PHOTO}")


def cut(data):
    return data[: len(data) // 2]


def bad_block(data):
    start = 30 + len(PHOTO)  # behind the header of the first file
    return data[:start] + b"\xff" + data[start + 1 :]  # deflate has no block type 3


def bad_checksum(data):
    return data.replace(b"123456", b"123457", 1)


def encrypted(data):
    spoilt = bytearray(data)
    spoilt[6] |= 1
    spoilt[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(spoilt)


@pytest.mark.parametrize(
    ("spoil", "packing"),
    [
        (cut, zipfile.ZIP_STORED),
        (lambda data: b"Sign in to download", zipfile.ZIP_STORED),
        (lambda data: b"", zipfile.ZIP_STORED),
        (bad_checksum, zipfile.ZIP_STORED),
        (bad_block, zipfile.ZIP_DEFLATED),
        (encrypted, zipfile.ZIP_STORED),
    ],
    ids=["cut", "text", "empty", "checksum", "deflate", "encrypted"],
)
def test_a_broken_zip_is_refused(tmp_path, spoil, packing):
    archive = tmp_path / "training.zip"
    archive.write_bytes(spoil(zipped({PHOTO: b"123456" * 50}, packing=packing)))
    assert_refused([archive], tmp_path / "out", r"training\.zip is not a zip, or a broken one .*Download it again")


def test_a_missing_archive_is_named(tmp_path):
    assert_refused([tmp_path / "test.zip"], tmp_path / "out", r"No archive: looked for \S*test\.zip")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path, official):
    (tmp_path / "out").touch()
    with pytest.raises(DataError, match=r"out is not a folder"):
        import_drive(in_two(tmp_path, *official), tmp_path / "out")


def test_an_existing_folder_is_left_alone(tmp_path, official):
    (tmp_path / "out" / "DRIVE").mkdir(parents=True)
    (tmp_path / "out" / "DRIVE" / "mine").touch()
    assert_refused(in_two(tmp_path, *official), tmp_path / "out", r"exists already: remove it first, or use it")
