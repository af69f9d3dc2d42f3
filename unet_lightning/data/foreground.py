"""Crops of which a share is centred on pixels that are not background."""

import math
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from unet_lightning.data.labels import BACKGROUND, IGNORE, Sample
from unet_lightning.errors import ConfigError


class Rows:
    """Where a target has which classes: the number of pixels in each of its rows, from which one is drawn exactly.

    Counted once, as counting takes the longer the larger a photograph is; then drawing looks at one row.
    """

    def __init__(self, target: Tensor) -> None:
        classes = [one for one in torch.unique(target).tolist() if one not in (BACKGROUND, IGNORE)]
        # Of each class but the background how many pixels there are up to the end of each row.
        self.ends = {one: (target == one).sum(dim=1).cumsum(dim=0) for one in classes}

    def find(self, target: Tensor, chances: list[float]) -> tuple[int, int] | None:
        """Row and column of a pixel of a class, each class and then each of its pixels with equal probability.

        None where there is none, or where the target, `(H, W)`, holds other pixels than those that were counted. The
        chances, of the class and of the pixel, are from 0 to below 1.
        """
        if not self.ends:
            return None
        number = list(self.ends)[int(chances[0] * len(self.ends))]
        ends = self.ends[number]
        place = int(chances[1] * int(ends[-1]))
        row = int(torch.searchsorted(ends, place, right=True))
        first = int(ends[row - 1]) if row else 0
        columns = (target[row] == number).nonzero()[:, 0] if row < len(target) else target.new_empty(0)
        return (row, int(columns[place - first])) if len(columns) == int(ends[row]) - first else None


class ForegroundCrop(v2.RandomCrop):  # type: ignore[misc]  # torchvision has no types
    """A random crop, of which a share is centred on a pixel of a class drawn at random among those in the target.

    At the border of the photograph the crop is moved inwards, by at most `reach` pixels, so that the pixel is still in
    it; what is beyond the border then is filled. A target of background alone is cropped anywhere.

    Args:
        crop: side, pixels.
        share: of the crops, from 0 to 1.
        fill: of added pixels, by type.
        reach: at most, how far the pixel is from the centre along either side, pixels; None: anywhere in the crop.
        anew: whether targets are changed before, so that nothing counted in one can be kept for the next.
    """

    def __init__(self, crop: int, share: float, fill: Any, reach: int | None = None, anew: bool = False) -> None:
        super().__init__(crop, pad_if_needed=True, fill=fill)
        self.crop, self.share, self.anew = crop, share, anew
        self.reach = crop if reach is None else reach
        self.rows: dict[str, Rows] = {}  # by the name of the photograph
        self.name: str | None = None  # of the present one; torchvision shows `make_params` only what it transforms

    def forward(self, *inputs: Any) -> Any:
        """Notes which photograph it is, and crops."""
        self.name = next((one.image_id for one in inputs if isinstance(one, Sample)), None)
        return super().forward(*inputs)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Where the crop is, as torchvision says it."""
        anywhere: dict[str, Any] = super().make_params(flat_inputs)
        target = next((one for one in flat_inputs if isinstance(one, tv_tensors.Mask)), None)
        if target is None or float(torch.rand(())) >= self.share:
            return anywhere
        place = self._draw(target.as_subclass(Tensor), None if self.anew else self.name)
        if place is None:
            return anywhere
        (top, above, below), (left, before, behind) = map(self._start, place, target.shape[-2:])
        padding = [before, above, behind, below]
        size = {"height": self.crop, "width": self.crop, "needs_crop": True, "needs_pad": any(padding)}
        return {"top": top + above, "left": left + before, "padding": padding, **size}

    def _draw(self, target: Tensor, name: str | None) -> tuple[int, int] | None:
        """Row and column of a pixel that is not background; None where there is none."""
        chances = torch.rand(2, dtype=torch.float64).tolist()  # drawn once, whatever is known already
        rows = self.rows.get(name) if name is not None else None
        place = None if rows is None else rows.find(target, chances)
        if place is None and (rows is None or rows.ends):  # not counted yet, or something else under this name
            rows = Rows(target)
            place = rows.find(target, chances)
            if name is not None:
                self.rows[name] = rows
        return place

    def _start(self, centre: int, size: int) -> tuple[int, int, int]:
        """Where a crop begins along a side of `size` pixels, and how many are added before and behind it."""
        start = centre - self.crop // 2
        inside = min(max(start, min(0, size - self.crop)), max(0, size - self.crop))
        start = min(max(inside, start - self.reach), start + self.reach)
        return start, max(0, -start), max(0, start + self.crop - size)


def checked_share(share: Any) -> float:
    """The value of `data.augment.foreground`; ConfigError where it is no share."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ConfigError(f"data.augment.foreground must be a share from 0 to 1, found {share}.")
    return float(share)


def reach_of(crop: int, largest_zoom: float) -> int:
    """How far a pixel may be from the centre of a window to be in the crop at its centre, however that is turned."""
    return max(0, math.floor(crop / (2 * max(1.0, largest_zoom) * math.sqrt(2))) - 1)
