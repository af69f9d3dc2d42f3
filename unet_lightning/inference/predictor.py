"""A photograph in, a map of probabilities out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from unet_lightning.data.labels import VESSEL
from unet_lightning.errors import ConfigError
from unet_lightning.inference.memory import return_large_blocks
from unet_lightning.inference.scale import check_scale, scale_for, scaled, scaled_back
from unet_lightning.inference.tiling import BLENDS, Canvas, Tiling, whole
from unet_lightning.inference.views import VIEWS
from unet_lightning.models.context import Geometry, cut
from unet_lightning.models.part import Part, Span

WHOLE = 1024 * 1024  # pixels up to which tile=auto passes a photograph whole: DRIVE's, STARE's and CHASE_DB1's
AUTO_TILE = 768  # pixels; see experiments/benchmarks


def vessel_probability(logits: Tensor) -> Tensor:
    """Softmax probability of the vessel class: `(B, C, H, W)` logits in, `(B, H, W)` float32 out."""
    return torch.softmax(logits.float(), dim=1)[:, VESSEL]


def class_probabilities(logits: Tensor) -> Tensor:
    """Softmax probability of each class but the background: `(B, C, H, W)` in, `(B, C - 1, H, W)` float32 out."""
    return torch.softmax(logits.float(), dim=1)[:, 1:]


@dataclass(frozen=True)
class Prediction:
    """What a network says of a photograph, and how it saw it.

    Attributes:
        probabilities: `(C - 1, H, W)` float32 in [0, 1] on the CPU, of each class but the background.
        tiles: `whole image`, or the tiles in words.
        scale: by which the sides of the photograph were multiplied for the network.
        milliseconds: of the forward passes alone.
    """

    probabilities: Tensor
    tiles: str
    scale: float
    milliseconds: float


class Predictor:
    """Applies a trained network to photographs as it saw them in training.

    Args:
        network: logits as `{"out": (B, C, H, W)}`; it is moved to `device` and set to evaluation. What it says of
            itself (see `Geometry`) decides whether and how tiles are cut.
        mean: of each channel in training, in [0, 1].
        std: standard deviation of each channel in training.
        device: where the network runs.
        tile: `auto` (photographs of up to 1024 x 1024 pixels pass whole, larger ones in tiles), `none` (whole), or the
            side of the tiles in pixels.
        blend: `crop` (the map of the whole photograph, exactly) or `gaussian`; see `tiling`.
        tta: `none`, `flips` (4 passes) or `d4` (8), whose maps are averaged.
        scale: `none`, a factor for the sides of the photograph, or `auto`; see `scale_for`.
        diameter: of the field of view of the training photographs, pixels; None: scale=auto leaves photographs alone.

    Raises:
        ConfigError: another value, or tiles that do not go with the network.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        tile: str | int = "auto",
        blend: str = "crop",
        tta: str = "none",
        scale: str | float = "none",
        diameter: int | None = None,
    ) -> None:
        for name, value, choices in (("blend", blend, BLENDS), ("tta", tta, VIEWS)):
            if value not in choices:
                raise ConfigError(f"{name} must be one of {', '.join(choices)}, found {value}.")
        if tile not in ("auto", "none") and (not isinstance(tile, int) or isinstance(tile, bool) or tile < 1):
            raise ConfigError(f"tile must be auto, none or a number of pixels, found {tile}.")
        check_scale(scale)
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()
        self.device = device
        self.mean, self.std = (torch.tensor(list(values), device=device).view(1, -1, 1, 1) for values in (mean, std))
        self.geometry = Geometry.of(network)
        self.tile, self.blend, self.tta, self.scale, self.diameter = tile, blend, tta, scale, diameter
        self.tiling = None
        if tile != "none":
            self.tiling = Tiling(AUTO_TILE if isinstance(tile, str) else tile, blend, self.geometry)
        if self.tiling is not None and tile != "auto":
            self.tiling.check()  # now, not at the first photograph
        self.warm: set[torch.Size] = set()

    def __call__(self, photo: Tensor, fov: Tensor | None = None) -> Tensor:
        """Probability of each class but the background at each pixel.

        Args:
            photo: `(3, H, W)` uint8.
            fov: `(H, W)` bool, the field of view; where None, scale=auto looks for it in the photograph.

        Returns:
            `(C - 1, H, W)` float32 in [0, 1], on the CPU.
        """
        return self.predict(photo, fov).probabilities

    def predict(self, photo: Tensor, fov: Tensor | None = None, warm_up: bool = False) -> Prediction:
        """What a call gives, with how and how fast.

        Args:
            photo: `(3, H, W)` uint8.
            fov: see `__call__`.
            warm_up: passes the first tile of each new size of photograph once more, unmeasured and first of all: that
                pass chooses algorithms and allocates memory.
        """
        scale = scale_for(photo, fov, self.diameter) if self.scale == "auto" else self.scale
        factor = 1.0 if isinstance(scale, str) else float(scale)
        seen = scaled(photo, factor)
        first, *others = VIEWS[self.tta]
        total, seconds = self._map(first.of(seen), warm_up)
        for view in others:
            found, spent = self._map(view.of(seen), warm_up)
            total += view.back(found)
            seconds += spent
        total /= 1 + len(others)
        rows, cols = self.spans(*seen.shape[1:])
        tiles = "whole image" if len(rows) == len(cols) == 1 else str(self.tiling)
        return Prediction(scaled_back(total, *photo.shape[1:]), tiles, factor, 1000 * seconds)

    def spans(self, height: int, width: int) -> tuple[list[Span], list[Span]]:
        """The tiles of a photograph of this size, by rows and by columns; one of each where it passes whole."""
        if self.tiling is None or (self.tile == "auto" and height * width <= WHOLE):
            return whole(height), whole(width)
        self.tiling.check()
        return self.tiling.spans(height), self.tiling.spans(width)

    def describe(self) -> str:
        """What is done with photographs of any size, in words."""
        if self.tiling is None or self.geometry.halo is None:
            return "whole image"
        return f"whole image up to {WHOLE:,} pixels, above {self.tiling}" if self.tile == "auto" else str(self.tiling)

    def prepare(self, photo: Tensor) -> Tensor:
        """What the network sees: `(3, H, W)` uint8 in, `(1, 3, H, W)` float32 on the device, normalised, out."""
        image = photo.to(self.device)[None].float().div_(255).sub_(self.mean).div_(self.std)
        return image.contiguous(memory_format=torch.channels_last)

    def _map(self, photo: Tensor, warm_up: bool) -> tuple[Tensor, float]:
        """The map of a photograph as it is, and the seconds of the forward passes."""
        rows, cols = self.spans(*photo.shape[1:])
        if len(rows) * len(cols) > 1:
            return_large_blocks()
        canvas = Canvas(rows, cols, self.blend)
        if warm_up and photo.shape not in self.warm:
            self._forward(photo, Part(rows[0], cols[0]))
            self.warm.add(photo.shape)
        seconds = 0.0
        for part in (Part(row, col) for row in rows for col in cols):
            probabilities, spent = self._forward(photo, part)
            canvas.paint(part, probabilities)
            seconds += spent
        return canvas.finished(), seconds

    @torch.inference_mode()
    def _forward(self, photo: Tensor, part: Part) -> tuple[Tensor, float]:
        """Probabilities of what is kept of a tile, `(C - 1, h, w)` on the CPU, and the seconds of its forward pass."""
        (top, bottom, *_), (left, right, *_) = part
        lost, side_for = self.geometry.margin, self.geometry.side_for
        image = self.prepare(cut(photo, top - lost, left - lost, side_for(bottom - top), side_for(right - left)))
        knows_place = self.geometry.takes_part and (bottom - top, right - left) != photo.shape[1:]
        self._wait()
        start = time.perf_counter()
        logits = (self.network(image, part) if knows_place else self.network(image))["out"]
        self._wait()
        seconds = time.perf_counter() - start
        probabilities = class_probabilities(logits)[0].cpu()
        return (probabilities if knows_place else part.kept(probabilities, top, left)), seconds

    def _wait(self) -> None:
        """Lets the GPU finish, so that a clock measures work and not its ordering."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Ensemble:
    """Several predictors as one: the mean of their maps, each network with its own normalisation and scale.

    Args:
        predictors: at least one.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self.predictors = list(predictors)

    def __call__(self, photo: Tensor, fov: Tensor | None = None) -> Tensor:
        """See `Predictor`."""
        return self.predict(photo, fov).probabilities

    def predict(self, photo: Tensor, fov: Tensor | None = None, warm_up: bool = False) -> Prediction:
        """See `Predictor`; the milliseconds are the sum, the scale that of the first."""
        first = self.predictors[0].predict(photo, fov, warm_up)
        milliseconds = first.milliseconds
        for predictor in self.predictors[1:]:
            found = predictor.predict(photo, fov, warm_up)
            first.probabilities.add_(found.probabilities)
            milliseconds += found.milliseconds
        first.probabilities.div_(len(self.predictors))
        return replace(first, milliseconds=milliseconds)

    def describe(self) -> str:
        """See `Predictor`."""
        return "; ".join(dict.fromkeys(predictor.describe() for predictor in self.predictors))


@dataclass(frozen=True)
class PredictionOptions:
    """How photographs pass through networks; see `Predictor`, and `choose_device` for the device."""

    device: str = "auto"
    tile: str | int = "auto"
    blend: str = "crop"
    tta: str = "none"
    scale: str | float = "auto"


class TrainedNetwork(Protocol):
    """A network, and what a predictor must know of the photographs that it was trained on; see `Predictor`."""

    @property
    def network(self) -> nn.Module:
        """Gives logits."""

    @property
    def mean(self) -> Sequence[float]:
        """Of each channel."""

    @property
    def std(self) -> Sequence[float]:
        """Of each channel."""

    @property
    def diameter(self) -> int | None:
        """Of the field of view, pixels."""


def make_predictor(networks: Sequence[TrainedNetwork], options: PredictionOptions) -> Predictor | Ensemble:
    """The predictor of one network, or of several as one.

    Raises:
        ConfigError: an option that is out of range, or does not go with a network.
    """
    device = choose_device(options.device)
    predictors = [
        Predictor(
            trained.network,
            trained.mean,
            trained.std,
            device,
            tile=options.tile,
            blend=options.blend,
            tta=options.tta,
            scale=options.scale,
            diameter=trained.diameter,
        )
        for trained in networks
    ]
    return predictors[0] if len(predictors) == 1 else Ensemble(predictors)


def choose_device(name: str) -> torch.device:
    """The device called `name`: `auto` (the GPU where there is one), `cpu` or `cuda`.

    Raises:
        ConfigError: `cuda` where there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device=cuda, but torch sees no GPU: use cpu or auto.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
