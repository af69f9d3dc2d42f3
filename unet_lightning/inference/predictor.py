"""A photograph in, a map of probabilities out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unet_lightning.allocator import keep_freed_blocks, return_freed_blocks
from unet_lightning.errors import ConfigError, DataError
from unet_lightning.inference.device import choose_device, synchronise
from unet_lightning.inference.scale import FURTHEST, scale_for, scaled, scaled_back
from unet_lightning.inference.tiled_network import forward_tile
from unet_lightning.inference.tiling import AUTO_WHOLE, BLENDS, Tile, Tiling, joined
from unet_lightning.models.context import Geometry, cut
from unet_lightning.models.probability import class_probabilities


class View(NamedTuple):
    """One of the eight ways to lay a picture `(..., H, W)` on a table, for test-time augmentation."""

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


@dataclass(frozen=True)
class PredictionOptions:
    """How a photograph passes through a network; ConfigError for other values, of the device by `Predictor`."""

    device: str = "auto"  # where the network runs; see `choose_device`
    tile: str | int = "auto"  # up to 1024 x 1024 pixels whole, larger ones in tiles; `none`: whole; or a side, pixels
    blend: str = "crop"  # the map of the whole photograph, exactly; or `gaussian`, see `tiling`
    tta: str = "none"  # or `flips` (4 passes) or `d4` (8), whose maps are averaged
    scale: str | float = "auto"  # see `scale_for`; `none`; or a factor for the sides of the photograph

    def __post_init__(self) -> None:
        for name, value, choices in (("blend", self.blend, BLENDS), ("tta", self.tta, VIEWS)):
            if value not in choices:
                raise ConfigError(f"{name} must be one of {', '.join(choices)}, found {value}.")
        tile, scale = (None if isinstance(value, bool) else value for value in (self.tile, self.scale))
        if tile not in ("auto", "none") and not (isinstance(tile, int) and tile > 0):
            raise ConfigError(f"tile must be auto, none or a number of pixels, found {self.tile}.")
        if scale not in ("auto", "none") and not (isinstance(scale, int | float) and 1 / FURTHEST <= scale <= FURTHEST):
            raise ConfigError(f"scale must be auto, none or a factor from 1/16 to 16, found {self.scale}.")

    def unusual(self) -> dict[str, Any]:
        """What is not the default, by name; without the device, which changes no figure."""
        usual = {one.name: one.default for one in fields(self)}
        return {key: value for key, value in vars(self).items() if key != "device" and value != usual[key]}


@dataclass(frozen=True)
class Prediction:
    """What a network says of a photograph, and how it saw it."""

    probabilities: Tensor  # (C - 1, H, W) float32 in [0, 1] on the CPU, of each class but the background
    tiles: str  # `whole image`, or the tiles in words
    scale: float  # by which the sides of the photograph were multiplied for the network
    milliseconds: float  # of the forward passes alone
    doubt: str | None = None  # why scale=auto has left the photograph at its own scale, in words

    def __str__(self) -> str:
        scale = "" if self.scale == 1 else f", scaled by {self.scale:.3f}"
        tiles = "" if self.tiles == "whole image" else f", {self.tiles}"
        doubt = "" if self.doubt is None else f", at its own scale: {self.doubt}"
        return f"{self.milliseconds:.0f} ms forward{scale}{tiles}{doubt}"


class Predictor:
    """Applies a trained network to photographs as it saw them in training.

    Args:
        network: see `outputs_of` and `Geometry`; it is moved to the device and set to evaluation.
        mean: of each channel in training, in [0, 1].
        std: standard deviation of each channel in training.
        options: how photographs pass; ConfigError where they do not go with the network or the machine.
        diameter: of the field of view of the training photographs, pixels; None: scale=auto leaves photographs alone.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        options: PredictionOptions,
        diameter: int | None = None,
    ) -> None:
        self.options, self.diameter = options, diameter
        self.device = choose_device(options.device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last).eval()
        moments = (torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1) for values in (mean, std))
        self.mean, self.std = (values.to(self.device) for values in moments)
        self.channels = self.mean.shape[1]  # of photographs
        self.geometry = Geometry.of(network)
        self.tiling = Tiling(options.tile, options.blend, self.geometry)
        self.describe = self.tiling.describe
        self.warm: set[torch.Size] = set()

    def __call__(self, photo: Tensor, fov: Tensor | None = None) -> Tensor:
        """The probabilities of `predict` alone."""
        return self.predict(photo, fov).probabilities

    def predict(self, photo: Tensor, fov: Tensor | None = None, warm_up: bool = False) -> Prediction:
        """Probability of each class but the background at each pixel, with how and how fast.

        Args:
            photo: `(C, H, W)` uint8, or float32 in [0, 1].
            fov: `(H, W)` bool, the field of view; where None, scale=auto looks for it in the photograph.
            warm_up: passes the first tile of each new size once more, unmeasured: that pass allocates memory.

        Raises:
            ConfigError: the photograph has other channels than those of training.
            DataError: the network answers with NaN or infinite numbers.
        """
        if len(photo) != self.channels:
            raise ConfigError(f"The network takes photographs of {self.channels} channels, found {len(photo)}.")
        scale, doubt = self.options.scale, None
        if scale == "auto":
            scale, doubt = scale_for(photo, fov, self.diameter)
        factor = 1.0 if scale == "none" else float(scale)
        seen, seconds = scaled(photo, factor), list[float]()
        views = VIEWS[self.options.tta]
        total = self._map(views[0].of(seen), warm_up, seconds)
        for view in views[1:]:
            total += view.back(self._map(view.of(seen), warm_up, seconds))
        total /= len(views)
        tiles = "whole image" if len(seconds) == len(views) else str(self.tiling)
        return Prediction(scaled_back(total, *photo.shape[1:]), tiles, factor, 1000 * sum(seconds), doubt)

    def prepare(self, photo: Tensor) -> Tensor:
        """What the network sees: `(C, H, W)` uint8, or float32 in [0, 1], as `(1, C, H, W)` float32 on the device."""
        image = photo.to(self.device)[None].float()
        if photo.dtype == torch.uint8:
            image = image.div_(255)
        image = image.sub(self.mean).div_(self.std)
        return image.contiguous(memory_format=torch.channels_last)

    def _map(self, photo: Tensor, warm_up: bool, seconds: list[float]) -> Tensor:
        """The map of a photograph as it is; `seconds` gets the times of the forward passes."""
        height, width = photo.shape[1:]
        if not self.geometry.margin:  # else each tile is continued for itself
            photo = cut(photo, 0, 0, self.geometry.side_for(height), self.geometry.side_for(width))
        rows, cols = self.tiling.spans(*photo.shape[1:])
        tiles = [Tile(row, col) for row in rows for col in cols]
        sizes_come_again = len(tiles) == 1 and height * width <= AUTO_WHOLE
        (keep_freed_blocks if sizes_come_again else return_freed_blocks)()
        if warm_up and photo.shape not in self.warm:
            self._forward(photo, tiles[0], [])
            self.warm.add(photo.shape)
        outputs = (self._forward(photo, tile, seconds) for tile in tiles)
        return joined(rows, cols, self.tiling.blend, outputs)[:, :height, :width]

    @torch.inference_mode()
    def _forward(self, photo: Tensor, tile: Tile, seconds: list[float]) -> Tensor:
        """Probabilities of what is kept of a tile, `(C - 1, h, w)` on the CPU."""
        (top, bottom, *_), (left, right, *_) = tile
        lost, side_for = self.geometry.margin, self.geometry.side_for
        image = self.prepare(cut(photo, top - lost, left - lost, side_for(bottom - top), side_for(right - left)))
        synchronise(self.device)
        start = time.perf_counter()
        logits = forward_tile(self.network, image, tile)
        synchronise(self.device)
        seconds.append(time.perf_counter() - start)
        if not torch.stack(torch.aminmax(logits)).isfinite().all():  # NaN is both least and greatest
            raise DataError(
                "The network answers this photograph with NaN or infinite numbers, of which no map is made. Look for "
                "what is unlike training in the photograph, or take another checkpoint."
            )
        return class_probabilities(logits)[0].cpu()


class Ensemble:
    """Several predictors as one: the mean of their maps, each network with its own normalisation and scale."""

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self.predictors = list(predictors)
        self.channels = self.predictors[0].channels

    def __call__(self, photo: Tensor, fov: Tensor | None = None) -> Tensor:
        """The probabilities of `predict` alone."""
        return self.predict(photo, fov).probabilities

    def predict(self, photo: Tensor, fov: Tensor | None = None, warm_up: bool = False) -> Prediction:
        """See `Predictor`; the milliseconds are the sum, scale and doubt those of the first."""
        mean = self.predictors[0].predict(photo, fov, warm_up)
        for predictor in self.predictors[1:]:
            found = predictor.predict(photo, fov, warm_up)
            mean.probabilities.add_(found.probabilities)
            mean = replace(mean, milliseconds=mean.milliseconds + found.milliseconds)
        mean.probabilities.div_(len(self.predictors))
        return mean

    def describe(self) -> str:
        """What is done with photographs of any size, in words."""
        return "; ".join(dict.fromkeys(predictor.describe() for predictor in self.predictors))


def make_predictor(networks: Sequence[Any], options: PredictionOptions) -> Predictor | Ensemble:
    """The predictor of one or several `Trained`, with network, mean, std and diameter as `Predictor` takes them."""
    predictors = [Predictor(one.network, one.mean, one.std, options, one.diameter) for one in networks]
    return predictors[0] if len(predictors) == 1 else Ensemble(predictors)
