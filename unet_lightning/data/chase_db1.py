"""The CHASE_DB1 data set."""

from pathlib import Path

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.layout import find_root, of_split

# Left and right eye of each child, in the order of the files.
TRAIN = [f"{child:02d}{eye}" for child in range(1, 11) for eye in "LR"]
TEST = [f"{child:02d}{eye}" for child in range(11, 15) for eye in "LR"]
REMEDY = (
    "Unpack CHASEDB1.zip (https://blogs.kingston.ac.uk/retinal/chasedb1/) and set data.root or CHASE_DB1_ROOT to the "
    "folder with its photographs."
)


class ChaseDB1Dataset(SegmentationDataset):
    """CHASE_DB1, the vessel reference set of the Child Heart and Health Study in England.

    28 photographs of 960 x 999 (height x width), 8-bit RGB JPEG, field of view 30 degrees (about 917 pixels across;
    891 in both of child 08), of both eyes of 14 schoolchildren, taken with a hand-held Nidek NM-200-D. Two observers
    drew the vessels of all; the first is the reference. There are no masks of the field of view.

    Train is the first 20 photographs (01L to 10R), test the last 8 (11L to 14R): the split of Q. Li et al. ("A
    cross-modality learning approach for vessel segmentation in retinal images", IEEE Transactions on Medical Imaging
    35(1), 2016), of MMSegmentation and of most papers; no child is in both. Some train on the first 8 and test on the
    other 20 (deepdraw does): their figures do not compare.

    `root` holds Image_01L.jpg and so on, or CHASE_DB1/ that does.

    Source: M. M. Fraz et al., "An ensemble classification-based approach applied to retinal blood vessel
    segmentation", IEEE Transactions on Biomedical Engineering 59(9), 2012.
    """

    name = "chase_db1"

    def __init__(self, root: str | Path, split: str, fov: str = "auto") -> None:
        ids = of_split(split, TRAIN, TEST)
        base = find_root(Path(root), "CHASE_DB1", ["Image_*.jpg"], REMEDY)
        files = (
            ImageFiles(i, base / f"Image_{i}.jpg", base / f"Image_{i}_1stHO.png", None, base / f"Image_{i}_2ndHO.png")
            for i in ids
        )
        super().__init__((image.existing(fov, REMEDY) for image in files), fov)

    def patient_of(self, image_id: str) -> str:
        """The child's number, which both eyes share."""
        return image_id[:-1]
