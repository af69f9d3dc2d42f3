"""The U-Net of the tutorial: padded convolutions with BatchNorm or GroupNorm, bilinear or transposed upsampling.

Parameter names are those of the tutorial's checkpoints, so that such a file loads as it is.

Source: O. Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unet_lightning.errors import ConfigError
from unet_lightning.models.doubling import Doubling

SMALLEST = 16  # four poolings halve the side to 1 pixel


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm over up to 8 groups of at least 2 channels, so that even an image of one pixel can be normalised.

    Source: Y. Wu and K. He, "Group Normalization", ECCV 2018; the numbers are ours, for networks this narrow.
    """
    return nn.GroupNorm(max(1, math.gcd(16, channels) // 2), channels)


NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "group": group_norm}


def check_channels(in_channels: int, num_classes: int, base_c: int) -> None:
    """Raises ConfigError for a number below 1, or for a single class: background is one."""
    for name, value, least in (("in_channels", in_channels, 1), ("num_classes", num_classes, 2), ("base_c", base_c, 1)):
        if not isinstance(value, int) or value < least:
            raise ConfigError(f"model.{name} must be at least {least}, found {value}.")


class DoubleConv(nn.Sequential):
    """(3 x 3 convolution, normalisation, ReLU) twice; height and width stay."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int, norm: str) -> None:
        super().__init__(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            NORMS[norm](mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            NORMS[norm](out_channels),
            nn.ReLU(inplace=True),
        )


class Down(nn.Sequential):
    """Halves height and width by max pooling, then a DoubleConv."""

    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__(nn.MaxPool2d(2, stride=2), DoubleConv(in_channels, out_channels, out_channels, norm))


class Up(nn.Module):
    """Doubles height and width, joins the skip connection (`in_channels` together), then a DoubleConv."""

    def __init__(self, in_channels: int, out_channels: int, bilinear: bool, norm: str = "batch") -> None:
        super().__init__()
        self.up: nn.Module
        if bilinear:
            self.up = Doubling()
            self.conv = DoubleConv(in_channels, in_channels // 2, out_channels, norm)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels, out_channels, norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """`(B, C', H', W')` and the skip connection `(B, C, H, W)` in, `(B, out_channels, H, W)` out."""
        x = self.up(x)
        dh, dw = skip.shape[-2] - x.shape[-2], skip.shape[-1] - x.shape[-1]
        if dh or dw:  # padding by 0 would still copy
            x = F.pad(x, (dw // 2, dw - dw // 2, dh // 2, dh - dh // 2))
        x = torch.cat([skip, x], dim=1)  # frees what was upsampled: here memory is at its height
        out: Tensor = self.conv(x)
        return out


class UNet(nn.Module):
    """U-Net of five levels with base_c times 1, 2, 4, 8 and 16 channels, fewer where upsampling is bilinear.

    Large images pass in tiles (see `Geometry`). Convolutions reach 2 pixels of each of five levels on the way down and
    2 of four on the way up, 2 (1 + 2 + 4 + 8 + 16) + 2 (1 + 2 + 4 + 8) = 92 pixels, bilinear upsampling one pixel of
    each of the lower four levels more, 30; pixels that are pooled into one are reached together, up to 15 more.
    With GroupNorm every pixel reaches all others, through the statistics of its image: its maps of tiles are not those
    of the whole image, and the padding of a smaller image in a batch counts too.

    Args:
        in_channels: channels of the image.
        num_classes: classes, background among them.
        bilinear: bilinear upsampling, else transposed convolutions.
        base_c: channels of the first level.
        norm: `batch`, over the images of a batch (the tutorial's), or `group`, within each image.
    """

    stride = 16
    any_size = True

    def __init__(
        self, in_channels: int = 3, num_classes: int = 2, bilinear: bool = True, base_c: int = 32, norm: str = "batch"
    ) -> None:
        super().__init__()
        check_channels(in_channels, num_classes, base_c)
        if norm not in tuple(NORMS):
            raise ConfigError(f"model.norm must be one of {', '.join(NORMS)}, found {norm}.")
        halo = 128 if bilinear else 112  # 122 and 107 by measurement (see the tests), in whole strides
        self.halo = halo if norm == "batch" else None
        half = 2 if bilinear else 1
        self.in_conv = DoubleConv(in_channels, base_c, base_c, norm)
        self.down1 = Down(base_c, base_c * 2, norm)
        self.down2 = Down(base_c * 2, base_c * 4, norm)
        self.down3 = Down(base_c * 4, base_c * 8, norm)
        self.down4 = Down(base_c * 8, base_c * 16 // half, norm)
        self.up1 = Up(base_c * 16, base_c * 8 // half, bilinear, norm)
        self.up2 = Up(base_c * 8, base_c * 4 // half, bilinear, norm)
        self.up3 = Up(base_c * 4, base_c * 2 // half, bilinear, norm)
        self.up4 = Up(base_c * 2, base_c, bilinear, norm)
        self.out_conv = nn.Sequential(nn.Conv2d(base_c, num_classes, kernel_size=1))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits `{"out": (B, num_classes, H, W)}` of `(B, in_channels, H, W)` float, normalised, any H and W."""
        height, width = x.shape[-2:]
        if min(height, width) < SMALLEST:
            x = F.pad(x, (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height)))
        x1 = self.in_conv(x)  # (B, base_c, H, W)
        x2 = self.down1(x1)  # (B, 2 base_c, H/2, W/2)
        x3 = self.down2(x2)  # (B, 4 base_c, H/4, W/4)
        x4 = self.down3(x3)  # (B, 8 base_c, H/8, W/8)
        x5 = self.down4(x4)  # (B, 8 or 16 base_c, H/16, W/16)
        x = self.up1(x5, x4)  # (B, 4 or 8 base_c, H/8, W/8)
        x = self.up2(x, x3)  # (B, 2 or 4 base_c, H/4, W/4)
        x = self.up3(x, x2)  # (B, 1 or 2 base_c, H/2, W/2)
        del x2, x3, x4, x5  # memory is at its height next
        x = self.up4(x, x1)  # (B, base_c, H, W)
        return {"out": self.out_conv(x)[..., :height, :width]}
