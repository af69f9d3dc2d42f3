"""What a network sees: images continued beyond their borders, where it cuts some off or takes only some sizes."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError

OUTPUTS = ("out", "aux")  # that a network may have


class Geometry(NamedTuple):
    """What a network says of its inputs and outputs, each as an attribute of that name, in pixels."""

    halo: int | None = None  # how far the border of a tile reaches into its outputs; None: unknown, or everywhere
    stride: int = 1  # sides of inputs are multiples of it; tiles begin there, so that poolings fall as on the whole
    any_size: bool = False  # whether it takes sides that are no multiples of its stride
    margin: int = 0  # what unpadded convolutions cut off on each side
    least: int = 0  # where there is a margin, the shortest side of an input; longer ones go up by `stride`

    @classmethod
    def of(cls, network: nn.Module) -> "Geometry":
        """What `network` says; a convolution has a stride of another kind, of two numbers."""
        said: dict[str, Any] = {name: getattr(network, name) for name in cls._fields if hasattr(network, name)}
        return cls(**{name: value for name, value in said.items() if not isinstance(value, tuple)})

    def side_for(self, length: int) -> int:
        """The shortest side of an input that gives at least `length` pixels of output."""
        if self.any_size:
            return length
        missing = length + 2 * self.margin - self.least
        return self.least + max(0, -(-missing // self.stride)) * self.stride


def outputs_of(network: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """The logits of a network by `OUTPUTS`: what it returns alone is `out`; ConfigError where it returns none."""
    found = network(image)
    found = {"out": found} if isinstance(found, Tensor) else found
    if not isinstance(found, Mapping) or not isinstance(found.get("out"), Tensor):
        keys = f" with {', '.join(map(str, found))}" if isinstance(found, Mapping) else ""
        raise ConfigError(
            f'{type(network).__name__} returns {type(found).__name__}{keys}, expected logits (B, C, H, W), or {{"out": '
            "logits}."
        )
    return {name: found[name] for name in OUTPUTS if name in found}


def same_size(network: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """Outputs of the size of the image `(B, C, H, W)`, whatever the network takes and cuts off; any H and W from 1.

    The image is continued beyond its borders by mirroring (the overlap-tile strategy of the paper) up to the next size
    that the network takes, and what its outputs have too much is cut off. ConfigError where their size does not fit.
    """
    geometry, (height, width) = Geometry.of(network), image.shape[-2:]
    seen = cut(image, -geometry.margin, -geometry.margin, geometry.side_for(height), geometry.side_for(width))
    if image.is_contiguous(memory_format=torch.channels_last):
        seen = seen.contiguous(memory_format=torch.channels_last)  # gathering has undone it
    outputs = outputs_of(network, seen)
    expected = [side - 2 * geometry.margin for side in seen.shape[-2:]]
    if wrong := [name for name, output in outputs.items() if [*output.shape[-2:]] != expected]:
        raise ConfigError(
            f"{type(network).__name__} answers an image of {tuple(seen.shape[-2:])} pixels with {wrong[0]} of "
            f"{tuple(outputs[wrong[0]].shape[-2:])}, expected {tuple(expected)} (height, width): resize it to the "
            "image in its forward, or give its class the `margin` that it cuts off (pixels)."
        )
    return {name: output[..., :height, :width] for name, output in outputs.items()}


def rehearsed(network: nn.Module, channels: int, size: int) -> dict[str, Tensor]:
    """The outputs for a blank image of `size` x `size` pixels; one of odd sides is passed too.

    Raises:
        ConfigError: the network takes other channels, or images of some sizes alone.
    """
    try:
        outputs = same_size(network, torch.zeros(1, channels, size, size))
    except RuntimeError as error:
        found = re.search(r"to have (\d+) channels, but got (\d+) channels", str(error))
        if found is None or int(found[2]) != channels:
            raise
        raise ConfigError(
            f"The network takes photographs of {found[1]} channels, those of the data have {channels}: leave "
            "model.in_channels at auto, or read the photographs so (data.dataset.channels)."
        ) from error
    try:
        same_size(network, torch.zeros(1, channels, size + 1, size - 1))
    except RuntimeError as error:
        raise ConfigError(
            f"{type(network).__name__} does not take images of any size: of {size + 1} x {size - 1} pixels it says "
            f"{error}. Where sides must be multiples of a number of pixels, such as 32, give its class that as "
            "`stride`: images are then continued to one."
        ) from error
    return outputs


def cut(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A window of an image `(..., H, W)`, mirrored where it reaches beyond the borders; a view where it lies within."""
    for dim, start, stop in ((-2, top, top + height), (-1, left, left + width)):
        length = image.shape[dim]
        if (start, stop) == (0, length):
            continue
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
