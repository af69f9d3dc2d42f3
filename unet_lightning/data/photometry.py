"""What training photographs have in common: their colours, and how large a field of view is."""

import statistics
from collections.abc import Sequence

import torch

from unet_lightning.data.fov import diameter
from unet_lightning.data.fundus import FundusDataset
from unet_lightning.data.labels import IGNORE, Sample


def channel_statistics(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over all pixels inside the field of view, in [0, 1].

    Args:
        samples: with uint8 images.
    """
    pixels = torch.cat([sample.image[:, sample.target != IGNORE] for sample in samples], dim=1)  # (3, N) uint8
    # Exact from the histogram of 256 levels, without a float copy of every pixel.
    levels = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.stack([torch.bincount(channel, minlength=256) for channel in pixels.int()])  # (3, 256)
    weights = counts.double() / pixels.shape[1]
    mean = weights @ levels  # (3,)
    std = (weights @ levels**2 - mean**2).clamp(min=0).sqrt()
    return [round(value, 6) for value in mean.tolist()], [round(max(value, 1e-3), 6) for value in std.tolist()]


def median_diameter(dataset: FundusDataset) -> int | None:
    """The median over the photographs of how far the field of view reaches across, pixels.

    None where no photograph has ground outside its field of view, so that nothing tells its scale.
    """
    found = [dataset.field_of_view(index) for index in range(len(dataset))]
    fields = [field for field in found if field is not None and not field.all()]
    return statistics.median_low(diameter(field) for field in fields) if fields else None
