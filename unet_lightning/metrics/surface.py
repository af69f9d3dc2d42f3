"""Distances between the outlines of a vessel map and of a target, in pixels.

Maps are `(H, W)` bool, targets `(H, W)` integers: BACKGROUND, VESSEL or IGNORE.
"""

import math
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL

TOLERANCE = 2.0  # pixels that an outline may be off: about what two people who draw the same vessel differ by

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SurfaceDistances:
    """How far the outlines of a map and of a target are from each other."""

    hd95: float  # pixels; 0 is best
    nsd: float  # from 0 to 1, the best

    def named(self, tolerance: float = TOLERANCE) -> dict[str, float]:
        """By their names."""
        return dict(zip(names(tolerance), astuple(self), strict=True))


def names(tolerance: float = TOLERANCE) -> tuple[str, str]:
    """What the two figures are called: that of the second says its tolerance, as `nsd_2px` does."""
    return "hd95", f"nsd_{tolerance:g}px"


def surface_distances(vessels: Tensor, target: Tensor, tolerance: float = TOLERANCE) -> SurfaceDistances:
    """95th percentile of the Hausdorff distance, and normalised surface distance, inside the field of view.

    An outline is the vessel pixels with a neighbour at one of their four sides that is none; the edges of the image
    and of the field of view end vessels as background does. `hd95` is the greater of two 95th percentiles, of the
    distances of the map's outline to the target's and the reverse. `nsd` is the share of the pixels of both outlines
    that are at most `tolerance` pixels from the other one.

    Where neither has a vessel, they agree: 0 and 1. Where one alone has, no distance is defined, and the figures are
    the worst possible, as Metrics Reloaded recommends: the diagonal of the image, and 0.

    Source: L. Maier-Hein et al., "Metrics reloaded: recommendations for image analysis validation", Nature Methods 21,
    2024, and its program MetricsReloaded; S. Nikolov et al., "Clinically applicable segmentation of head and neck
    anatomy for radiotherapy", Journal of Medical Internet Research 23(7), 2021, for `nsd`.
    """
    found, there = (vessels & (target != IGNORE)).numpy(), (target == VESSEL).numpy()
    if not found.any() or not there.any():
        agree = bool(found.any() == there.any())
        return SurfaceDistances(0.0 if agree else math.hypot(*found.shape), float(agree))
    outline, other = _outline(found), _outline(there)
    off = [_distance_to(other)[outline], _distance_to(outline)[other]]  # pixels, (N,) and (M,)
    hd95 = max(float(np.percentile(distances, 95)) for distances in off)
    return SurfaceDistances(hd95, float((np.concatenate(off) <= tolerance).mean()))


def _outline(mask: Mask) -> Mask:
    outline: Mask = mask & ~binary_erosion(mask)
    return outline


def _distance_to(outline: Mask) -> Floats:
    """Of each pixel to the nearest of the outline, `(H, W)`."""
    distances: Floats = distance_transform_edt(~outline)
    return distances
