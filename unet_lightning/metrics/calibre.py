"""Sensitivity of thin and of thick vessels apart: the thin ones are few pixels, and the first to be missed."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import distance_transform_edt, maximum_filter
from scipy.spatial import KDTree
from torch import Tensor

from unet_lightning.data.labels import BACKGROUND, IGNORE, VESSEL
from unet_lightning.metrics.topology import centreline

THIN = 3  # pixels: vessels up to this width, rounded to whole pixels, are thin
MARGIN = 16  # pixels around the image: more than half the width of the widest vessel


@dataclass(frozen=True)
class CalibreCounts:
    """Vessel pixels of the target by calibre, and how many of them were found. Add them to pool images."""

    thin_found: int
    thin: int
    thick_found: int
    thick: int

    def __add__(self, other: "CalibreCounts") -> "CalibreCounts":
        """Pools two sets of pixels."""
        return CalibreCounts(
            self.thin_found + other.thin_found,
            self.thin + other.thin,
            self.thick_found + other.thick_found,
            self.thick + other.thick,
        )

    @property
    def sensitivity_thin(self) -> float:
        """The share of the pixels of thin vessels that was found; NaN where there is none."""
        return self.thin_found / self.thin if self.thin else math.nan

    @property
    def sensitivity_thick(self) -> float:
        """The share of the pixels of thick vessels that was found; NaN where there is none."""
        return self.thick_found / self.thick if self.thick else math.nan


def count_by_calibre(vessels: Tensor, target: Tensor, thin: Tensor | None = None) -> CalibreCounts:
    """Counts of one image.

    Args:
        vessels: `(H, W)` bool.
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE.
        thin: of `thin_vessels`, where it is known already.
    """
    thin = thin_vessels(target) if thin is None else thin
    thick = (target == VESSEL) & ~thin
    numbers = (thin & vessels, thin, thick & vessels, thick)
    return CalibreCounts(*(int(pixels.sum()) for pixels in numbers))


def thin_vessels(target: Tensor) -> Tensor:
    """Where the target's vessels are thin, `(H, W)` bool: no wider than 3 pixels, rounded.

    Args:
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE.
    """
    return torch.from_numpy(vessel_widths(target) < THIN + 0.5)


def vessel_widths(target: Tensor) -> npt.NDArray[np.float64]:
    """Width of the vessel that each pixel belongs to: that at the nearest point of the centreline.

    Measured on the target enlarged twofold. The centreline of a vessel of w pixels, 2w there, then runs w rows from
    the nearest background for even w as for odd, and the distance there is the width. A vessel that the field of view
    or the image cuts off is taken to go on, so that its end there is as wide as the rest; one that runs along the rim,
    with no background between, counts as wide, since nobody sees how wide it is.

    Args:
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE.

    Returns:
        `(H, W)`, pixels; NaN where no vessel is, infinite where no background is.
    """
    known = target.numpy()
    vessel = known == VESSEL
    width = np.full(known.shape, math.nan)
    if not vessel.any():
        return width
    continued = _continued(np.pad(known, MARGIN, constant_values=IGNORE))
    if not (continued == BACKGROUND).any():
        width[vessel] = math.inf
        return width
    doubled = continued.repeat(2, axis=0).repeat(2, axis=1) == VESSEL
    middle = centreline(doubled)
    # A skeleton may run beside the ridge of the distances by a pixel, at one slope of a vessel but not at its mirror
    # image: the largest distance around the point is the ridge's.
    ridge = maximum_filter(distance_transform_edt(doubled), size=3)[middle]  # (N,)
    centres = 2 * (np.argwhere(vessel) + MARGIN) + 0.5  # of the pixels, in the enlarged target
    _, nearest = KDTree(np.argwhere(middle)).query(centres)
    width[vessel] = ridge[nearest]
    return width


def _continued(target: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The target with each pixel that is not counted made equal to the nearest one that is, `(H, W)`."""
    nearest = distance_transform_edt(target == IGNORE, return_distances=False, return_indices=True)
    continued: npt.NDArray[np.generic] = target[tuple(nearest)]
    return continued
