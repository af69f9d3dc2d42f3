"""Mean and standard deviation of the channels: measured on the training photographs, or given."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unet_lightning.data.bands import MOST_BANDS
from unet_lightning.errors import ConfigError

FLOORS = {True: 1e-3, False: 1e-6}  # of standard deviations, of 8 bits and of more


class Moments(NamedTuple):
    """Number of pixels, and of each channel the mean and the sum of squared differences from it; plain, for JSON."""

    pixels: int
    mean: list[float]  # in [0, 1]
    squares: list[float]
    eight_bits: bool


def moments_of(photo: Tensor, counted: Tensor) -> Moments:
    """The moments of a photograph `(C, H, W)`, uint8 or float32 in [0, 1], where `(H, W)` bool says that it counts."""
    count = int(counted.sum())
    if photo.dtype == torch.uint8:
        # Exact from the histogram of 256 levels, without a float copy of every pixel.
        levels = torch.arange(256, dtype=torch.float64) / 255
        histograms = [torch.bincount(channel[counted].int(), minlength=256).double() for channel in photo]
        means = [float(one @ levels) / max(count, 1) for one in histograms]
        squares = [float(one @ (levels - mean) ** 2) for one, mean in zip(histograms, means, strict=True)]
        return Moments(count, means, squares, True)
    pixels = [channel[counted].double() for channel in photo]
    means = [float(one.sum()) / max(count, 1) for one in pixels]
    squares = [float((one - mean).square_().sum()) for one, mean in zip(pixels, means, strict=True)]
    return Moments(count, means, squares, False)


def channel_statistics(moments: Iterable[Moments]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of photographs together, in [0, 1].

    Source: T. Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """
    found = list(moments)
    total = max(1, sum(one.pixels for one in found))
    counts = torch.tensor([one.pixels for one in found], dtype=torch.float64)  # (N,)
    means = torch.tensor([one.mean for one in found], dtype=torch.float64)  # (N, C)
    squares = torch.tensor([one.squares for one in found], dtype=torch.float64)
    mean = counts @ means / total  # (C,)
    std = ((squares.sum(0) + counts @ (means - mean) ** 2) / total).sqrt()
    eight_bits = all(one.eight_bits for one in found)
    floor = FLOORS[eight_bits]
    return [_rounded(one, eight_bits) for one in mean.tolist()], [
        _rounded(max(one, floor), eight_bits) for one in std.tolist()
    ]


def _rounded(value: float, eight_bits: bool) -> float:
    """To six places, or to nine digits where values may be small."""
    return round(value, 6) if eight_bits else float(f"{value:.9g}")


def given_statistics(normalize: Any) -> tuple[list[float] | None, list[float] | None]:
    """Mean and standard deviation from the value of `data.normalize`, None for `auto`; else ConfigError."""
    if normalize == "auto":
        return None, None
    if not isinstance(normalize, Mapping) or set(normalize) != {"mean", "std"}:
        raise ConfigError(f"data.normalize must be auto, or a mapping with mean and std; found {normalize}.")
    mean, std = normalize["mean"], normalize["std"]
    lists = all(isinstance(figures, Sequence) and 1 <= len(figures) <= MOST_BANDS for figures in (mean, std))
    if not lists or len(mean) != len(std) or min(mean) < 0 or min(std) <= 0 or max(*mean, *std) > 1:
        raise ConfigError(
            "data.normalize needs a mean and a positive std for each channel (three of RGB), all up to 1; found "
            f"{mean} and {std}."
        )
    return list(mean), list(std)


def check_statistics(mean: Sequence[float], channels: int) -> None:
    """Raises ConfigError where there are not as many means as channels."""
    if len(mean) != channels:
        raise ConfigError(
            f"data.normalize has {len(mean)} means and stds, the photographs have channels: {channels}. Give as many, "
            "or data.normalize=auto."
        )
