import gzip
import sys

import nibabel
import numpy as np
import pytest

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.volumes import READER

WINDOW = {"window": (0, 510), "axis": "axial"}
RAS = np.diag([1, 2, 5, 1])
NUMBERS = np.arange(24, dtype=np.int16).reshape(3, 4, 2) * 10  # voxels to the right, to the front, upwards
MARKED = np.zeros((3, 4, 2), np.uint8)
MARKED[0, 3, 1] = 1  # left, in front, above


def volume(path, voxels, affine=RAS):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


@pytest.fixture
def case(tmp_path):
    volume(tmp_path / "images/p1.nii.gz", NUMBERS)
    volume(tmp_path / "labels/p1.nii.gz", MARKED)
    return tmp_path


def test_slices_are_seen_as_radiologists_do(case):
    found = READER.read(case, WINDOW)
    assert READER.recognises(case) and [*found.classes] == ["background", "foreground"]
    low, high = found.images
    assert (low.image_id, high.image_id) == ("p1_0", "p1_1") and low.group == high.group == "p1"
    # In front is above, the patient's right on the left: rows from y = 3 down to 0, columns from x = 2 down to 0.
    assert (high.photo() == np.rint(NUMBERS[::-1, ::-1, 1].T / 2)).all() and high.photo().dtype == np.uint8
    assert high.label()[0, 2] == 1 and high.label().sum() == 1 and not low.label().any()


@pytest.mark.parametrize(
    ("axis", "shape", "place"),
    [
        ("axial", (4, 3), (0, 2)),  # in front is above, the left on the right
        ("coronal", (2, 3), (0, 2)),  # up is above, the left on the right
        ("sagittal", (2, 4), (0, 0)),  # up is above, in front is left
    ],
)
@pytest.mark.parametrize("order", ["RAS", "LPS", "SAR", "PIR"])
def test_an_axis_is_the_patients_in_whatever_order_voxels_are_stored(tmp_path, axis, shape, place, order):
    turn = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(order)
    )
    for name, voxels in (("a", NUMBERS), ("a_seg", MARKED)):
        nibabel.save(nibabel.Nifti1Image(voxels, RAS).as_reoriented(turn), tmp_path / f"{name}.nii")
    (image,) = READER.read(tmp_path, WINDOW | {"axis": axis, "slices": "labelled"}).images
    assert image.label().shape == shape == image.photo().shape and np.argwhere(image.label()).tolist() == [list(place)]
    assert image.photo()[place] == np.rint(NUMBERS[0, 3, 1] / 2)


def test_numbers_become_8_bits_by_a_window_or_stay_within_a_range(case):
    cut = READER.read(case, {"window": (100, 200), "axis": "axial"}).images[1].photo()
    assert cut.min() == 0 and cut.max() == 255 and cut[1, 0] == np.rint((NUMBERS[2, 2, 1] - 100) * 2.55).clip(0, 255)
    assert cut[3, 1] == 0 and NUMBERS[1, 0, 1] == 90 and cut[2, 1] == 26 and NUMBERS[1, 1, 1] == 110
    found = READER.read(case, {"value_range": (-5, 200), "axis": "axial"})
    kept = found.images[1].photo()
    assert kept.dtype == np.float32 and (kept.min(), kept.max()) == (10, 200) and found.value_range == (-5, 200)
    with pytest.raises(ConfigError, match=r"--window LOW HIGH .*p1.nii.gz has 0 to 230"):
        READER.read(case, {"axis": "axial"})
    for wrong in ({"window": (5, 5)}, {"window": (0, float("nan"))}, {"value_range": (3, 1)}):
        with pytest.raises(ConfigError, match="two numbers, the lower first"):
            READER.read(case, {"axis": "axial"} | wrong)
    with pytest.raises(ConfigError, match="give one of the two"):
        READER.read(case, WINDOW | {"value_range": (0, 1)})


def test_the_axis_is_asked_with_the_distance_of_slices(case):
    with pytest.raises(ConfigError, match=r"sagittal \(every 1 mm in p1\), coronal \(every 2 mm .* axial \(every 5 mm"):
        READER.read(case, {"window": (0, 1)})


def test_only_slices_with_a_label_are_taken_where_asked(case):
    found = READER.read(case, WINDOW | {"slices": "labelled"})
    assert [image.image_id for image in found.images] == ["p1_1"]
    assert "1 of 2 axial slices of 1 volumes." in found.said
    volume(case / "labels/p1.nii.gz", MARKED * 0)
    with pytest.raises(DataError, match=r"No slice in .* has a label"):
        READER.read(case, WINDOW | {"slices": "labelled"})


def test_slices_that_show_nothing_are_left_out_unless_they_have_a_label(case):
    volume(case / "images/p1.nii.gz", np.where(np.arange(2) == 1, NUMBERS, -1000).astype(np.int16))
    found = READER.read(case, WINDOW)
    assert [image.image_id for image in found.images] == ["p1_1"]
    assert "Slices of one grey, which show nothing, were left out: 1." in found.said
    with pytest.raises(
        DataError, match=r"p1\.nii\.gz has a label in axial slices 1, of which \S+p1\.nii\.gz shows one grey"
    ):
        READER.read(case, {"window": (500, 900), "axis": "axial"})
    volume(case / "labels/p1.nii.gz", MARKED * 0)
    with pytest.raises(DataError, match=r"No slice in .* shows anything: nothing is left"):
        READER.read(case, {"window": (500, 900), "axis": "axial"})


def test_pixels_that_are_no_squares_are_said(case):
    assert any(
        "Pixels are no squares: 2 x 1 mm (height x width) in p1." == line for line in READER.read(case, WINDOW).said
    )


def test_classes_are_numbers_or_named(case):
    volume(case / "labels/p1.nii.gz", MARKED * 2 + (NUMBERS == 0).astype(np.uint8))
    found = READER.read(case, WINDOW | {"classes": ["background", "liver", "tumour"]})
    assert found.classes == ["background", "liver", "tumour"] and found.images[1].label().max() == 2
    volume(case / "labels/p1.nii.gz", (MARKED * 0.5).astype(np.float32))
    with pytest.raises(DataError, match=r"p1.nii.gz are no whole numbers from 0"):
        READER.read(case, WINDOW)


def test_labels_on_another_grid_are_refused(case):
    moved = RAS.astype(float)
    moved[0, 3] = 0.2
    volume(case / "labels/p1.nii.gz", MARKED, moved)
    with pytest.raises(DataError, match=r"do not lie in one place: their voxels are 0.2 mm apart"):
        READER.read(case, WINDOW)
    moved[0, 3] = 0.02  # within a twentieth of a voxel
    volume(case / "labels/p1.nii.gz", MARKED, moved)
    assert READER.read(case, WINDOW).images[1].label()[0, 2] == 1
    volume(case / "labels/p1.nii.gz", MARKED[:, :, :1])
    with pytest.raises(DataError, match=r"has \(3, 4, 2\) voxels and \S+ \(3, 4, 1\)"):
        READER.read(case, WINDOW)


@pytest.mark.parametrize(
    ("photo", "label"),
    [
        ("imagesTr/case_001_0000.nii.gz", "labelsTr/case_001.nii.gz"),  # nnU-Net
        ("patient1/patient1_frame01.nii.gz", "patient1/patient1_frame01_gt.nii.gz"),  # ACDC
        ("p1/image.nii", "p1/label.nii"),
        ("a.nii", "a_seg.nii"),
    ],
)
def test_usual_names_make_pairs(tmp_path, photo, label):
    for n in "12":
        volume(tmp_path / photo.replace("1", n), NUMBERS)
        volume(tmp_path / label.replace("1", n), MARKED)
    names = {image.group for image in READER.read(tmp_path, WINDOW).images}
    assert len(names) == (1 if "1" not in photo else 2)


def test_folders_may_be_named(tmp_path):
    volume(tmp_path / "ct/a.nii", NUMBERS)
    volume(tmp_path / "drawn/a.nii", MARKED)
    assert len(READER.read(tmp_path, WINDOW | {"images": "ct", "labels": "drawn"}).images) == 2


def test_volumes_that_are_alone_are_named(case):
    volume(case / "images/p2.nii.gz", NUMBERS)
    with pytest.raises(DataError, match=r"do not make pairs: \S+images/p2.nii.gz. Expected images/case1"):
        READER.read(case, WINDOW)
    (case / "images/p2.nii.gz").rename(case / "images/p1_0001.nii.gz")
    with pytest.raises(DataError, match=r"p1_0001.nii.gz is a further channel"):
        READER.read(case, WINDOW)


def spoilt(case, content):
    (case / "images/p1.nii.gz").write_bytes(content)
    return case


@pytest.mark.parametrize(
    "spoil", [lambda all: b"", lambda all: b"\0" * 400, lambda all: all[:-20], lambda all: all[::-1]]
)
def test_a_broken_file_is_named(case, spoil):
    spoilt(case, spoil((case / "images/p1.nii.gz").read_bytes()))
    with pytest.raises(DataError, match=r"p1.nii.gz cannot be read as NIfTI"):
        READER.read(case, WINDOW).images[0].photo()


def test_a_head_that_promises_more_than_memory_is_refused(case):
    content = bytearray(gzip.decompress((case / "images/p1.nii.gz").read_bytes()))
    content[42:48] = np.array([32000] * 3, "<i2").tobytes()
    spoilt(case, gzip.compress(bytes(content)))
    with pytest.raises(DataError, match=r"has \(32000, 32000, 32000\) voxels of 2 bytes: one volume is expected"):
        READER.read(case, WINDOW)


def test_films_of_volumes_and_odd_numbers_are_refused(case):
    volume(case / "images/p1.nii.gz", np.stack([NUMBERS] * 2, 3))
    with pytest.raises(DataError, match=r"has \(3, 4, 2, 2\) voxels"):
        READER.read(case, WINDOW)
    volume(case / "images/p1.nii.gz", np.full((3, 4, 2), np.nan, np.float32))
    with pytest.raises(DataError, match="has numbers that are not finite"):
        READER.read(case, WINDOW).images[0].photo()


def test_without_the_package_one_line_says_what_to_install(case, monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ConfigError, match=r"pip install 'unet-lightning\[volumes\]'"):
        READER.read(case, WINDOW)
