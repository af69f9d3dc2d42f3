"""The field of view of a retinal photograph: found in the photograph, and measured."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

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
    from skimage.filters import threshold_otsu  # takes a second, and only photographs without masks need it

    levels = distance.flatten()[:: max(1, distance.numel() // 100_000)]
    bright = levels[levels > float(threshold_otsu(levels.numpy()))]  # type: ignore[no-untyped-call]
    contrast = float(bright.median()) if len(bright) else 0.0
    if contrast < LEAST_CONTRAST:
        return None
    unlike = (distance > DARK * contrast).numpy()
    stroke = 1 + min(distance.shape) // STROKE
    labels, _ = ndimage.label(ndimage.maximum_filter(_shrunk(unlike, stroke), 2 * stroke + 1, mode="constant"))
    sizes = np.bincount(labels.ravel())[1:]
    if not len(sizes) or (sizes > SECOND * sizes.max()).sum() > 1:
        return None
    largest = labels == 1 + sizes.argmax()
    region = _spans(largest, 0) & _spans(largest, 1)  # dark spots within it are filled
    outside = distance[torch.from_numpy(_shrunk(~region, 4))]
    if len(outside) and outside.abs().median() > FLAT * contrast:
        return None
    # The blur moves the rim out by a pixel, into the background, where a network would find vessels.
    region = _shrunk(region, 1)
    return region if LEAST_SHARE <= region.mean() < 1 else None


def _shrunk(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """A mask without what is within `by` pixels of its rim; the photograph's border is none."""
    found: NDArray[np.bool_] = ndimage.minimum_filter(mask, 2 * by + 1, mode="constant", cval=1)
    return found


def _spans(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """True from the first to the last True along `axis`."""
    begun, ended = (np.logical_or.accumulate(one, axis) for one in (mask, np.flip(mask, axis)))
    return begun & np.flip(ended, axis)
