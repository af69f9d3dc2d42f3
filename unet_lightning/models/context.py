"""What a network sees: images continued beyond their borders, where it cuts some of them off."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Geometry(NamedTuple):
    """What a network says of its inputs and outputs, each as an attribute of that name, in pixels.

    Attributes:
        halo: how far the border of a tile reaches into its outputs; None: not known, the network takes no tiles.
        stride: tiles begin at multiples of it, so that poolings fall as they do on the whole image.
        margin: what unpadded convolutions cut off on each side.
        least: where there is a margin, the shortest side of an input; longer ones go up by `stride`.
    """

    halo: int | None = None
    stride: int = 1
    margin: int = 0
    least: int = 1

    @classmethod
    def of(cls, network: nn.Module) -> "Geometry":
        """What `network` says."""
        return cls(**{name: getattr(network, name) for name in cls._fields if hasattr(network, name)})

    def side_for(self, length: int) -> int:
        """The shortest side of an input that gives at least `length` pixels of output."""
        if not self.margin:
            return length
        missing = length + 2 * self.margin - self.least
        return self.least + max(0, -(-missing // self.stride)) * self.stride


def same_size(network: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Outputs of the size of the image, whatever the network cuts off.

    For a network without padding the image is continued beyond its borders by mirroring (the overlap-tile strategy of
    the paper), and what the next valid size gives too much is cut off.

    Args:
        network: `(B, C, H, W)` in, a dictionary of maps out.
        image: `(B, C, H, W)` float, normalised; any H and W from 1.

    Returns:
        each output of the network, `(B, ..., H, W)`.
    """
    geometry = Geometry.of(network)
    if not geometry.margin:
        outputs: dict[str, Tensor] = network(image)
        return outputs
    height, width = image.shape[-2:]
    lost = geometry.margin
    seen = cut(image, -lost, -lost, geometry.side_for(height), geometry.side_for(width))
    if image.is_contiguous(memory_format=torch.channels_last):
        seen = seen.contiguous(memory_format=torch.channels_last)  # gathering has undone it
    return {name: output[..., :height, :width] for name, output in network(seen).items()}


def cut(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A window of an image whose borders are mirrored; a view where the window lies within the image.

    Args:
        image: `(..., H, W)`.
        top: first row, negative above the image.
        left: first column, negative left of the image.
        height: rows of the window, which may reach beyond the image.
        width: columns of the window, likewise.
    """
    for dim, start, stop in ((-2, top, top + height), (-1, left, left + width)):
        length = image.shape[dim]
        if 0 <= start and stop <= length:
            image = image.narrow(dim, start, stop - start)
        else:
            image = image.index_select(dim, mirrored(start, stop, length).to(image.device))
    return image


def mirrored(start: int, stop: int, length: int) -> Tensor:
    """Indices `start` to `stop` of an axis that is mirrored at both ends, the end itself not repeated.

    Args:
        start: first index, negative before the beginning.
        stop: one after the last index, any distance beyond the end.
        length: of the axis, from 1.

    Returns:
        `(stop - start,)` int64 in [0, length).
    """
    period = max(1, 2 * (length - 1))  # forth and back
    place = torch.arange(start, stop) % period
    return torch.minimum(place, period - place)
