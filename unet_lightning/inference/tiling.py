"""Large photographs in tiles: where they lie.

Overlap-tile (`crop`): each pixel comes from the middle of exactly one tile, so that the map is that of the whole
photograph. Gaussian: tiles overlap by half and are averaged, weighted down towards their borders (see `canvas`).

Source: O. Ronneberger et al., MICCAI 2015 (overlap-tile); F. Isensee et al., "nnU-Net", Nature Methods 2021 (Gaussian).
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from unet_lightning.errors import ConfigError
from unet_lightning.models.context import Geometry, cut

BLENDS = {"crop": "overlap-tile", "gaussian": "Gaussian weights"}
AUTO_WHOLE = 1024 * 1024  # pixels up to which tile=auto passes a photograph whole: DRIVE's, STARE's and CHASE_DB1's
AUTO_TILE = 768  # pixels; see experiments/benchmarks


class Span(NamedTuple):
    """A stretch of the rows, or of the columns, of a photograph; in pixels of the whole photograph.

    Attributes:
        start: first one in the tile, a multiple of the network's stride.
        stop: one after the last one in the tile.
        keep_start: first one whose output is kept.
        keep_stop: one after the last one whose output is kept.
        length: of the whole photograph.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int
    length: int


class Tile(NamedTuple):
    """Where a tile lies, and what of its output is kept."""

    rows: Span
    cols: Span

    def is_whole(self) -> bool:
        """Whether this is all of the photograph."""
        return all(span.stop - span.start == span.length for span in self)

    def kept(self, image: Tensor, top: int, left: int) -> Tensor:
        """What is kept of an image `(..., H, W)` that begins at row `top` and column `left` of the whole."""
        rows, cols = self
        height, width = rows.keep_stop - rows.keep_start, cols.keep_stop - cols.keep_start
        return cut(image, rows.keep_start - top, cols.keep_start - left, height, width)


@dataclass(frozen=True)
class Tiling:
    """Cuts photographs into tiles of one size, or leaves them whole.

    Args:
        tile: `auto`, `none`, or the longest side of what the network gets, pixels; see `PredictionOptions`. It is
            rounded down to what suits the network.
        blend: `crop` or `gaussian`.
        geometry: of the network.

    Raises:
        ConfigError: a number of pixels that does not go with the network.
    """

    tile: str | int
    blend: str
    geometry: Geometry

    def __post_init__(self) -> None:
        if isinstance(self.tile, int):
            self.check()  # now, not at the first photograph

    def check(self) -> None:
        """Raises ConfigError where the network does not say how far a tile's border reaches, or it is too far."""
        if self.geometry.halo is None:
            raise ConfigError(
                "This network takes no tiles: it does not say how far a tile's border reaches into its outputs (with "
                "model.norm=group every pixel reaches all others). Give its class a halo and a stride (pixels; see "
                "CONTRIBUTING), or set tile=none to pass photographs whole."
            )
        if self.longest < self.smallest:
            raise ConfigError(
                f"tile={self.tile} is smaller than the receptive field of this network allows: of a tile "
                f"{self.border} pixels on each side are context. Give at least {self.smallest}, better three times "
                "that, or tile=none to pass photographs whole."
            )

    def spans(self, height: int, width: int) -> tuple[list[Span], list[Span]]:
        """The tiles of a photograph of this size, by rows and by columns; one of each where it passes whole.

        Raises:
            ConfigError: it must pass in tiles, which the network does not take.
        """
        if self.tile == "none" or (self.tile == "auto" and height * width <= AUTO_WHOLE):
            return one_tile(height), one_tile(width)
        self.check()
        return self.spans_along(height), self.spans_along(width)

    def spans_along(self, length: int) -> list[Span]:
        """The tiles along one side of a photograph of `length` pixels."""
        if self.blend == "gaussian":
            return overlapping(length, self.side, self.geometry.stride)
        return adjoining(length, self.side, 0 if self.geometry.margin else self.border)

    def describe(self) -> str:
        """What is done with photographs of any size, in words."""
        if self.tile == "none" or self.geometry.halo is None:
            return "whole image"
        return f"whole image up to {AUTO_WHOLE:,} pixels, above {self}" if self.tile == "auto" else str(self)

    @property
    def longest(self) -> int:
        """The longest side of a tile, pixels."""
        return self.tile if isinstance(self.tile, int) else AUTO_TILE

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
        return (self.longest - lost) // stride * stride

    def __str__(self) -> str:
        side = self.side + (self.geometry.least if self.geometry.margin else 0)
        kind = "margin" if self.geometry.margin else "halo"
        return f"tiles of {side} with a {kind} of {self.border}, {BLENDS[self.blend]}"


def one_tile(length: int) -> list[Span]:
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
