"""A photograph in, a vessel probability map out."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision import tv_tensors

from unet_lightning.data.labels import VESSEL
from unet_lightning.data.transforms import to_input
from unet_lightning.errors import ConfigError


def vessel_probability(logits: Tensor) -> Tensor:
    """Softmax probability of the vessel class: `(B, C, H, W)` logits in, `(B, H, W)` float32 out."""
    return torch.softmax(logits.float(), dim=1)[:, VESSEL]


class Predictor:
    """Applies a trained network to photographs as it saw them in training.

    Args:
        network: logits as `{"out": (B, C, H, W)}`; it is moved to `device` and set to evaluation.
        mean: of each channel in training, in [0, 1].
        std: standard deviation of each channel in training.
        device: where the network runs.
    """

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).eval()
        self.device = device
        self.normalise = to_input(list(mean), list(std))
        self.warm: set[torch.Size] = set()

    @torch.inference_mode()
    def __call__(self, photo: Tensor) -> Tensor:
        """Vessel probability of each pixel.

        Args:
            photo: `(3, H, W)` uint8.

        Returns:
            `(H, W)` float32 in [0, 1], on the CPU.
        """
        return vessel_probability(self.network(self.prepare(photo))["out"])[0].cpu()

    @torch.inference_mode()
    def timed(self, photo: Tensor) -> tuple[Tensor, float]:
        """What a call gives, and the milliseconds of the forward pass alone.

        The first photograph of a size is passed twice: the first pass chooses algorithms and allocates memory.
        """
        image = self.prepare(photo)
        if image.shape not in self.warm:
            self.network(image)
            self.warm.add(image.shape)
        self._wait()
        start = time.perf_counter()
        logits = self.network(image)["out"]
        self._wait()
        milliseconds = 1000 * (time.perf_counter() - start)
        return vessel_probability(logits)[0].cpu(), milliseconds

    def prepare(self, photo: Tensor) -> Tensor:
        """What the network sees: `(3, H, W)` uint8 in, `(1, 3, H, W)` float32 on the device out."""
        image: Tensor = self.normalise(tv_tensors.Image(photo)).as_subclass(Tensor).unsqueeze(0)
        return image.to(self.device).contiguous(memory_format=torch.channels_last)

    def _wait(self) -> None:
        """Lets the GPU finish, so that a clock measures work and not its ordering."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


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
