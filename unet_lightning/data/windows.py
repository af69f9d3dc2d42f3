"""Crops of photographs that are too large to be decoded whole: what a random crop would leave is read from the file."""

from collections.abc import Iterator
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from unet_lightning.data.bands import Window
from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.labels import Sample


def parted(transform: v2.Transform) -> tuple[v2.RandomCrop | None, v2.Transform]:
    """The random crop that a transform begins with, and what follows it; no crop where it begins otherwise."""
    first, *rest = _steps(transform)
    plain = isinstance(first, v2.RandomCrop) and first.padding is None and first.padding_mode == "constant"
    return (first, v2.Compose(rest or [v2.Identity()])) if plain else (None, transform)


def _steps(transform: Any) -> Iterator[Any]:
    """The transforms one after another, those within others too."""
    if type(transform) is v2.Compose:
        for one in transform.transforms:
            yield from _steps(one)
    else:
        yield transform


def cropped(dataset: SegmentationDataset, index: int, crop: v2.RandomCrop) -> Sample:
    """The sample that `crop` leaves of an image, by the same chances; of photograph and label the window alone is read.

    A crop that chooses by what is in the label is shown all of it.
    """
    height, width, channels, dtype = dataset.stored(index)
    photo = tv_tensors.Image(torch.zeros(1, dtype=dtype).expand(channels, height, width))  # without its memory
    whole = torch.zeros(1, dtype=torch.uint8).expand(height, width)
    name = dataset.image_ids[index]
    if type(crop) is not v2.RandomCrop:
        whole = dataset.target(index)
        crop.name = name
    params = crop.make_params([photo, tv_tensors.Mask(whole)])
    left, top, right, bottom = params["padding"] if params["needs_pad"] else (0, 0, 0, 0)
    rows = _inside(params["top"], params["height"], top, height) if params["needs_crop"] else (0, height, top, bottom)
    columns = _inside(params["left"], params["width"], left, width) if params["needs_crop"] else (0, width, left, right)
    window = Window(rows[0], columns[0], rows[1], columns[1])
    pad = v2.Pad([columns[2], rows[2], columns[3], rows[3]], fill=crop.fill)
    image, target = dataset.photo_in(index, window), dataset.target_in(index, window)
    sample: Sample = pad(Sample(tv_tensors.Image(image), tv_tensors.Mask(target), name))
    return sample


def _inside(start: int, length: int, before: int, side: int) -> tuple[int, int, int, int]:
    """What of a stretch of a padded side lies in the picture: its start and length, and what is added on both ends."""
    first, last = max(0, start - before), min(side, start - before + length)
    return first, last - first, first - (start - before), start - before + length - last
