"""The STARE data set."""

import re
from pathlib import Path

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.image_files import ImageFiles
from unet_lightning.data.layout import of_split
from unet_lightning.errors import DataError

COUNT = 20  # photographs with labels
SUFFIXES = (".ppm", ".pgm", ".ppm.gz", ".pgm.gz")
PHOTO = re.compile(r"(im\d{4})\.p[gp]m(\.gz)?")
REMEDY = (
    "Unpack stare-images.tar, labels-ah.tar and labels-vk.tar (https://cecas.clemson.edu/~ahoover/stare) into "
    "folders of these names, or all into one, and set data.root or STARE_ROOT to it."
)


class StareDataset(SegmentationDataset):
    """STARE, Structured Analysis of the Retina: the photographs with vessels drawn.

    20 photographs of 605 x 700 (height x width), 8-bit RGB, digitised slides of a TopCon TRV-50 camera, field of view
    35 degrees; ten show disease. Two observers drew the vessels of all: A. Hoover (ah), the reference, and V.
    Kouznetsova (vk), who drew more of the thin ones. There are no masks of the field of view.

    Train is the first ten photographs in the order of their names (im0001 to im0139), test the last ten (im0162 to
    im0324): the split of K.-K. Maninis et al. ("Deep Retinal Image Understanding", MICCAI 2016). Other papers leave
    one photograph out in turn.

    `root` holds stare-images/, labels-ah/ and labels-vk/, or all files, or STARE/ that does. Files may be gzipped, as
    they are in the archives.

    Source: A. Hoover, V. Kouznetsova, M. Goldbaum, "Locating blood vessels in retinal images by piecewise threshold
    probing of a matched filter response", IEEE Transactions on Medical Imaging 19(3), 2000.
    """

    name = "stare"

    def __init__(self, root: str | Path, split: str, fov: str = "auto") -> None:
        base, photos = _photographs(Path(root))
        ids = of_split(split, list(photos)[: COUNT // 2], list(photos)[COUNT // 2 :])
        files = (ImageFiles(i, photos[i], _label(base, i, "ah"), None, _label(base, i, "vk")) for i in ids)
        super().__init__((image.existing(fov, REMEDY) for image in files), fov)


def _photographs(root: Path) -> tuple[Path, dict[str, Path]]:
    """The folder of the data set (`root`, or STARE/ below it), and its 20 photographs by id, in order."""
    above = root / "STARE"
    for base, folder in ((root, root / "stare-images"), (root, root), (above, above / "stare-images"), (above, above)):
        photos: dict[str, Path] = {}
        for path in sorted(folder.glob("im*")):
            if match := PHOTO.fullmatch(path.name):
                photos.setdefault(match[1], path)  # im0001.ppm comes before im0001.ppm.gz
        if len(photos) == COUNT:
            return base, photos
        if photos:
            raise DataError(
                f"STARE has {COUNT} photographs with labels, {folder} holds {len(photos)}: the splits are the "
                f"first and the last half of exactly those in stare-images.tar. {REMEDY}"
            )
    raise DataError(f"No STARE in {root}: looked for stare-images/im0001.ppm(.gz) there and in STARE/. {REMEDY}")


def _label(base: Path, image_id: str, observer: str) -> Path:
    """An observer's label, in a folder of its own or beside the photographs; its expected path where there is none."""
    folders = (base / f"labels-{observer}", base)
    paths = [folder / f"{image_id}.{observer}{suffix}" for folder in folders for suffix in SUFFIXES]
    return next((path for path in paths if path.is_file()), folders[0] / f"{image_id}.{observer}.ppm(.gz)")
