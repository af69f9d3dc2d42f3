import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from unet_lightning.data.labels import IGNORE
from unet_lightning.errors import ConfigError
from unet_lightning.losses.cross_entropy import CrossEntropyLoss, cross_entropy

LOG2, LOG3, LOG4 = math.log(2), math.log(3), math.log(4)


@pytest.mark.parametrize(
    ("weights", "target", "expected"),
    [
        # Probabilities (1/4, 3/4) and (1/2, 1/2).
        (None, [0, 1], (LOG4 + LOG2) / 2),
        ((1, 2), [0, 1], (LOG4 + 2 * LOG2) / 3),
        ((1, 2), [1, 0], (2 * (LOG4 - LOG3) + LOG2) / 3),
        ((1, 2), [IGNORE, 1], LOG2),
        ((1, 2), [0, IGNORE], LOG4),
        ((1, 2), [IGNORE, IGNORE], 0),
    ],
)
def test_cross_entropy_by_hand(weights, target, expected):
    logits = torch.tensor([[[[0.0, 0.0]], [[LOG3, 0.0]]]])  # (1, 2, 1, 2)
    assert CrossEntropyLoss(weights)(logits, torch.tensor([[target]])).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5)])
def test_cross_entropy_is_torchs_weighted_mean_over_the_batch(weights):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 3, 7, 9, generator=generator) * 3
    target = torch.randint(3, (3, 7, 9), generator=generator)
    target[0, :5] = IGNORE  # so that a mean over images would differ
    expected = F.cross_entropy(logits, target, None if weights is None else torch.tensor(weights), ignore_index=IGNORE)
    assert CrossEntropyLoss(weights)(logits, target).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 1.0]])
def test_another_number_of_weights_than_classes_is_refused(weights):
    with pytest.raises(ConfigError, match=rf"{len(weights)} class weights for 2 classes"):
        CrossEntropyLoss(weights)(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, dtype=torch.int64))


def test_class_weights_stay_out_of_the_checkpoint():
    loss = CrossEntropyLoss([1, 2])
    assert loss.weights.tolist() == [1, 2]
    assert loss.state_dict() == {}


def test_it_equals_a_plain_float64_loop():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 2, 4, 5, generator=generator)
    target = torch.randint(2, (2, 4, 5), generator=generator)
    target[0, 1:3, 2] = IGNORE
    weights = [1.0, 2.0]
    total = weight = 0.0
    for b, y, x in itertools.product(range(2), range(4), range(5)):
        label = int(target[b, y, x])
        if label != IGNORE:
            scores = [float(score) for score in logits[b, :, y, x].double()]
            total -= weights[label] * (scores[label] - math.log(sum(map(math.exp, scores))))
            weight += weights[label]
    assert cross_entropy(logits, target, torch.tensor(weights)).item() == pytest.approx(total / weight, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_class_weights_survive_a_change_of_precision(dtype):
    loss = CrossEntropyLoss([1.0, 2.0])
    logits, target = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64)
    assert loss.to(dtype)(logits.to(dtype), target).item() == pytest.approx(math.log(2), abs=1e-3)
