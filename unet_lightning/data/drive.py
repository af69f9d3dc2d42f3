"""The DRIVE data set."""

from collections.abc import Sequence
from pathlib import Path

from unet_lightning.commands import command
from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.layout import find_root, of_split

TRAIN, TEST = range(21, 41), range(1, 21)
SIZE = (584, 565)  # (height, width) of every file, pixels
PREPARE = command("prepare", "drive training.zip test.zip --out data/")
REMEDY = (
    f"Unpack the official archives (`{PREPARE}`) and set data.root or DRIVE_ROOT to the folder that holds training/ "
    "and test/, or try everything without a download: data=synthetic."
)


class DriveDataset(SegmentationDataset):
    """DRIVE, Digital Retinal Images for Vessel Extraction.

    40 photographs of 584 x 565 (height x width), 8-bit RGB, field of view 45 degrees (about 540 pixels across), from
    a diabetic retinopathy screening in the Netherlands; 20 for training (21 to 40) and 20 for test (01 to 20). The
    vessels were drawn by a first observer, the reference, and in test by a second one. The archive that the challenge
    offers today has no labels for test, which is an error only when samples are asked for; older copies have both.

    `root` holds training/ and test/, or DRIVE/ that does.

    Source: J. Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE Transactions on
    Medical Imaging 23(4), 2004; https://drive.grand-challenge.org. Free for research, not to be redistributed.
    """

    name = "drive"

    def __init__(self, root: str | Path, split: str, fov: str = "mask") -> None:
        numbers = of_split(split, TRAIN, TEST)
        base = find_root(Path(root), "DRIVE", ["training/"], REMEDY)
        # Today's archive has no label for any test image; where one has a label, all must.
        test_labelled = any((base / "test" / "1st_manual").glob("*_manual1.gif"))
        files = []
        for number in numbers:
            expected = {kind: base / name for kind, name in expected_files(number).items()}
            labelled = test_labelled or number in TRAIN
            files.append(ImageFiles(f"{number:02d}", **expected).existing(fov, REMEDY, labelled))
        super().__init__(files, fov)

    def missing_labels(self, image_ids: Sequence[str]) -> str:
        """The message about the test images of today's archive."""
        first = next(image for image in self.files if image.image_id in image_ids)
        return (
            f"DRIVE's test images have no labels here: {first.photo.parents[1] / '1st_manual'} holds none, as in the "
            "archive that the challenge offers today, so nothing can be measured on them. Evaluate on split=val, "
            "predict them, or add 1st_manual/ (and 2nd_manual/) from an older copy."
        )


def expected_files(number: int) -> dict[str, str]:
    """The files of image `number` relative to the root: photo, fov, label, and in test second_label."""
    folder = "training" if number in TRAIN else "test"
    files = {
        "photo": f"{folder}/images/{number:02d}_{folder}.tif",
        "fov": f"{folder}/mask/{number:02d}_{folder}_mask.gif",
        "label": f"{folder}/1st_manual/{number:02d}_manual1.gif",
    }
    if folder == "test":
        files["second_label"] = f"{folder}/2nd_manual/{number:02d}_manual2.gif"
    return files
