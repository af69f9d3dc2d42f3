"""DRIVE: which files a split has."""

from pathlib import Path

from unet_lightning.data.fundus import FundusDataset, Record
from unet_lightning.errors import DataError

# Folder, suffix and ids of each split in the official archives.
SPLITS = {"train": ("training", range(21, 41)), "test": ("test", range(1, 21))}
SIZE = (584, 565)  # (height, width) of every file, pixels
PREPARE = "python -m unet_lightning.prepare drive training.zip test.zip --out data/"


class DriveDataset(FundusDataset):
    """DRIVE, Digital Retinal Images for Vessel Extraction.

    40 photographs of 584 x 565 (height x width), 8-bit RGB, field of view 45 degrees (about 540 pixels across), from
    a diabetic retinopathy screening in the Netherlands; 20 for training (21 to 40) and 20 for test (01 to 20). The
    vessels were drawn by a first observer, the reference, and in test by a second one. The archive that the challenge
    offers today has no labels for test; older copies have both.

    Args:
        root: the folder with training/ and test/, or its parent that holds DRIVE/.
        split: `train` or `test`.

    Raises:
        DataError: the folder, a photograph, a label or a mask is missing.

    Source: J. Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE Transactions on
    Medical Imaging 23(4), 2004; https://drive.grand-challenge.org. Free for research, not to be redistributed.
    """

    name = "drive"

    def __init__(self, root: str | Path, split: str) -> None:
        base = find_root(Path(root))
        folder = base / SPLITS[split][0]
        if split == "test" and folder.is_dir() and not any((folder / "1st_manual").glob("*_manual1.gif")):
            raise DataError(
                f"DRIVE's test images have no labels here: {folder / '1st_manual'} holds none, as in the archive that "
                "the challenge offers today, so nothing can be measured on them. Evaluate on split=val, predict them "
                "with `python -m unet_lightning.predict`, or add 1st_manual/ (and 2nd_manual/) from an older copy."
            )
        super().__init__(_record(folder, number) for number in SPLITS[split][1])


def find_root(root: Path) -> Path:
    """The folder with training/ in it: `root` itself, or DRIVE/ below it.

    Raises:
        DataError: neither is there; the message gives both remedies.
    """
    for candidate in (root, root / "DRIVE"):
        if (candidate / "training").is_dir():
            return candidate
    raise DataError(
        f"No DRIVE in {root}: looked for training/ and DRIVE/training/ there. Either unpack the official archives "
        f"(`{PREPARE}`) and set data.root or DRIVE_ROOT to the folder that holds training/ and test/, or try "
        "everything without a download: data=synthetic."
    )


def expected_files(number: int) -> dict[str, str]:
    """The files of image `number` relative to the root: photo, fov, label, and in test second_label."""
    folder, part = ("training", "training") if number > 20 else ("test", "test")
    files = {
        "photo": f"{folder}/images/{number:02d}_{part}.tif",
        "fov": f"{folder}/mask/{number:02d}_{part}_mask.gif",
        "label": f"{folder}/1st_manual/{number:02d}_manual1.gif",
    }
    if folder == "test":
        files["second_label"] = f"{folder}/2nd_manual/{number:02d}_manual2.gif"
    return files


def _record(folder: Path, number: int) -> Record:
    """The record of one image; the second observer's label only where the file is there."""
    files = {what: folder.parent / file for what, file in expected_files(number).items()}
    for what, words in (("photo", "photograph"), ("label", "first observer's label"), ("fov", "field-of-view mask")):
        if not files[what].is_file():
            raise DataError(
                f"No {words} for image {number:02d}: looked for {files[what]}. Set data.root to the folder that holds "
                f"training/ and test/, or unpack the archives again: `{PREPARE}`."
            )
    second = files.get("second_label")
    if second is not None and not second.is_file():
        second = None
    return Record(f"{number:02d}", files["photo"], files["label"], files["fov"], second)
