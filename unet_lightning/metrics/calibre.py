"""Sensitivity for thin and for thick vessels: thin ones have few pixels, and are the first to be missed.

Maps are `(H, W)` bool, targets `(H, W)` integers: BACKGROUND, VESSEL or IGNORE.
"""

import math
import operator
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import distance_transform_edt, maximum_filter
from scipy.spatial import KDTree
from torch import Tensor

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL
from unet_lightning.metrics.topology import centreline

MAX_THIN_WIDTH = 3  # pixels: vessels up to this width, rounded to a whole number, are thin
MARGIN = 16  # pixels around the image: more than half the width of the widest vessel


@dataclass(frozen=True)
class CalibreCounts:
    """Numbers of the target's vessel pixels by calibre, and of those found. Add counts to pool images."""

    thin_found: int
    thin: int
    thick_found: int
    thick: int

    def __add__(self, other: "CalibreCounts") -> "CalibreCounts":
        return CalibreCounts(*map(operator.add, astuple(self), astuple(other)))

    @property
    def sensitivity_thin(self) -> float:
        """The share of the pixels of thin vessels that was found; NaN where there are none."""
        return self.thin_found / self.thin if self.thin else math.nan

    @property
    def sensitivity_thick(self) -> float:
        """The share of the pixels of thick vessels that was found; NaN where there are none."""
        return self.thick_found / self.thick if self.thick else math.nan


def count_by_calibre(vessels: Tensor, target: Tensor) -> CalibreCounts:
    """Counts of one image."""
    thin = thin_vessels(target)
    thick = (target == VESSEL) & ~thin
    numbers = (thin & vessels, thin, thick & vessels, thick)
    return CalibreCounts(*(int(pixels.sum()) for pixels in numbers))


def thin_vessels(target: Tensor) -> Tensor:
    """The pixels of the target's thin vessels, `(H, W)` bool: width up to 3 pixels, rounded."""
    return torch.from_numpy(vessel_widths(target) < MAX_THIN_WIDTH + 0.5)


def vessel_widths(target: Tensor) -> npt.NDArray[np.float64]:
    """The width of the vessel that each pixel belongs to, measured at the nearest point of the centreline, `(H, W)`.

    In pixels; NaN outside vessels, infinite where the target has no background.

    The target is enlarged twofold first: a vessel w pixels wide becomes 2w wide, its centreline is w pixels from the
    nearest background, for even w as for odd, and this distance is the width. A vessel that the edge of the field of
    view or of the image cuts off is continued beyond it, so that its end is as wide as the rest. A vessel that runs
    along the edge, with no background between, counts as wide, since its real width is not visible.
    """
    known = target.numpy()
    vessel = known == VESSEL
    width = np.full(known.shape, math.nan)
    if not vessel.any():
        return width
    padded = np.pad(known, MARGIN, constant_values=IGNORE)
    nearest_known = distance_transform_edt(padded == IGNORE, return_distances=False, return_indices=True)
    continued = padded[tuple(nearest_known)]  # each ignored pixel is replaced
    if not (continued == BACKGROUND).any():
        width[vessel] = math.inf
        return width
    doubled = continued.repeat(2, axis=0).repeat(2, axis=1) == VESSEL
    middle = centreline(doubled)
    # A skeleton may run a pixel beside the ridge of the distances, for a vessel of one slope but not for its mirror
    # image. The largest distance around the point is that of the ridge.
    ridge = maximum_filter(distance_transform_edt(doubled), size=3)[middle]  # (N,)
    centres = 2 * (np.argwhere(vessel) + MARGIN) + 0.5  # of the pixels, in the enlarged target
    _, nearest = KDTree(np.argwhere(middle)).query(centres)
    width[vessel] = ridge[nearest]
    return width
