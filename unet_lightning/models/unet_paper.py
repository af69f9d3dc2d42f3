"""The U-Net of the paper: unpadded convolutions, so that the outputs are smaller than the image.

Source: O. Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015, figure 1
and sections 2 and 3. Its dropout at the end of the contracting path, of which it gives no rate, is left out.
"""

import math

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError
from unet_lightning.models.unet import check_channels


class UnpaddedDoubleConv(nn.Sequential):
    """(3 x 3 convolution without padding, ReLU) twice; height and width lose 4."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=3),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3),
            nn.ReLU(inplace=True),
        )


class UpCropped(nn.Module):
    """Doubles height and width, joins the middle of the skip connection, then an UnpaddedDoubleConv."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
        self.conv = UnpaddedDoubleConv(in_channels, in_channels // 2)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """`(B, 2 C, h, w)` and the skip `(B, C, H, W)` in, `(B, C, 2 h - 4, 2 w - 4)` out."""
        x = self.up(x)
        height, width = x.shape[-2:]
        top, left = (skip.shape[-2] - height) // 2, (skip.shape[-1] - width) // 2
        middle = skip[..., top : top + height, left : left + width]
        out: Tensor = self.conv(torch.cat([middle, x], dim=1))
        return out


class UNetPaper(nn.Module):
    """U-Net as published: transposed upsampling, no BatchNorm, 572 x 572 pixels in, 388 x 388 logits out.

    Each level loses 4 of its pixels on the way down and, but for the deepest, 4 on the way up: on each side
    2 (1 + 2 + 4 + 8 + 16) + 2 (1 + 2 + 4 + 8) = 92 pixels of the image. `same_size` mirrors the image to make up.
    """

    halo = 0  # without padding a tile gives what the whole image gives
    stride = 16
    margin = 92
    least = 188  # 4 pixels of output

    def __init__(self, in_channels: int = 3, num_classes: int = 2, base_c: int = 64) -> None:
        super().__init__()
        check_channels(in_channels, num_classes, base_c)
        self.in_conv = UnpaddedDoubleConv(in_channels, base_c)
        self.down1 = UnpaddedDoubleConv(base_c, base_c * 2)
        self.down2 = UnpaddedDoubleConv(base_c * 2, base_c * 4)
        self.down3 = UnpaddedDoubleConv(base_c * 4, base_c * 8)
        self.down4 = UnpaddedDoubleConv(base_c * 8, base_c * 16)
        self.up1 = UpCropped(base_c * 16)
        self.up2 = UpCropped(base_c * 8)
        self.up3 = UpCropped(base_c * 4)
        self.up4 = UpCropped(base_c * 2)
        self.out_conv = nn.Conv2d(base_c, num_classes, kernel_size=1)
        self.pool = nn.MaxPool2d(2, stride=2)
        self.apply(draw_weights)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits `{"out": (B, num_classes, H - 184, W - 184)}` of `(B, in_channels, H, W)`; see `check_sides`."""
        check_sides(*x.shape[-2:])
        x1 = self.in_conv(x)  # (B, base_c, H - 4, W - 4)
        x2 = self.down1(self.pool(x1))
        x3 = self.down2(self.pool(x2))
        x4 = self.down3(self.pool(x3))
        x5 = self.down4(self.pool(x4))  # (B, 16 base_c, H / 16 - 7.75, W / 16 - 7.75)
        x = self.up2(self.up1(x5, x4), x3)
        x = self.up4(self.up3(x, x2), x1)  # (B, base_c, H - 184, W - 184)
        return {"out": self.out_conv(x)}


def check_sides(height: int, width: int) -> None:
    """Raises ConfigError where a side is one at which a pooling of the network would meet an odd number of pixels."""
    for name, side in (("height", height), ("width", width)):
        least, stride = UNetPaper.least, UNetPaper.stride
        below = side - (side - least) % stride
        if side < least or side != below:
            near = f"{below} or {below + stride}" if below >= least else least
            raise ConfigError(
                f"The network of the paper takes sides of 188 pixels and 16 more, 32 more and so on; found a {name} of "
                f"{side}, the nearest is {near}. same_size in models/context.py mirrors an image of any size to one."
            )


def draw_weights(module: nn.Module) -> None:
    """Draws the weights of a convolution from N(0, 2 / N), N the inputs that one output pixel sums; the bias is 0.

    Without BatchNorm the depth of the network needs it: each layer then hands on the variance that it gets.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        # With a stride of 2 each output of a transposed convolution 2 x 2 sees a single pixel.
        seen = math.prod(module.kernel_size) if isinstance(module, nn.Conv2d) else 1
        nn.init.normal_(module.weight, std=math.sqrt(2 / (module.in_channels * seen)))
        assert module.bias is not None
        nn.init.zeros_(module.bias)
