"""The field of view of a retinal photograph: found in the photograph, and measured."""

import statistics
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, max_pool2d, pad

DARK = 0.2  # of the level of the bright part: what is darker is the camera's black frame
BRIGHT_QUANTILE = 0.75
LEAST_SHARE = 0.1  # of the photograph: a smaller region is taken for a mistake
LONGEST = 1200  # pixels of the longer side; a larger photograph is shrunk to it first, to save memory
BLUR = torch.tensor([0.07, 0.245, 0.37, 0.245, 0.07])  # a Gaussian with a standard deviation of 1.1 pixels


def find_field_of_view(photo: Tensor) -> Tensor:
    """Where the retina is, in a photograph that shows it as a disc (cut off or not) on a dark background.

    The disc is brightest in red. Dark spots within it are filled from edge to edge in rows and columns, as a disc has
    no dents. A photograph without a dark background is all field of view. From `(3, H, W)` uint8 to `(H, W)` bool.
    """
    height, width = photo.shape[1:]
    if max(height, width) > LONGEST:
        size = [max(1, side * LONGEST // max(height, width)) for side in (height, width)]
        small = interpolate(photo[None], size, mode="bilinear", antialias=True)[0]
        shares = find_field_of_view(small)[None, None].to(torch.uint8) * 255
        return interpolate(shares, (height, width), mode="bilinear")[0, 0] > 127
    red = pad(photo[None, :1].float(), (2, 2, 2, 2), mode="replicate")
    red = conv2d(red, torch.outer(BLUR, BLUR)[None, None])[0, 0].round()  # (H, W)
    level = torch.quantile(red.flatten()[:: max(1, red.numel() // 100_000)], BRIGHT_QUANTILE)
    bright = red > DARK * level
    filled = _spans(bright, dim=0) & _spans(bright, dim=1)
    # The blur moves the rim out by a pixel, into the background, where a network would find vessels.
    fov = -max_pool2d(-filled[None].float(), 3, stride=1, padding=1)[0] > 0
    return fov if fov.float().mean() >= LEAST_SHARE else torch.ones_like(fov)


def diameter(fov: Tensor) -> int:
    """The longer of a field of view's height and width, pixels; it must not be empty.

    A disc that is cut off above and below keeps its width, so that this is still its diameter.
    """
    return max(int(axis[-1] - axis[0]) + 1 for axis in (fov.any(dim).nonzero()[:, 0] for dim in (0, 1)))


def median_diameter(fields: Iterable[Tensor | None]) -> int | None:
    """The median diameter of fields of view (None is the whole image), pixels; None where none has an outside."""
    measured = [diameter(field) for field in fields if field is not None and not field.all()]
    return statistics.median_low(measured) if measured else None


def _spans(mask: Tensor, dim: int) -> Tensor:
    """True from the first to the last True along `dim`."""
    return (mask.cumsum(dim) > 0) & (mask.flip(dim).cumsum(dim).flip(dim) > 0)
