"""Masks and probability maps as image files."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from unet_lightning.files import whole_file


def save_image(image: Tensor, path: Path) -> None:
    """Writes `(H, W)` or `(3, H, W)` uint8 in the format of the suffix, whole or not at all."""
    _save(to_pil_image(image if image.ndim == 3 else image.unsqueeze(0)), path)


def save_mask(vessels: Tensor, path: Path) -> None:
    """Writes `(H, W)` bool as 0 and 255."""
    save_image(vessels.to(torch.uint8) * 255, path)


def save_probability(probability: Tensor, path: Path) -> None:
    """Writes `(H, W)` float32 in [0, 1] as 16-bit grey PNG: 65535 is probability 1."""
    _save(Image.fromarray((probability * 65535).round().to(torch.uint16).numpy()), path)


def _save(image: Image.Image, path: Path) -> None:
    with whole_file(path) as temporary:
        image.save(temporary)
