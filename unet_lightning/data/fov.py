"""The field of view of a retinal photograph: found in the photograph, and measured."""

import statistics
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, max_pool2d, pad

from unet_lightning.data.disc import fit_disc
from unet_lightning.data.shown import shown

DARK = 0.15  # of the way from the ground's level to that of the retina: what is nearer to the ground belongs to it
LEAST_CONTRAST = 8  # levels of 255 by which the retina differs from the ground
EVEN = 16  # levels of 255 by which the corners of a ground of one colour may differ
FLAT = 0.05  # of the contrast: half of a ground differs by less from its level
SECOND = 0.25  # of the largest region: a second one of this size may be another eye
LEAST_SHARE = 0.01  # of the photograph: a smaller region is taken for a mistake
CORNER = 25  # the shorter side is so many times that of the squares in the corners that show the ground
STROKE = 200  # the shorter side is so many times the width of letters and lines that are taken off a region
LONGEST = 1200  # pixels of the longer side; a larger photograph is shrunk to it first, to save memory
BLUR = torch.tensor([0.07, 0.245, 0.37, 0.245, 0.07])  # a Gaussian with a standard deviation of 1.1 pixels

ROUND = 0.96  # from this agreement with a circle on, a region is a disc
RIM = 0.75  # a circle through so much of the rim of a region is the disc, where the rest lies in shadow


def find_field_of_view(photo: Tensor) -> Tensor:
    """Where the retina is, in a photograph that shows it as a disc (cut off or not) on a ground.

    The ground is dark, or of one colour; noise, letters and lines on it do not matter. What is round, or an ellipse
    where a photograph was stretched, is the field of view; a photograph without such a region is all field of view (see
    `doubt`). From `(C, H, W)` uint8 or float32, as it is `shown`, to `(H, W)` bool.
    """
    photo = shown(photo)
    height, width = photo.shape[1:]
    if max(height, width) > LONGEST:
        size = [max(1, side * LONGEST // max(height, width)) for side in (height, width)]
        small = interpolate(photo[None], size, mode="bilinear", antialias=True)[0]
        shares = find_field_of_view(small)[None, None].to(torch.uint8) * 255
        return interpolate(shares, (height, width), mode="bilinear")[0, 0] > 127
    smooth = conv2d(pad(photo[:, None].float(), (2, 2, 2, 2), mode="replicate"), torch.outer(BLUR, BLUR)[None, None])
    fits = []
    for ground in _grounds(smooth[:, 0]):
        region = _region(ground)
        if region is None or (fit := fit_disc(region)) is None:
            continue
        if fit.agreement >= ROUND:
            return torch.from_numpy(region)
        fits.append((region, fit))
    for region, fit in fits:
        if fit.rim >= RIM:
            return torch.from_numpy(fit.ellipse.mask(height, width))
        stretched = fit_disc(region, circle=False)
        if stretched is not None and stretched.agreement >= ROUND:
            return torch.from_numpy(region)
    return torch.ones(height, width, dtype=torch.bool)


def diameter(fov: Tensor) -> int | None:
    """The diameter of the disc that a field of view `(H, W)` bool is, pixels; None where it is none.

    It is that of the circle through the rim, so that a disc that is cut off keeps its diameter.
    """
    fit = None if fov.all() else fit_disc(fov.numpy())
    return round(2 * fit.ellipse.radius_x + 1) if fit is not None and fit.agreement >= ROUND else None


def doubt(fov: Tensor) -> str | None:
    """Why a field of view that was found may be wrong, and tells no scale; None where it is a disc."""
    if fov.all():
        return "no field of view was found"
    return None if diameter(fov) else "the field of view is not round"


def median_diameter(fields: Iterable[Tensor | None]) -> int | None:
    """The median diameter of fields of view (None is the whole image), pixels; None where none is a disc."""
    found = [diameter(field) for field in fields if field is not None]
    measured = [one for one in found if one is not None]
    return statistics.median_low(measured) if measured else None


def _grounds(photo: Tensor) -> Iterator[Tensor]:
    """How far each pixel is from what may be the ground, `(H, W)`: from a dark one in red, from one colour in any."""
    height, width = photo.shape[1:]
    side = max(1, min(height, width) // CORNER)
    ends = [slice(side), slice(-side, None)]
    corners = torch.stack(
        [photo[:, rows, cols].flatten(1).median(1).values for rows in ends for cols in ends]
    )  # (4, 3)
    yield photo[0] - corners[:, 0].min()
    even = (corners - corners.median(0).values).abs().amax(1) <= EVEN
    if even.sum() > 2:
        yield (photo - corners[even].mean(0)[:, None, None]).abs().amax(0)


def _region(distance: Tensor) -> NDArray[np.bool_] | None:
    """The largest region that is unlike the ground, without dents, `(H, W)`; None where it is not clear."""
    levels = distance.flatten()[:: max(1, distance.numel() // 100_000)]
    bright = levels[levels > _otsu(levels)]
    contrast = float(bright.median()) if len(bright) else 0.0
    if contrast < LEAST_CONTRAST:
        return None
    unlike = _opened(distance > DARK * contrast, 1 + min(distance.shape) // STROKE)
    labels, _ = ndimage.label(unlike.numpy())
    sizes = np.bincount(labels.ravel())[1:]
    if not len(sizes) or (sizes > SECOND * sizes.max()).sum() > 1:
        return None
    largest = torch.from_numpy(labels == 1 + sizes.argmax())
    region = _spans(largest, dim=0) & _spans(largest, dim=1)  # dark spots within it are filled
    outside = distance[_shrunk(~region, 4)]
    if len(outside) and outside.abs().median() > FLAT * contrast:
        return None
    # The blur moves the rim out by a pixel, into the background, where a network would find vessels.
    region = _shrunk(region, 1)
    return region.numpy() if LEAST_SHARE <= region.float().mean() < 1 else None


def _otsu(levels: Tensor) -> float:
    """The level that parts dark from bright best.

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 9(1), 1979.
    """
    from skimage.filters import threshold_otsu  # takes a second, and only photographs without masks need it

    return float(threshold_otsu(levels.numpy()))  # type: ignore[no-untyped-call]


def _shrunk(mask: Tensor, by: int) -> Tensor:
    """A mask without what is within `by` pixels of its rim; the photograph's border is none."""
    lost = (~mask)[None].float()
    for size in ((2 * by + 1, 1), (1, 2 * by + 1)):  # rows, then columns: faster than both at once
        lost = max_pool2d(lost, size, stride=1, padding=(size[0] // 2, size[1] // 2))
    return lost[0] == 0


def _opened(mask: Tensor, by: int) -> Tensor:
    """A mask without what is narrower than 2 `by` pixels."""
    return ~_shrunk(~_shrunk(mask, by), by)


def _spans(mask: Tensor, dim: int) -> Tensor:
    """True from the first to the last True along `dim`."""
    return (mask.cumsum(dim) > 0) & (mask.flip(dim).cumsum(dim).flip(dim) > 0)
