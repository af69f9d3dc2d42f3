"""What a folder of images holds, and what about it is doubtful: read as training reads it, one image at a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unet_lightning.data.content import alike
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.groups import likely_groups
from unet_lightning.data.shares import Shares, doubts, shares_of
from unet_lightning.errors import DataError, UserError
from unet_lightning.importing.split import Split
from unet_lightning.progress import counted

FEW = 6  # images, below which none is unlike the others
FAR = 6  # robust standard deviations from the median
SCALED = 1.4826  # of the median absolute deviation, for the standard deviation of a normal distribution


class Image(NamedTuple):
    """One image as training sees it."""

    image_id: str
    part: str  # train, val or test
    file: Path
    size: tuple[int, int]  # height and width in pixels
    form: str  # channels and depth
    brightness: float  # mean of the photograph, of its white
    shares: Shares  # of the classes
    photograph: str  # digest
    look: str


class Checked(NamedTuple):
    """What was found in a folder."""

    lines: Sequence[str]
    doubts: Sequence[str]  # with what to do, a sentence or two each
    unlike: Sequence[str]  # ids of images to look at first
    shares: Mapping[str, Shares]  # of the classes, by part


def check_folder(root: Path, split: Split, made_of: Mapping[str, str], most: float) -> Checked:
    """Reads every image of a folder that was written, and compares them.

    Args:
        root: of the data set.
        split: of its images.
        made_of: the origin of each file, for messages.
        most: of two classes, the greatest share of the second one that is no reason for doubt.

    Raises:
        DataError: an image cannot be read, or is in two parts of the split.
    """
    images: list[Image] = []
    doubtful: list[str] = []
    parts = ("train", "test") if split.of("test") else ("train",)
    for dataset in [FolderDataset(root, part, groups="(.+)") for part in parts]:
        for image_id in counted(dataset.image_ids, "Checking"):
            try:
                image, near = _look_at(dataset, image_id, split, images)
            except UserError as error:
                raise DataError(_with_origins(str(error), made_of)) from error
            images.append(image)
            doubtful += near
    unlike = {**_odd_sizes(images), **_odd(images)}
    shares = {part: _joined([image for image in images if image.part == part]) for part in ("train", "val", "test")}
    shares = {part: found for part, found in shares.items() if len(found.images)}
    doubtful += [f"Of {part}: {doubt}" for part, found in shares.items() for doubt in doubts(found, most)]
    doubtful += [f"{image_id} is unlike the others: {why}. Is it of this data set?" for image_id, why in unlike.items()]
    if not split.groups and (likely := likely_groups([image.image_id for image in images])):
        doubtful.append(
            f"Names look as if images were of {len(likely[1])} patients: if so give --groups '{likely[0]}'; if each "
            "is of another one, --groups '(.+)'."
        )
    return Checked([*_lines(images, split, shares)], doubtful, [*unlike], shares)


def _look_at(dataset: FolderDataset, image_id: str, split: Split, before: Sequence[Image]) -> tuple[Image, list[str]]:
    """An image, and which of those `before` it is nearly the same as; DataError where it is in two parts."""
    one = dataset.subset([image_id])
    photo, target, content = one.photo(0), one.samples[0].target, one.content(0)
    depth = "8 bits" if photo.dtype == torch.uint8 else "more than 8 bits"
    white = 255 if photo.dtype == torch.uint8 else 1
    image = Image(
        image_id,
        split.parts[image_id],
        one.files[0].photo,
        (photo.shape[1], photo.shape[2]),
        f"{len(photo)} channel{'s' * (len(photo) > 1)} of {depth}, {one.files[0].photo.suffix[1:]}",
        float(photo.float().mean()) / white,
        shares_of([image_id], one.classes, [target]),
        content["photograph"],
        content["look"],
    )
    said = []
    for other in (other for other in before if other.photograph == image.photograph):
        if "test" in {image.part, other.part} and image.part != other.part:
            raise DataError(
                f"{other.image_id} ({other.part}) and {image_id} ({image.part}) are one photograph: {other.file} and "
                f"{image.file}. An image is in one split: remove one, or put both into one group (--groups)."
            )
        said.append(f"{other.image_id} and {image_id} are one photograph: remove one.")
    near = None if said else alike(photo, [other.look for other in before if other.part != image.part])
    for other in (other for other in before if other.look == near and other.part != image.part):
        said.append(
            f"{other.image_id} ({other.part}) and {image_id} ({image.part}) look alike: if they are of one photograph "
            "or patient, put both into one group (--groups)."
        )
    return image, said


def _lines(images: Sequence[Image], split: Split, shares: Mapping[str, Shares]) -> Sequence[str]:
    sizes = Counter(f"{height} x {width}" for height, width in (image.size for image in images))
    several = f"{len(sizes)} sizes, from {min(image.size for image in images)} to {max(image.size for image in images)}"
    lines = [
        "Sizes (height x width): "
        f"{several if len(sizes) > 3 else ', '.join(f'{size} ({n})' for size, n in sizes.items())}",
        f"Photographs: {', '.join(f'{form} ({n})' for form, n in Counter(image.form for image in images).items())}",
    ]
    for part, found in shares.items():
        groups = f", {len({split.groups[name] for name in found.images})} groups" if split.groups else ""
        lines.append(f"{part}: {len(found.images)} images{groups}; {found}")
    return lines


def _odd_sizes(images: Sequence[Image]) -> dict[str, str]:
    """Images of another size, where nearly all have one, or of a quarter or four times the usual area."""
    (size, number), *_ = Counter(image.size for image in images).most_common(1)
    middle = float(np.median([image.size[0] * image.size[1] for image in images]))
    return {
        image.image_id: f"it has {image.size[0]} x {image.size[1]} pixels (height x width)"
        for image in images
        if len(images) >= FEW
        and (
            (number >= 0.8 * len(images) and image.size != size)
            or not 0.25 <= image.size[0] * image.size[1] / middle <= 4
        )
    }


def _odd(images: Sequence[Image]) -> dict[str, str]:
    """Images whose brightness or share of foreground is far from that of all others."""
    found: dict[str, str] = {}
    figures: dict[str, Tensor] = {
        "its mean brightness is": torch.tensor([image.brightness for image in images]),
        "what is drawn covers": torch.cat([image.shares.foreground for image in images]),
    }
    for what, values in figures.items():
        middle = values.median()
        spread = max(SCALED * float((values - middle).abs().median()), 0.01)
        for image, value in zip(images, values.tolist(), strict=True):
            if len(images) >= FEW and abs(value - middle) > FAR * spread:
                found[image.image_id] = f"{what} {value:.1%}, the median {middle:.1%}"
    return found


def _joined(images: Sequence[Image]) -> Shares:
    """The classes of several images."""
    if not images:
        return Shares((), (), torch.zeros(0, 0))
    counts = torch.cat([image.shares.counts for image in images])
    return Shares([image.image_id for image in images], images[0].shares.classes, counts)


def _with_origins(message: str, made_of: Mapping[str, str]) -> str:
    """A message that names the files that were given, not those that were written."""
    for written, origin in made_of.items():
        message = message.replace(written, origin)
    return message
