"""Photographs of any number of channels and depth as they are drawn, and looked at."""

import torch
from torch import Tensor

SHARE = 0.005  # of the pixels that are black, and white, of a photograph of more than 8 bits
MOST_LOOKED_AT = 100_000  # pixels whose levels are sorted


def shown(photo: Tensor) -> Tensor:
    """A photograph `(C, H, W)`, uint8 or float32 in [0, 1], as `(3, H, W)` uint8.

    Three channels are red, green and blue; of another number the mean is shown as grey. One of more than 8 bits is
    stretched so that 0.5 % of its levels are black, and 0.5 % white. Colours of 8 bits are given back as they are.
    """
    if photo.dtype == torch.uint8 and len(photo) == 3:
        return photo
    picture = photo if len(photo) in (1, 3) else photo.mean(0, keepdim=True, dtype=torch.float32)
    if photo.dtype != torch.uint8:
        levels = picture.flatten()[:: max(1, picture.numel() // MOST_LOOKED_AT)].sort().values
        cut = int(SHARE * len(levels))
        low, high = levels[cut], levels[len(levels) - 1 - cut]
        picture = ((picture - low) / (high - low).clamp(min=1e-12)).clamp_(0, 1) * 255
    picture = picture.round().to(torch.uint8) if picture.dtype != torch.uint8 else picture
    return picture.expand(3, -1, -1).permute(1, 2, 0).contiguous().permute(2, 0, 1)
