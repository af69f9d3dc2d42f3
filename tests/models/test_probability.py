import pytest
import torch

from unet_lightning.models.probability import class_probabilities


def test_vessel_probability_by_hand():
    logits = torch.tensor([[[[0.0, 0.0]], [[1.0986123, -1000.0]]]], dtype=torch.float16)  # (1, 2, 1, 2), log 3
    probability = class_probabilities(logits)
    assert probability.dtype == torch.float32
    assert probability[0, 0, 0].tolist() == pytest.approx([0.75, 0], abs=1e-4)
    assert class_probabilities(torch.zeros(2, 5, 3, 4)).shape == (2, 4, 3, 4)


def test_each_class_but_the_background_has_its_probability():
    logits = torch.tensor([0.0, 1.0986123, 0.0]).view(1, 3, 1, 1)  # log 3
    assert class_probabilities(logits).flatten().tolist() == pytest.approx([0.6, 0.2])
