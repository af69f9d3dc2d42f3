"""Topology of a vessel map: whether centrelines agree, and how many pieces there are.

Maps are `(H, W)` bool, targets `(H, W)` integers: BACKGROUND, VESSEL or IGNORE.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from skimage.morphology import skeletonize
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL

Mask = npt.NDArray[np.bool_]


def centreline_dice(vessels: Tensor, target: Tensor) -> float:
    """Centreline Dice (clDice) inside the field of view: Dice of lengths, so that thin vessels count like thick ones.

    The harmonic mean of two shares: that of the map's centreline that lies on vessels of the target, and that of the
    target's centreline that lies on vessels of the map. 1 where neither has a vessel, 0 where only one of them has.

    Source: S. Shit et al., "clDice - a novel topology-preserving loss function for tubular structure segmentation",
    CVPR 2021, equations 1 and 2.
    """
    found, there = _masks(vessels, target)
    if not found.any() or not there.any():
        return float(found.any() == there.any())
    precision = there[centreline(found)].mean()
    sensitivity = found[centreline(there)].mean()
    both = precision + sensitivity
    return float(2 * precision * sensitivity / both) if both else 0.0


def component_error(vessels: Tensor, target: Tensor) -> float:
    """The difference between map and target in the number of connected components inside the field of view; 0 is best.

    Pixels that touch at a side or a corner are connected. This is the error in Betti number 0, which the authors of
    clDice report too, over patches; here it is over the image.
    """
    found, there = (label(mask, structure=np.ones((3, 3)))[1] for mask in _masks(vessels, target))
    return float(abs(found - there))


def centreline(mask: Mask) -> Mask:
    """The mask thinned to lines one pixel wide, connected as the mask is, `(H, W)`.

    Source: T. Y. Zhang and C. Y. Suen, "A fast parallel algorithm for thinning digital patterns", Communications of
    the ACM 27(3), 1984.
    """
    skeleton: Mask = skeletonize(mask)  # type: ignore[no-untyped-call]  # scikit-image has no types
    return skeleton


def _masks(vessels: Tensor, target: Tensor) -> tuple[Mask, Mask]:
    """The vessels of map and target inside the field of view, `(H, W)` each."""
    return (vessels & (target != IGNORE)).numpy(), (target == VESSEL).numpy()
