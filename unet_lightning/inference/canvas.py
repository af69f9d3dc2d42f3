"""The maps of tiles become the map of the photograph."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unet_lightning.inference.tiling import Span, Tile

SIGMA = 1 / 8  # of the side of a tile; nnU-Net's


def gaussian(span: Span) -> Tensor:
    """The weight of each kept pixel of a tile along one side, `(n,)` float32, 1 in the middle."""
    length = span.keep_stop - span.keep_start
    away = torch.arange(length) - (length - 1) / 2
    return torch.exp(-0.5 * (away / (SIGMA * length)) ** 2)


class Canvas:
    """The map of a whole photograph, filled tile by tile.

    Args:
        rows: the tiles along the height.
        cols: the tiles along the width.
        blend: `gaussian`, or `crop`: each pixel is painted once.
    """

    def __init__(self, rows: Sequence[Span], cols: Sequence[Span], blend: str) -> None:
        self.rows, self.cols = rows, cols
        self.weighted = blend == "gaussian" and len(rows) * len(cols) > 1
        self.map: Tensor | None = None

    def paint(self, tile: Tile, output: Tensor) -> None:
        """Takes in what a tile keeps, `(C, h, w)` float32."""
        rows, cols = tile
        if self.map is None:
            self.map = torch.zeros(len(output), rows.length, cols.length)
        place = tile.kept(self.map, 0, 0)
        if self.weighted:
            place += output * gaussian(rows)[:, None] * gaussian(cols)
        else:
            place.copy_(output)

    def finished(self) -> Tensor:
        """The map, `(C, H, W)` float32."""
        assert self.map is not None
        if self.weighted:  # the weights of all tiles sum to an outer product: two divisions by one side each
            self.map /= total_weight(self.rows)[:, None]
            self.map /= total_weight(self.cols)
        return self.map


def total_weight(spans: Sequence[Span]) -> Tensor:
    """The sum of the weights of all tiles along one side, `(length,)` float32."""
    total = torch.zeros(spans[0].length)
    for span in spans:
        total[span.keep_start : span.keep_stop] += gaussian(span)
    return total
