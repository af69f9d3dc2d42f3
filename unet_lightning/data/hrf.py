"""The HRF data set."""

from pathlib import Path

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.layout import find_root, image_files, of_split

GROUPS = ("dr", "g", "h")  # diabetic retinopathy, glaucoma, healthy
TRAIN = [f"{number:02d}_{group}" for number in range(1, 6) for group in GROUPS]
TEST = [f"{number:02d}_{group}" for number in range(6, 16) for group in GROUPS]
REMEDY = (
    "Unpack all.zip (https://www5.cs.fau.de/research/data/fundus-images/) and set data.root or HRF_ROOT to the folder "
    "that holds images/, manual1/ and mask/."
)


class HRFDataset(SegmentationDataset):
    """HRF, the High-Resolution Fundus image database.

    45 photographs of 2336 x 3504 (height x width), 8-bit RGB JPEG, taken with a Canon CR-1, field of view 45 degrees:
    15 each of healthy eyes (h), with diabetic retinopathy (dr) and with glaucoma (g). One group of experts drew the
    vessels; there is no second observer. Masks of the field of view come with it. In memory a photograph takes 41 MB.

    Train is the first five photographs of each group (15), test the others (30): the split of J. I. Orlando et al.
    ("A discriminatively trained fully connected conditional random field model for blood vessel segmentation in
    fundus images", IEEE Transactions on Biomedical Engineering 64(1), 2017).

    `root` holds images/, manual1/ and mask/, or HRF/ that does.

    Source: A. Budai et al., "Robust vessel segmentation in fundus images", International Journal of Biomedical
    Imaging 2013, article 154860.
    """

    name = "hrf"

    def __init__(self, root: str | Path, split: str, fov: str = "mask") -> None:
        ids = of_split(split, TRAIN, TEST)
        base = find_root(Path(root), "HRF", ["images/", "manual1/"], REMEDY)
        # Some suffixes are in upper case, so that files are found by their stems.
        photos, labels, masks = (image_files(base / folder) for folder in ("images", "manual1", "mask"))
        files = (
            ImageFiles(
                i,
                photos.get(i, base / f"images/{i}.jpg"),
                labels.get(i, base / f"manual1/{i}.tif"),
                masks.get(f"{i}_mask", base / f"mask/{i}_mask.tif"),
            )
            for i in ids
        )
        super().__init__((image.existing(fov, REMEDY) for image in files), fov)
