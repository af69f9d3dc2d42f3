"""Mean and standard deviation of the channels: measured on the training photographs, or given."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from unet_lightning.data.labels import IGNORE, Sample
from unet_lightning.errors import ConfigError


def channel_statistics(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of uint8 images inside the field of view, in [0, 1]."""
    pixels = torch.cat([sample.image[:, sample.target != IGNORE] for sample in samples], dim=1)  # (3, N) uint8
    # Exact from the histogram of 256 levels, without a float copy of every pixel.
    levels = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.stack([torch.bincount(channel, minlength=256) for channel in pixels.int()])  # (3, 256)
    weights = counts.double() / pixels.shape[1]
    mean = weights @ levels  # (3,)
    std = (weights @ levels**2 - mean**2).clamp(min=0).sqrt()
    return [round(value, 6) for value in mean.tolist()], [round(max(value, 1e-3), 6) for value in std.tolist()]


def given_statistics(normalize: Any) -> tuple[list[float] | None, list[float] | None]:
    """Mean and standard deviation from the value of `data.normalize`, None for `auto`; else ConfigError."""
    if normalize == "auto":
        return None, None
    if not isinstance(normalize, Mapping) or set(normalize) != {"mean", "std"}:
        raise ConfigError(f"data.normalize must be auto, or a mapping with mean and std; found {normalize}.")
    mean, std = normalize["mean"], normalize["std"]
    three = all(isinstance(figures, Sequence) and len(figures) == 3 for figures in (mean, std))
    if not three or min(mean) < 0 or min(std) <= 0 or max(*mean, *std) > 1:
        raise ConfigError(
            f"data.normalize needs three means and three positive stds, all up to 1; found {mean} and {std}."
        )
    return list(mean), list(std)
