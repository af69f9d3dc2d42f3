import sys

import numpy as np
import pytest
from dicom_files import NUMBERS, dicom
from PIL import Image

from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.dicom import READER

WINDOW = {"window": (0, 1100)}


def photo(folder, options=WINDOW):
    (image,) = READER.read(folder, options).images
    return image.photo()


def test_a_file_and_its_label_are_an_image(tmp_path):
    dicom(tmp_path / "a.dcm")
    found = READER.read(tmp_path, WINDOW)
    (image,) = found.images
    assert READER.recognises(tmp_path) and image.image_id == "a"
    assert (image.photo() == np.rint(NUMBERS / 1100 * 255)).all() and image.photo().dtype == np.uint8
    assert (image.label() == (NUMBERS > 500)).all()


def test_the_modality_lut_comes_before_the_window(tmp_path):
    dicom(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-1024)
    assert (photo(tmp_path, {"window": (-1024, 1176)}) == np.rint(NUMBERS / 1100 * 255)).all()
    kept = photo(tmp_path, {"value_range": (-1024, 2000)})
    assert kept.dtype == np.float32 and (kept == NUMBERS * 2.0 - 1024).all()


@pytest.mark.parametrize(
    ("tags", "low", "high"),
    [
        # Centre - 0.5 and (width - 1) / 2 to either side, by PS3.3 C.11.2.1.2.1.
        ({"WindowCenter": 500, "WindowWidth": 401}, 299.5, 699.5),
        ({"WindowCenter": [500, 40], "WindowWidth": [401, 400]}, 299.5, 699.5),
        ({"WindowCenter": 500, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"}, 300, 700),
    ],
)
def test_the_window_of_the_file_is_taken_where_none_is_given(tmp_path, tags, low, high):
    dicom(tmp_path / "a.dcm", **tags)
    expected = np.rint((np.clip(NUMBERS, low, high) - low) / (high - low) * 255)
    assert (photo(tmp_path, {}) == expected).all()


@pytest.mark.parametrize(
    "tags",
    [{}, {"WindowCenter": 1, "WindowWidth": 1}, {"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "SIGMOID"}],
)
def test_a_window_is_asked_where_the_file_has_none_that_is_read(tmp_path, tags):
    dicom(tmp_path / "a.dcm", **tags)
    with pytest.raises(ConfigError, match=r"a.dcm does not tell which numbers are black and white"):
        photo(tmp_path, {})


def test_8_bits_are_taken_as_they_are(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    dicom(tmp_path / "grey/a.dcm", grey)
    assert (photo(tmp_path / "grey", {}) == grey).all()
    colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    dicom(tmp_path / "colour/a.dcm", colour)
    assert (photo(tmp_path / "colour", {}) == colour).all()


def test_monochrome1_is_shown_as_it_is_meant(tmp_path):
    dicom(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1")
    assert (photo(tmp_path) == 255 - np.rint(NUMBERS / 1100 * 255)).all()
    assert (photo(tmp_path, {"value_range": (0, 1100)}) == 1100 - NUMBERS).all()


def test_patients_are_groups_by_number_and_nothing_of_them_is_said(tmp_path):
    for name, patient in (("a", "4711"), ("b", "0815"), ("c", "4711")):
        dicom(tmp_path / f"{name}.dcm", PatientID=patient)
    found = READER.read(tmp_path, WINDOW)
    assert [image.group for image in found.images] == ["patient_1", "patient_2", "patient_1"]
    assert not any(word in str(found) for word in ("4711", "0815", "Doe"))
    dicom(tmp_path / "c.dcm", PatientID="", BurnedInAnnotation="YES")
    found = READER.read(tmp_path, WINDOW)
    assert {image.group for image in found.images} == {None} and "Some files have no id of a patient." in found.said
    assert "Pixels of 1 images may show who the patient is, as their files say: c." in found.said


def test_files_without_a_suffix_and_with_numbers_for_names_are_known(tmp_path):
    for name in ("p1/1.2.3", "p1/1.2.4", "p2/1.2.3"):
        dicom(tmp_path / name, label=False)
        Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / f"{name}.png")
    found = READER.read(tmp_path, WINDOW)
    assert [image.image_id for image in found.images] == ["p1_1.2.3", "p1_1.2.4", "p2_1.2.3"]
    assert not READER.recognises(tmp_path / "p3")


def test_a_list_of_files_is_no_image(tmp_path):
    dicom(tmp_path / "a.dcm")
    dicom(tmp_path / "DICOMDIR", label=False)
    assert len(READER.read(tmp_path, WINDOW).images) == 1


def test_labels_are_black_and_white_in_one_way_that_is_asked(tmp_path):
    dicom(tmp_path / "a.dcm")
    assert READER.read(tmp_path, WINDOW).may_be_inverted
    found = READER.read(tmp_path, WINDOW | {"invert": True})
    assert not found.may_be_inverted and (found.images[0].label() == (NUMBERS <= 500)).all()
    with pytest.raises(ConfigError, match="each image has one"):
        READER.read(tmp_path, WINDOW | {"several": "classes"})


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 3}, "holds 3 frames, and one is expected"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, "is a segmentation, which is not read"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3"}, "is an RT structure set, which is not read"),
        ({"Rows": 0}, r"has 0 x 4 pixels \(height x width\)"),
        ({"Columns": 65535}, "has 3 x 65535 pixels"),
    ],
)
def test_what_is_no_single_image_is_named(tmp_path, tags, message):
    dicom(tmp_path / "a.dcm", **tags)
    with pytest.raises(DataError, match=rf"a.dcm {message}"):
        READER.read(tmp_path, WINDOW)


@pytest.mark.parametrize("keep", [140, 300, -1, -5])
def test_a_broken_file_is_named(tmp_path, keep):
    path = dicom(tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"a.dcm (cannot be read|cannot be decoded|has 0 x 0)|pixels of \S+a.dcm"):
        photo(tmp_path)


def test_files_that_are_alone_are_named(tmp_path):
    dicom(tmp_path / "a.dcm")
    dicom(tmp_path / "b.dcm", label=False)
    with pytest.raises(DataError, match=r"do not make pairs: \S+b.dcm. Expected a.dcm with a.png or a_mask.png"):
        READER.read(tmp_path, WINDOW)


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    dicom(tmp_path / "a.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ConfigError, match=r"pip install 'unet-lightning\[volumes\]'"):
        READER.read(tmp_path, WINDOW)
