"""What a network sees: images continued beyond their borders, where it cuts some of them off."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Geometry(NamedTuple):
    """What a network says of its inputs and outputs, each as an attribute of that name, in pixels."""

    halo: int | None = None  # how far the border of a tile reaches into its outputs; None: it takes no tiles
    stride: int = 1  # tiles begin at multiples of it, so that poolings fall as they do on the whole image
    margin: int = 0  # what unpadded convolutions cut off on each side
    least: int = 0  # where there is a margin, the shortest side of an input; longer ones go up by `stride`

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
    """Outputs of the size of the image `(B, C, H, W)`, whatever the network cuts off; any H and W from 1.

    For a network without padding the image is continued beyond its borders by mirroring (the overlap-tile strategy of
    the paper), and what the next valid size gives too much is cut off.
    """
    geometry = Geometry.of(network)
    if not geometry.margin:
        outputs: dict[str, Tensor] = network(image)
        return outputs
    height, width = image.shape[-2:]
    seen = cut(image, -geometry.margin, -geometry.margin, geometry.side_for(height), geometry.side_for(width))
    if image.is_contiguous(memory_format=torch.channels_last):
        seen = seen.contiguous(memory_format=torch.channels_last)  # gathering has undone it
    return {name: output[..., :height, :width] for name, output in network(seen).items()}


def cut(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A window of an image `(..., H, W)`, mirrored where it reaches beyond the borders; a view where it lies within."""
    for dim, start, stop in ((-2, top, top + height), (-1, left, left + width)):
        length = image.shape[dim]
        if 0 <= start and stop <= length:
            image = image.narrow(dim, start, stop - start)
        else:
            image = image.index_select(dim, mirrored(start, stop, length).to(image.device))
    return image


def mirrored(start: int, stop: int, length: int) -> Tensor:
    """Indices `start` to `stop - 1` of an axis that is mirrored at both ends, the end itself not repeated."""
    period = max(1, 2 * (length - 1))  # forth and back
    place = torch.arange(start, stop) % period
    return torch.minimum(place, period - place)
