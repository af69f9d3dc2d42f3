"""Large photographs in tiles: where they lie, and how their maps become the map of the photograph.

Overlap-tile (`crop`): each pixel comes from the middle of exactly one tile, so that the map is that of the whole
photograph. Gaussian: tiles overlap by half and are averaged, weighted down towards their borders; so do those of a
network that does not say how much context they need.

Source: O. Ronneberger et al., MICCAI 2015 (overlap-tile); F. Isensee et al., "nnU-Net", Nature Methods 2021 (Gaussian).
"""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from unet_lightning.errors import ConfigError
from unet_lightning.models.context import Geometry, cut

BLENDS = {"crop": "overlap-tile", "gaussian": "Gaussian weights"}
AUTO_WHOLE = 1024 * 1024  # pixels up to which tile=auto passes a photograph whole: DRIVE's, STARE's and CHASE_DB1's
AUTO_TILE = 768  # pixels; see experiments/benchmarks
SIGMA = 1 / 8  # of the side of a tile; nnU-Net's

log = logging.getLogger(__name__)


class Span(NamedTuple):
    """A stretch of the rows, or of the columns, of a photograph; in pixels of the whole photograph."""

    start: int  # first one in the tile, a multiple of the network's stride
    stop: int  # one after the last one in the tile
    keep_start: int  # first one whose output is kept
    keep_stop: int  # one after the last one whose output is kept
    length: int  # of the whole photograph


class Tile(NamedTuple):
    """Where a tile lies, and what of its output is kept."""

    rows: Span
    cols: Span

    def kept(self, image: Tensor, top: int, left: int) -> Tensor:
        """What is kept of an image `(..., H, W)` that begins at row `top` and column `left` of the whole."""
        rows, cols = self
        height, width = rows.keep_stop - rows.keep_start, cols.keep_stop - cols.keep_start
        return cut(image, rows.keep_start - top, cols.keep_start - left, height, width)


class Tiling:
    """Cuts photographs into tiles of one size, or leaves them whole.

    Args:
        tile: `auto`, `none`, or the longest side of what the network gets, pixels, rounded down to what suits it.
        blend: `crop` or `gaussian`.
        geometry: of the network; ConfigError where tiles do not go with it.
    """

    def __init__(self, tile: str | int, blend: str, geometry: Geometry) -> None:
        self.tile, self.geometry = tile, geometry
        self.blend = blend if geometry.halo is not None else "gaussian"
        stride, halo = geometry.stride, geometry.halo or 0
        longest = tile if isinstance(tile, int) else AUTO_TILE
        self.side = (longest - geometry.least) // stride * stride  # of the output of a tile
        self.border = geometry.margin or -(-halo // stride) * stride  # of context, on each side of a tile
        self.warned = geometry.halo is not None
        if isinstance(tile, int):
            smallest = stride + (geometry.least or 2 * self.border)
            if tile < smallest:
                raise ConfigError(
                    f"tile={tile} is smaller than the receptive field of this network allows: of a tile {self.border} "
                    f"pixels on each side are context. Give at least {smallest}, better three times that, or tile=none "
                    "to pass photographs whole."
                )

    def spans(self, height: int, width: int) -> tuple[list[Span], list[Span]]:
        """The tiles of a photograph of this size, by rows and by columns; one of each where it passes whole."""
        if self.tile == "none" or (self.tile == "auto" and height * width <= AUTO_WHOLE):
            return adjoining(height, height, halo=0), adjoining(width, width, halo=0)
        if not self.warned:
            self.warned = True
            log.warning(
                "The network does not say how far the border of a tile reaches into its outputs (with model.norm=group "
                "every pixel reaches all others): the map is the mean of tiles that overlap by half, and not surely "
                "that of the whole photograph. Give its class a halo (pixels; see CONTRIBUTING), or set tile=none."
            )
        if self.blend == "gaussian":
            along = partial(overlapping, tile=self.side, stride=self.geometry.stride)
        else:
            along = partial(adjoining, tile=self.side, halo=0 if self.geometry.margin else self.border)
        return along(height), along(width)

    def describe(self) -> str:
        """What is done with photographs of any size, in words."""
        if self.tile == "none":
            return "whole image"
        return f"whole image up to {AUTO_WHOLE:,} pixels, above {self}" if self.tile == "auto" else str(self)

    def __str__(self) -> str:
        if self.geometry.halo is None:
            return f"tiles of {self.side}, {BLENDS[self.blend]}, as the network does not say its halo"
        kind = "margin" if self.geometry.margin else "halo"
        return f"tiles of {self.side + self.geometry.least} with a {kind} of {self.border}, {BLENDS[self.blend]}"


def adjoining(length: int, tile: int, halo: int) -> list[Span]:
    """Tiles whose middles, `halo` pixels away from their borders within the photograph, cover the side once.

    All are pixels: the side of the photograph, that of a tile, and the halo, which is less than half of it.
    """
    spans = []
    for start in range(0, max(1, length - 2 * halo), tile - 2 * halo):
        stop = min(start + tile, length)
        spans.append(Span(start, stop, start + halo if start else 0, stop - halo if stop < length else length, length))
    return spans


def overlapping(length: int, tile: int, stride: int) -> list[Span]:
    """Tiles that overlap by half and are kept whole; the last one ends with the photograph. All sides in pixels."""
    last = max(0, -(-(length - tile) // stride) * stride)
    starts = [*range(0, last, max(stride, tile // 2 // stride * stride)), last]
    return [Span(start, min(start + tile, length), start, min(start + tile, length), length) for start in starts]


def joined(rows: Sequence[Span], cols: Sequence[Span], blend: str, outputs: Iterable[Tensor]) -> Tensor:
    """The map of a photograph, `(C, H, W)` float32, from what its tiles keep, `(C, h, w)` each, row by row."""
    weighted = blend == "gaussian" and len(rows) * len(cols) > 1
    joint = torch.empty(0)
    for tile, output in zip((Tile(row, col) for row in rows for col in cols), outputs, strict=True):
        if not len(joint):
            joint = torch.zeros(len(output), rows[0].length, cols[0].length)
        place = tile.kept(joint, 0, 0)
        if weighted:
            place += output * gaussian(tile.rows)[:, None] * gaussian(tile.cols)
        else:
            place.copy_(output)
    if weighted:  # the weights of all tiles sum to an outer product: two divisions by one side each
        joint /= total_weight(rows)[:, None]
        joint /= total_weight(cols)
    return joint


def gaussian(span: Span) -> Tensor:
    """The weight of each kept pixel of a tile along one side, `(n,)` float32, 1 in the middle."""
    length = span.keep_stop - span.keep_start
    return torch.signal.windows.gaussian(length, std=SIGMA * length)


def total_weight(spans: Sequence[Span]) -> Tensor:
    """The sum of the weights of all tiles along one side, `(length,)` float32."""
    total = torch.zeros(spans[0].length)
    for span in spans:
        total[span.keep_start : span.keep_stop] += gaussian(span)
    return total
