"""From probabilities to vessels, and the threshold with the best Dice."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unet_lightning.data.labels import IGNORE, VESSEL

CANDIDATES = 99  # 0.01, 0.02, ... 0.99: finer steps would follow the noise of a few images


def decide(probability: Tensor, threshold: float) -> Tensor:
    """The pixels of each class except the background, `(C - 1, H, W)` bool.

    With one class these are the pixels that reach the threshold; with more, those where it is the most probable class,
    the background included.

    Args:
        probability: of each class except the background, `(C - 1, H, W)` float32 in [0, 1].
        threshold: least probability of a vessel; not used with more classes.
    """
    if len(probability) == 1:
        return probability >= threshold
    background = 1 - probability.sum(dim=0, keepdim=True)
    winner = torch.cat([background, probability]).argmax(dim=0)
    return torch.stack([winner == number for number in range(1, len(probability) + 1)])


def best_threshold(probabilities: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[float, float]:
    """The threshold with the highest mean Dice per image, and that Dice; the lowest of equally good thresholds.

    Args:
        probabilities: `(H, W)` float32 in [0, 1] for each image, at least one.
        targets: `(H, W)` integer for each image: BACKGROUND, VESSEL or IGNORE.
    """
    candidates = torch.arange(1, CANDIDATES + 1) / (CANDIDATES + 1)
    dice = torch.stack(
        [dice_by_threshold(*pair, candidates) for pair in zip(probabilities, targets, strict=True)]
    ).mean(dim=0)
    best = int(dice.argmax())
    return round(float(candidates[best]), 2), float(dice[best])


def dice_by_threshold(probability: Tensor, target: Tensor, thresholds: Tensor) -> Tensor:
    """Dice of one image at each threshold; pixels that reach the threshold are vessels.

    Args:
        probability: `(H, W)` float32.
        target: `(H, W)` integer: BACKGROUND, VESSEL or IGNORE.
        thresholds: `(T,)` float32, ascending.

    Returns:
        `(T,)` float64; 1 where neither map nor target has a vessel.
    """
    counted = target != IGNORE
    vessel = target[counted] == VESSEL
    # The number of thresholds that each pixel reaches; one histogram then serves all thresholds.
    reached = torch.bucketize(probability[counted], thresholds, right=True)
    found, right = (_reaching(reached[chosen], len(thresholds)) for chosen in (slice(None), vessel))
    both = found + vessel.sum()
    return torch.where(both > 0, 2 * right / both.clamp(min=1), 1.0)


def _reaching(reached: Tensor, thresholds: int) -> Tensor:
    """The number of pixels that reach each threshold, `(T,)` float64."""
    histogram = torch.bincount(reached, minlength=thresholds + 1)
    return histogram.flip(0).cumsum(0).flip(0)[1:].double()
