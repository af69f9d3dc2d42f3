"""What a folder of images holds, and what about it is doubtful: read as training reads it, one image at a time."""

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from unet_lightning.data.content import alike
from unet_lightning.data.facts import Facts
from unet_lightning.data.folder import FolderDataset
from unet_lightning.data.groups import likely_groups
from unet_lightning.data.shares import Shares, check_not_single, checked_shares, doubts
from unet_lightning.errors import DataError, UserError
from unet_lightning.importing.split import Split
from unet_lightning.progress import counted
from unet_lightning.text import some

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
    facts: Facts

    @property
    def brightness(self) -> float:
        """The mean of the pixels that count, of white."""
        return float(np.mean(self.facts.moments.mean))

    @property
    def foreground(self) -> float:
        """The share of all classes but the background."""
        return 1 - self.facts.counts[0] / sum(self.facts.counts)


class Checked(NamedTuple):
    """What was found in a folder."""

    lines: Sequence[str]
    doubts: Sequence[str]  # with what to do, a sentence or two each
    unlike: Sequence[str]  # ids of images to look at first
    shares: Mapping[str, Shares]  # of the classes, by part


def check_folder(
    datasets: Mapping[str, FolderDataset], split: Split, made_of: Mapping[str, str], most: float
) -> Checked:
    """Reads every image of a folder that was written, and compares them.

    Args:
        datasets: train, and test where there is one.
        split: of the images.
        made_of: the origin of each file, for messages.
        most: of two classes, the greatest share of the second one that is no reason for doubt.

    Raises:
        DataError: an image cannot be read, nothing counts in its label, or it is in two parts of the split.
    """
    images: list[Image] = []
    doubtful: list[str] = []
    with _by_origin(made_of):
        for dataset in datasets.values():
            for index in counted(range(len(dataset)), "Checking"):
                image, near = _look_at(dataset, index, split, images)
                images.append(image)
                doubtful += near
        doubtful += _copies(images)
    shares = {}
    for part in ("train", "val", "test"):
        if found := [image for image in images if image.part == part]:
            counts = torch.tensor([image.facts.counts for image in found])
            shares[part] = checked_shares([image.image_id for image in found], datasets["train"].classes, counts)
    check_not_single(shares["train"])
    unlike = {**_odd_sizes(images), **_odd(images)}
    doubtful += [f"Of {part}: {doubt}" for part, found in shares.items() for doubt in doubts(found, most)]
    if unlike:
        whys = [f"{image_id} ({why})" for image_id, why in unlike.items()]
        doubtful.append(f"Unlike the others: {some(whys)}. Are these of this data set?")
    if not split.groups and (likely := likely_groups([image.image_id for image in images])):
        doubtful.append(
            f"Names look as if images were of {len(likely[1])} patients: if so give --groups '{likely[0]}'; if each "
            "is of another one, --groups '(.+)'."
        )
    return Checked([*_lines(images, split, shares)], doubtful, [*unlike], shares)


def _look_at(dataset: FolderDataset, index: int, split: Split, before: Sequence[Image]) -> tuple[Image, list[str]]:
    """An image, and which of those `before` in other parts it nearly is."""
    image_id, file, photo = dataset.image_ids[index], dataset.files[index].photo, dataset.photo(index)
    depth = "8 bits" if photo.dtype == torch.uint8 else "more than 8 bits"
    form = f"{len(photo)} channel{'s' * (len(photo) > 1)} of {depth}, {file.suffix[1:]}"
    size, facts = (photo.shape[1], photo.shape[2]), dataset.look_at(index)
    image = Image(image_id, split.parts[image_id], file, size, form, facts)
    digest = facts.content["photograph"]
    apart = [one for one in before if one.part != image.part and one.facts.content["photograph"] != digest]
    near = alike(photo, [other.facts.content["look"] for other in apart])
    return image, [
        f"{other.image_id} ({other.part}) and {image_id} ({image.part}) look alike: if they are of one photograph or "
        "patient, put both into one group (--groups)."
        for other in apart
        if other.facts.content["look"] == near
    ]


def _copies(images: Sequence[Image]) -> list[str]:
    """A line for each photograph that is there several times; DataError where it is in two parts."""
    same: dict[str, list[Image]] = {}
    for image in images:
        same.setdefault(image.facts.content["photograph"], []).append(image)
    for one, *others in same.values():
        if other := next((other for other in others if other.part != one.part), None):
            raise DataError(
                f"{one.image_id} ({one.part}) and {other.image_id} ({other.part}) are one photograph: {one.file} and "
                f"{other.file}. An image is in one split: remove one, or put both into one group (--groups)."
            )
    copies = [[image.image_id for image in found] for found in same.values() if len(found) > 1]
    return [f"{some(names)} are one photograph: keep one." for names in copies]


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
    figures = {
        "its mean brightness is": [image.brightness for image in images],
        "what is drawn covers": [image.foreground for image in images],
    }
    for what, values in figures.items():
        middle = statistics.median_low(values)
        spread = max(SCALED * statistics.median_low(abs(value - middle) for value in values), 0.01)
        for image, value in zip(images, values, strict=True):
            if len(images) >= FEW and middle > 0 and abs(value - middle) > FAR * spread:
                found[image.image_id] = f"{what} {value:.1%}, the median {middle:.1%}"
    return found


@contextmanager
def _by_origin(made_of: Mapping[str, str]) -> Iterator[None]:
    """Lets errors name the files that were given, and options of `prepare`, not what was written and is typed later."""
    try:
        yield
    except UserError as error:
        message = str(error)
        for written, origin in made_of.items():
            message = message.replace(written, origin)
        message = re.sub(r"data\.dataset\.value_range=\[(\S+), (\S+)\]", r"--value-range \1 \2", message)
        raise DataError(re.sub(r"data\.dataset\.channels=", "--channels ", message)) from error
