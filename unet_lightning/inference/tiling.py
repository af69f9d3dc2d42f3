"""Large photographs in tiles: where they lie, and how their maps become one.

Overlap-tile (`crop`): each pixel comes from the middle of exactly one tile, so that the map is that of the whole
photograph. Gaussian: tiles overlap by half and are averaged, weighted down towards their borders.

Source: O. Ronneberger et al., MICCAI 2015 (overlap-tile); F. Isensee et al., "nnU-Net", Nature Methods 2021 (Gaussian).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unet_lightning.errors import ConfigError
from unet_lightning.models.context import Geometry
from unet_lightning.models.part import Part, Span

BLENDS = {"crop": "overlap-tile", "gaussian": "Gaussian weights"}
SIGMA = 1 / 8  # of the side of a tile


@dataclass(frozen=True)
class Tiling:
    """Cuts photographs into tiles of one size.

    Args:
        tile: longest side of what the network gets, pixels; it is rounded down to what suits the network.
        blend: `crop` or `gaussian`.
        geometry: of the network.
    """

    tile: int
    blend: str
    geometry: Geometry

    def check(self) -> None:
        """Raises ConfigError where the network does not say how far a tile's border reaches, or it is too far."""
        if self.geometry.halo is None:
            raise ConfigError(
                "This network takes no tiles: it does not say how far a tile's border reaches into its outputs (with "
                "model.norm=group every pixel reaches all others). Give its class a halo and a stride (pixels; see "
                "CONTRIBUTING), or set tile=none to pass photographs whole."
            )
        if self.tile < self.smallest:
            raise ConfigError(
                f"tile={self.tile} is smaller than the receptive field of this network allows: of a tile "
                f"{self.border} pixels on each side are context. Give at least {self.smallest}, better three times "
                "that, or tile=none to pass photographs whole."
            )

    @property
    def border(self) -> int:
        """What a tile has around the pixels that it is for, on each side, pixels."""
        halo, stride = self.geometry.halo or 0, self.geometry.stride
        return self.geometry.margin or -(-halo // stride) * stride

    @property
    def smallest(self) -> int:
        """The least side of a tile, pixels."""
        return self.geometry.stride + (self.geometry.least if self.geometry.margin else 2 * self.border)

    @property
    def side(self) -> int:
        """Pixels of output that a tile gives: its side, less what unpadded convolutions cut off."""
        stride = self.geometry.stride
        lost = self.geometry.least if self.geometry.margin else 0
        return (self.tile - lost) // stride * stride

    def spans(self, length: int) -> list[Span]:
        """The tiles along one side of a photograph of `length` pixels."""
        if self.blend == "gaussian":
            return overlapping(length, self.side, self.geometry.stride)
        return adjoining(length, self.side, 0 if self.geometry.margin else self.border)

    def __str__(self) -> str:
        side = self.side + (self.geometry.least if self.geometry.margin else 0)
        kind = "margin" if self.geometry.margin else "halo"
        return f"tiles of {side} with a {kind} of {self.border}, {BLENDS[self.blend]}"


def whole(length: int) -> list[Span]:
    """All of a side as a single tile."""
    return [Span(0, length, 0, length, length)]


def adjoining(length: int, tile: int, halo: int) -> list[Span]:
    """Tiles of which the middles, `halo` away from the borders within the photograph, lie side by side.

    Args:
        length: of the side of the photograph, pixels.
        tile: of the side of a tile, pixels, more than twice the halo; both are multiples of the network's stride.
        halo: context on each side within the photograph, pixels.

    Returns:
        the tiles; `keep_start` to `keep_stop` of all of them cover the side once.
    """
    spans = []
    for start in range(0, max(1, length - 2 * halo), tile - 2 * halo):
        stop = min(start + tile, length)
        keep_start = start + halo if start else 0
        keep_stop = stop - halo if stop < length else length
        spans.append(Span(start, stop, keep_start, keep_stop, length))
        if stop == length:
            break
    return spans


def overlapping(length: int, tile: int, stride: int) -> list[Span]:
    """Tiles that overlap by half and are kept whole; the last one ends with the photograph.

    Args:
        length: of the side of the photograph, pixels.
        tile: of the side of a tile, pixels, a multiple of the stride.
        stride: of the network, pixels.
    """
    last = max(0, -(-(length - tile) // stride) * stride)
    starts = [*range(0, last, max(stride, tile // 2 // stride * stride)), last]
    return [Span(start, min(start + tile, length), start, min(start + tile, length), length) for start in starts]


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

    def paint(self, part: Part, output: Tensor) -> None:
        """Takes in what a tile keeps, `(C, h, w)` float32."""
        rows, cols = part
        if self.map is None:
            self.map = torch.zeros(len(output), rows.length, cols.length)
        place = part.kept(self.map, 0, 0)
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
