import torch

from unet_lightning.data.labels import IGNORE, Sample, collate


def sample(height, width, name):
    return Sample(torch.ones(3, height, width), torch.ones(height, width, dtype=torch.uint8), name)


def test_smaller_samples_are_padded_right_and_below_with_0_and_ignore():
    batch = collate([sample(2, 3, "a"), sample(4, 1, "b")])
    assert batch.image[0, 1].tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert batch.target[0].tolist() == [[1, 1, 1], [1, 1, 1], [IGNORE] * 3, [IGNORE] * 3]
    assert batch.target[1].tolist() == [[1, IGNORE, IGNORE]] * 4
    assert torch.equal(batch.image == 0, (batch.target == IGNORE).unsqueeze(1).expand(-1, 3, -1, -1))


def test_batch_has_the_dtypes_that_losses_take():
    batch = collate([sample(2, 3, "a"), sample(2, 3, "b")])
    assert batch.image.shape == (2, 3, 2, 3) and batch.image.dtype == torch.float32
    assert batch.target.shape == (2, 2, 3) and batch.target.dtype == torch.int64
    assert batch.image_id == ["a", "b"]
