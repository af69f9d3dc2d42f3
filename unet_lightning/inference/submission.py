"""The archive that the DRIVE challenge takes."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from unet_lightning.data.drive import SIZE
from unet_lightning.errors import DataError
from unet_lightning.files import whole_file

TEST_IDS = [f"{number:02d}" for number in range(1, 21)]


def check_ids(image_ids: Iterable[str]) -> None:
    """Raises DataError where these are not the images that a submission holds."""
    if (found := sorted(image_ids)) != TEST_IDS:
        raise DataError(f"A submission holds DRIVE's test images 01 to 20, found {', '.join(found) or 'none'}.")


def write_submission(masks: Mapping[str, Tensor], path: Path) -> None:
    """Writes the 20 test images as 8-bit PNG of 0 and 255, called 1.png to 20.png, into one zip file.

    Args:
        masks: `(584, 565)` bool by image id, 01 to 20; of any others nothing is written.
        path: of the zip file.

    Source: https://drive.grand-challenge.org, the page on submission.
    """
    check_ids(masks)
    for image_id, mask in masks.items():
        if tuple(mask.shape) != SIZE or mask.dtype != torch.bool:
            raise DataError(
                f"Image {image_id} of the submission is {tuple(mask.shape)} {mask.dtype}, expected {SIZE} (height, "
                "width) and true or false."
            )
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for image_id in TEST_IDS:
            # A fixed date: the same masks give the same bytes.
            with archive.open(zipfile.ZipInfo(f"{int(image_id)}.png", (1980, 1, 1, 0, 0, 0)), "w") as file:
                Image.fromarray((masks[image_id].to(torch.uint8) * 255).numpy()).save(file, "PNG")
