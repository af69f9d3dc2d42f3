"""Joint transforms of a photograph and its target.

Geometry comes first and works on uint8, where it is about twice as fast; where there are more than 8 bits, on float32
in [0, 1]. The pixels that it adds are 0 in the image (the colour transform that follows may tint them) and IGNORE in
the target. Then the image becomes float. Random numbers come from torch's global generator, which `TransformedDataset`
seeds.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from unet_lightning.data.foreground import ForegroundCrop, checked_share, reach_of
from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError

FILL: Any = {tv_tensors.Image: 0, tv_tensors.Mask: IGNORE}


class RandomRightAngle(v2.Transform):  # type: ignore[misc]  # torchvision has no types
    """Rotates by 0, 90, 180 or 270 degrees with equal probability; no pixel is interpolated."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The number of quarter turns."""
        return {"turns": int(torch.randint(4, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turns the last two dimensions of tensors and leaves other inputs unchanged."""
        if not isinstance(inpt, Tensor):
            return inpt
        return tv_tensors.wrap(torch.rot90(inpt, params["turns"], (-2, -1)), like=inpt)


def nearest(labels: Tensor, height: int, width: int) -> Tensor:
    """Labels `(..., H, W)` at another size: each pixel has the class at its centre, as in the photograph.

    Between two equally near pixels it takes one and the other in turn. Always the same one, as NEAREST_EXACT and Pillow
    do, would move a label of half the size by a quarter of a pixel; torchvision's resize of a mask, NEAREST, takes the
    pixel at the upper left corner and moves every label by half a pixel.
    """
    for dim, size in ((-2, height), (-1, width)):
        each = torch.arange(size, device=labels.device)
        centre = (2 * each + 1) * labels.shape[dim]  # in 1 / (2 * size) of an old pixel
        in_turn = (centre % (2 * size) == 0) & (each % 2 == 0)
        labels = labels.index_select(dim, centre // (2 * size) - in_turn.long())
    return labels


class RandomSize(v2.Transform):  # type: ignore[misc]  # torchvision has no types
    """Resizes to a shorter side of `least` to `most` pixels with equal probability: bilinear, and labels `nearest`."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__()
        self.least, self.most = least, most

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The new height and width; the longer side is rounded down, as torchvision does."""
        shorter, sides = int(torch.randint(self.least, self.most + 1, ())), _size(flat_inputs)
        return {"size": [side * shorter // min(sides) for side in sides]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resizes photographs and labels and leaves other inputs unchanged."""
        if isinstance(inpt, tv_tensors.Mask):
            return tv_tensors.wrap(nearest(inpt.as_subclass(Tensor), *params["size"]), like=inpt)
        return F.resize(inpt, params["size"]) if isinstance(inpt, Tensor) else inpt


class PadToCrop(v2.Transform):  # type: ignore[misc]  # torchvision has no types
    """Pads right and below to a side of `crop` pixels where the image is smaller, as the tutorial does."""

    def __init__(self, crop: int) -> None:
        super().__init__()
        self.crop = crop

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What is missing on the left, above, on the right and below, pixels."""
        height, width = _size(flat_inputs)
        return {"padding": [0, 0, max(0, self.crop - width), max(0, self.crop - height)]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Pads photographs and labels and leaves other inputs unchanged."""
        return v2.Pad(params["padding"], fill=FILL)(inpt)


class Jitter(v2.ColorJitter):  # type: ignore[misc]  # torchvision has no types
    """Brightness and contrast of photographs of any number of channels, saturation where there are three."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Changes photographs, all channels alike, and leaves other inputs unchanged."""
        if not isinstance(inpt, tv_tensors.Image) or inpt.shape[-3] in (1, 3):
            return super().transform(inpt, params)
        each = tv_tensors.Image(inpt.as_subclass(Tensor).unsqueeze(-3))  # (..., C, 1, H, W), grey ones
        return tv_tensors.wrap(super().transform(each, params).as_subclass(Tensor).squeeze(-3), like=inpt)


def _size(flat_inputs: list[Any]) -> list[int]:
    """Height and width of the photograph."""
    return list(F.get_size(next(one for one in flat_inputs if isinstance(one, tv_tensors.Image))))


def _random_crop(crop: int, foreground: float = 0.0, reach: int | None = None, anew: bool = False) -> v2.Transform:
    """A square crop of a side of `crop` pixels; a smaller image is padded, and stands anywhere in it.

    A share of them is centred on foreground: see `ForegroundCrop`.
    """
    if not isinstance(crop, int) or crop < 1:
        raise ConfigError(f"data.augment.crop must be a whole number of pixels from 1, found {crop}.")
    if share := checked_share(foreground):
        return ForegroundCrop(crop, share, FILL, reach, anew)
    return v2.RandomCrop(crop, pad_if_needed=True, fill=FILL)


def scale_flip_crop(crop: int, min_size: int, max_size: int, foreground: float = 0.0) -> v2.Transform:
    """The tutorial's augmentation: the shorter side is resized to `min_size` to `max_size` pixels, then cropped.

    What is smaller than the crop is padded right and below. `foreground` is the share of the crops that are centred on
    a pixel which is not background.
    """
    random_crop = _random_crop(crop, foreground, anew=True)  # refuses what is no size
    flips = [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()]
    return v2.Compose([RandomSize(min_size, max_size), *flips, PadToCrop(crop), random_crop])


def turn_flip_crop(
    crop: int, brightness: float, contrast: float, saturation: float, foreground: float = 0.0
) -> v2.Transform:
    """Crops, turned by right angles and mirrored, with a little colour jitter: the cheapest augmentation on a CPU.

    Brightness, contrast and saturation are the greatest relative changes, 0 to 1 (see `Jitter`); `foreground` is the
    share of the crops that are centred on a pixel which is not background.
    """
    jitter = Jitter(brightness, contrast, saturation)
    return v2.Compose([_random_crop(crop, foreground), v2.RandomHorizontalFlip(), RandomRightAngle(), jitter])


def rotate_zoom_crop(
    crop: int,
    degrees: float,
    zoom: tuple[float, float],
    brightness: float,
    contrast: float,
    saturation: float,
    foreground: float = 0.0,
) -> v2.Transform:
    """Crops at any angle and scale, mirrored, with colour jitter.

    Only a window that holds the turned crop is resampled, which takes a third of the time of the whole photograph.
    `degrees` is the greatest rotation to either side, `zoom` the least and the greatest scale; brightness, contrast and
    saturation are the greatest relative changes, 0 to 1 (see `Jitter`); `foreground` is the share of the crops that are
    centred on a pixel which is not background.
    """
    _random_crop(crop)  # refuses what is no size
    window = math.ceil(crop * math.sqrt(2) / min(1.0, zoom[0]))
    return v2.Compose(
        [
            _random_crop(window, foreground, reach_of(crop, max(zoom))),
            v2.RandomAffine(degrees, scale=tuple(zoom), interpolation=v2.InterpolationMode.BILINEAR, fill=FILL),
            v2.CenterCrop(crop),
            v2.RandomHorizontalFlip(),
            Jitter(brightness, contrast, saturation),
        ]
    )


def to_input(mean: list[float], std: list[float]) -> v2.Transform:
    """The input of the network: float32; each channel, in [0, 1], minus its mean, divided by its standard deviation."""
    to_float = v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True)
    return v2.Compose([to_float, v2.Normalize(mean, std)])
