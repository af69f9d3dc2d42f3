"""From probabilities to vessels, and the threshold with the best Dice.

Probabilities are float32 in [0, 1]; targets are `(H, W)` integers: BACKGROUND, VESSEL or IGNORE.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL

CANDIDATES = 99  # 0.01, 0.02, ... 0.99: finer steps would follow the noise of a few images


def decide(probability: Tensor, threshold: float) -> Tensor:
    """The pixels of each class except the background, `(C - 1, H, W)` bool, from the probabilities of these classes.

    With one class these are the pixels that reach the threshold; with more, those where it is the most probable class,
    the background included, and the threshold is not used.
    """
    if len(probability) == 1:
        return probability >= threshold
    background = 1 - probability.sum(dim=0, keepdim=True)
    winner = torch.cat([background, probability]).argmax(dim=0)
    return torch.stack([winner == number for number in range(1, len(probability) + 1)])


def best_threshold(probabilities: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[float, float]:
    """The threshold with the highest mean Dice per image, and that Dice; the lowest of equally good thresholds."""
    candidates = torch.arange(1, CANDIDATES + 1) / (CANDIDATES + 1)
    per_image = [dice_by_threshold(*pair, candidates) for pair in zip(probabilities, targets, strict=True)]
    dice = torch.stack(per_image).mean(dim=0)
    best = int(dice.argmax())
    return round(float(candidates[best]), 2), float(dice[best])


def dice_by_threshold(probability: Tensor, target: Tensor, thresholds: Tensor) -> Tensor:
    """Dice of one image at each of the ascending thresholds, `(T,)` float64; pixels that reach it are vessels.

    1 where neither map nor target has a vessel.
    """
    counted = target != IGNORE
    vessel = target[counted] == VESSEL
    # The number of thresholds that each pixel reaches; one histogram then serves all thresholds.
    reached = torch.bucketize(probability[counted], thresholds, right=True)
    histograms = (torch.bincount(pixels, minlength=len(thresholds) + 1) for pixels in (reached, reached[vessel]))
    found, right = (histogram.flip(0).cumsum(0).flip(0)[1:].double() for histogram in histograms)  # (T,)
    both = found + vessel.sum()
    return torch.where(both > 0, 2 * right / both.clamp(min=1), 1.0)
