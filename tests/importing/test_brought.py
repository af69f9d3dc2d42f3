"""From the files of other programs to the layout of data=folder, by the program."""

import json
import os
import signal

import nibabel
import numpy as np
import pytest
from dicom_files import NUMBERS, dicom
from PIL import Image

from unet_lightning import prepare
from unet_lightning.data.description import read_description
from unet_lightning.data.folder import FolderDataset
from unet_lightning.importing import writing

CELLS = np.zeros((12, 16), np.uint8)
CELLS[2:6, 1:9], CELLS[7:11, 4:15] = 1, 2
BOXES = {"cell": (1, 2, 9, 6), "nucleus": (4, 7, 15, 11)}


def photographs(folder, places=("a", "b", "c")):
    for number, name in enumerate(places):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return [name.rpartition("/")[2] for name in places]


def outline(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def coco(folder):
    names = photographs(folder, ["images/a", "images/b", "images/c"])
    images = [{"id": n, "file_name": f"{name}.png", "height": 12, "width": 16} for n, name in enumerate(names)]
    drawn = [
        {"image_id": n, "category_id": k, "segmentation": [[v for point in outline(*box) for v in point]], "bbox": []}
        for n in range(3)
        for k, box in enumerate(BOXES.values())
    ]
    drawn = [one | {"id": n} for n, one in enumerate(drawn)]
    categories = [{"id": k, "name": name} for k, name in enumerate(BOXES)]
    (folder / "annotations").mkdir()
    notes = {"images": images, "annotations": drawn, "categories": categories}
    (folder / "annotations/instances.json").write_text(json.dumps(notes))


def cvat(folder):
    names = photographs(folder, ["images/a", "images/b", "images/c"])
    shapes = "".join(
        f'<box label="{name}" xtl="{x}" ytl="{y}" xbr="{x2}" ybr="{y2}"/>' for name, (x, y, x2, y2) in BOXES.items()
    )
    images = [
        f'<image id="{n}" name="{name}.png" width="16" height="12">{shapes}</image>' for n, name in enumerate(names)
    ]
    (folder / "annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")


def via(folder):
    names = photographs(folder)
    regions = [
        {
            "shape_attributes": {"name": "rect", "x": x, "y": y, "width": x2 - x, "height": y2 - y},
            "region_attributes": {"kind": name},
        }
        for name, (x, y, x2, y2) in BOXES.items()
    ]
    images = {f"{name}.png9": {"filename": f"{name}.png", "size": 9, "regions": regions} for name in names}
    (folder / "via_project.json").write_text(json.dumps({"_via_settings": {}, "_via_img_metadata": images}))


def ready(folder, out, *asked):
    prepare.main(["folder", str(folder), "--out", str(out), *asked])
    return FolderDataset(out, "all", groups="(.+)")


@pytest.mark.parametrize("write", [coco, cvat, via], ids=lambda write: write.__name__)
def test_what_was_drawn_is_what_is_read(tmp_path, capsys, write):
    write(tmp_path / "in")
    dataset = ready(tmp_path / "in", tmp_path / "out")
    assert {sample.image_id for sample in dataset} == {"a", "b", "c"}
    assert all((sample.target.numpy() == CELLS).all() for sample in dataset)
    assert list(read_description(tmp_path / "out").classes) == ["background", "cell", "nucleus"]
    assert (tmp_path / "out/images/a.png").read_bytes() == next((tmp_path / "in").rglob("a.png")).read_bytes()


@pytest.mark.parametrize(("asked", "kept"), [("--window", np.uint8), ("--value-range", np.float32)])
def test_volumes_become_slices_that_stay_together(tmp_path, asked, kept):
    drawn = np.repeat(CELLS[::-1, ::-1].T[..., None], 3, axis=2)
    for seed, name in enumerate(("p1", "p2", "p3")):
        voxels = np.random.default_rng(seed).normal(50, 100, (16, 12, 3))
        for folder, what in (("imagesTr", voxels.astype(np.float32)), ("labelsTr", drawn)):
            (tmp_path / "in" / folder).mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(what, np.eye(4)), tmp_path / f"in/{folder}/{name}.nii.gz")
    dataset = ready(tmp_path / "in", tmp_path / "out", "--axis", "axial", asked, "-100", "250", "--test", "0.3")
    assert len(dataset) == 9 and all((sample.target.numpy() == CELLS).all() for sample in dataset)
    rows = (tmp_path / "out/split.csv").read_text().splitlines()
    parts = {(row.split(",")[2], row.split(",")[1]) for row in rows[1:]}
    assert sorted(group for group, _ in parts) == ["p1", "p2", "p3"] and {part for _, part in parts} == {
        "train",
        "test",
    }
    photo = sorted((tmp_path / "out/train/images").iterdir())[0]
    with Image.open(photo) as image:
        assert image.size == (16, 12) and np.asarray(image).dtype == kept


def test_no_word_about_a_patient_leaves_a_dicom_file(tmp_path, capsys):
    for name, patient in (("a", "4711"), ("b", "4711"), ("c", "0815")):
        dicom(tmp_path / f"in/{name}.dcm", PatientID=patient)
    dataset = ready(tmp_path / "in", tmp_path / "out", "--window", "0", "1100")
    assert all((sample.target.numpy() == (NUMBERS > 500)).all() for sample in dataset)
    assert "patient_2" in (tmp_path / "out/split.csv").read_text()
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    said = capsys.readouterr()
    for word in ("4711", "0815", "Doe"):
        assert word.encode() not in written and word not in said.out + said.err


def test_a_signal_leaves_nothing_behind(tmp_path, monkeypatch):
    coco(tmp_path / "in")
    monkeypatch.setattr(writing, "_write_photo", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        prepare.main(["folder", str(tmp_path / "in"), "--out", str(tmp_path / "new/out")])
    assert ended.value.code == 143 and signal.getsignal(signal.SIGTERM) == before
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_error_leaves_nothing_behind(tmp_path):
    coco(tmp_path / "in")
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "in/images/c.png")
    with pytest.raises(SystemExit):
        ready(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
