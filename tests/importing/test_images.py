import numpy as np
import pytest
import tifffile
from PIL import Image

from unet_lightning.data.description import Description, write_description
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.importing.images import read

A = [[0, 255, 0], [0, 0, 0]]
B = [[0, 0, 255], [0, 0, 0]]


@pytest.fixture
def save(tmp_path):
    """Saves arrays as images in a folder."""

    def save(**arrays):
        for name, values in arrays.items():
            path = tmp_path / f"{name.replace('__', '/')}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array(values, np.uint8)).save(path)
        return tmp_path

    return save


def labels(found):
    return {image.image_id: image.label().tolist() for image in found.images}


def test_files_of_things_are_one_class(save):
    root = save(images__a=A, masks__a__1=A, masks__a__2=B)
    found = read(root, {"several": "instances", "classes": ["background", "cell"]})
    assert (labels(found), found.classes) == ({"a": [[0, 1, 1], [0, 0, 0]]}, ["background", "cell"])


def test_files_of_classes_are_painted_in_the_order_of_their_names(save):
    root = save(images__a=A, labels__a_disc=[[255, 255, 0], [0, 0, 0]], labels__a_cup=A)
    with pytest.raises(DataError, match=r"a_disc\.png \(disc\) shares 1 pixels with cup, .*--overlap later"):
        labels(read(root, {"several": "classes"}))
    asked = {"several": "classes", "overlap": "later", "classes": ["background", "disc", "cup"]}
    assert labels(read(root, asked)) == {"a": [[1, 2, 0], [0, 0, 0]]}
    with pytest.raises(DataError, match="Files of the class disc, and --classes names background, cup"):
        read(root, asked | {"classes": ["background", "cup"]})


def test_several_labels_are_asked_about(save):
    root = save(images__a=A, labels__a_disc=A, labels__a_cup=A)
    with pytest.raises(
        DataError, match=r"Image a has 2 labels \(a_cup\.png, a_disc\.png\).*--several instances.*\(cup, disc\)"
    ):
        read(root, {})
    with pytest.raises(ConfigError, match="--overlap is for labels of several classes"):
        read(root, {"overlap": "later"})


def test_labels_of_one_image_have_one_size(save):
    found = read(save(images__a=A, masks__a__1=A, masks__a__2=A[:1]), {"several": "instances"})
    with pytest.raises(DataError, match=r"1\.png is 2 x 3 and \S+2\.png 1 x 3"):
        labels(found)


def test_a_photograph_without_a_label_is_what_was_said(save):
    root = save(images__a=A, images__b=A, masks__a=A)
    with pytest.raises(DataError, match=r"photograph b: .*--empty background .* or --empty leave-out"):
        read(root, {})
    assert labels(read(root, {"empty": "background"})) == {"a": [[0, 1, 0], [0, 0, 0]], "b": [[0, 0, 0], [0, 0, 0]]}
    assert [*labels(read(root, {"empty": "leave-out"}))] == ["a"]


def test_pages_of_stacks_are_images_of_one_group(tmp_path):
    pages = np.random.default_rng(0).integers(0, 2, (11, 4, 5)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "em.tif", 255 - pages)
    tifffile.imwrite(tmp_path / "em-labels.tif", pages)
    with pytest.raises(DataError, match=r"em-labels\.tif has 11 pages: --stack takes each"):
        read(tmp_path, {})
    found = read(tmp_path, {"stack": True})
    assert [image.image_id for image in found.images][:2] == ["em_01", "em_02"]
    assert {image.group for image in found.images} == {"em"}
    assert found.images[10].label().tolist() == pages[10].tolist()
    assert found.images[10].photo().tolist() == (255 - pages[10]).tolist()
    tifffile.imwrite(tmp_path / "em-labels.tif", pages[:9])
    with pytest.raises(DataError, match=r"em\.tif has 11 pages and \S+em-labels\.tif 9"):
        read(tmp_path, {"stack": True})


def test_arrays_are_read(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "images/a.npy", np.zeros((2, 3), np.uint16))
    np.savez(tmp_path / "labels/a.npz", mask=np.array(A) > 0)
    (image,) = read(tmp_path, {}).images
    assert (image.photo().dtype, image.label().tolist()) == (np.uint16, [[0, 1, 0], [0, 0, 0]])
    np.savez(tmp_path / "labels/a.npz", mask=A, other=A)
    with pytest.raises(DataError, match="holds mask, other: one array is expected"):
        read(tmp_path, {})


def test_classes_that_the_folder_names_are_taken(save):
    root = save(images__a=A, masks__a=A)
    write_description(root, Description(classes=["background", "vessel"]))
    assert read(root, {}).classes == ["background", "vessel"]


def test_white_may_be_mistaken_and_says_so(save):
    root = save(images__a=A, masks__a=A)
    found = read(root, {})
    assert found.may_be_inverted and found.said == ["White is foreground."]
    found = read(root, {"invert": True})
    assert not found.may_be_inverted and found.said == ["Black is foreground."]
    assert labels(found) == {"a": [[1, 0, 1], [1, 1, 1]]}


def test_files_that_are_left_out_are_said(save):
    root = save(images__a=A, masks__a=A, images__b=A, other__c=A, __MACOSX__images__d=A)
    for name in ("images/e.HEIC", "images/._a.png", ".DS_Store", "LICENSE"):
        (root / name).touch()
    assert read(root, {"empty": "leave-out"}).said[-1] == (
        "Files that were left out: 1 without an ending (LICENSE), 2 .png (images/b.png, other/c.png), 1 "
        ".heic (images/e.HEIC)."
    )


def test_images_without_a_file_of_a_class_are_counted(save):
    root = save(images__a=A, images__b=A, labels__a_cup=A, labels__a_disc=B, labels__b_cup=A)
    said = read(root, {"several": "classes"}).said
    assert said[1:] == ["Images without a file of disc, which have nothing of it: 1."]


def test_fields_of_view_of_some_images_alone_are_refused(save):
    root = save(images__a=A, images__b=A, masks__a=A, masks__b=A, fov__a=A)
    with pytest.raises(DataError, match="No field of view for the images b, as others have"):
        read(root, {})


def test_a_range_of_numbers_is_kept(save):
    root = save(images__a=A, masks__a=A)
    assert read(root, {"value_range": [0, 4095]}).value_range == (0, 4095)
    with pytest.raises(ConfigError, match="--value-range must be two numbers, the lower first"):
        read(root, {"value_range": [1, 1]})
    write_description(root, Description(value_range=(0, 1)))
    assert read(root, {}).value_range == (0, 1)


def test_images_of_a_validation_split_are_told(save):
    found = read(save(train__images__a=A, train__labels__a=A, val__images__b=A, val__labels__b=A), {})
    assert [image.split for image in found.images] == ["train", "val"]
    assert found.said[-1].startswith("The 1 images of the validation split join those to train on")
