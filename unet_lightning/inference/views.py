"""Test-time augmentation: the photograph mirrored and turned, the maps turned back and averaged."""

from typing import NamedTuple

from torch import Tensor


class View(NamedTuple):
    """One of the eight ways to lay a picture `(..., H, W)` on a table, mirrored ones among them."""

    transposed: bool  # whether rows and columns change places, first of all
    flipped: tuple[int, ...]  # the dimensions that are then turned round

    def of(self, picture: Tensor) -> Tensor:
        """The picture seen this way."""
        picture = picture.mT if self.transposed else picture
        return picture.flip(self.flipped) if self.flipped else picture

    def back(self, picture: Tensor) -> Tensor:
        """What is seen this way turned back."""
        picture = picture.flip(self.flipped) if self.flipped else picture
        return picture.mT if self.transposed else picture


FLIPS = tuple(View(False, flipped) for flipped in ((), (-1,), (-2,), (-2, -1)))
VIEWS = {"none": FLIPS[:1], "flips": FLIPS, "d4": (*FLIPS, *(View(True, view.flipped) for view in FLIPS))}
