"""Batches of samples of different sizes."""

from collections.abc import Sequence

import torch

from unet_lightning.data.labels import IGNORE, Batch, Sample


def collate(samples: Sequence[Sample]) -> Batch:
    """Pads right and below to the largest height and width: the image with 0, the target with IGNORE."""
    height = max(sample.image.shape[-2] for sample in samples)
    width = max(sample.image.shape[-1] for sample in samples)
    images = torch.zeros(len(samples), 3, height, width)
    targets = torch.full((len(samples), height, width), IGNORE, dtype=torch.int64)
    for row, sample in enumerate(samples):
        h, w = sample.target.shape
        images[row, :, :h, :w] = sample.image
        targets[row, :h, :w] = sample.target
    return Batch(images, targets, [sample.image_id for sample in samples])
