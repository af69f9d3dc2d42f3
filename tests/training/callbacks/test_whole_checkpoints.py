import os

import pytest
import torch

from unet_lightning.errors import UserError
from unet_lightning.training.callbacks.checkpoint import WholeCheckpoints


class Unwritable:
    def __reduce__(self):
        raise OSError(28, "No space left on device")


def test_a_checkpoint_is_written_and_nothing_is_left_beside_it(tmp_path):
    WholeCheckpoints().save_checkpoint({"epoch": 1}, tmp_path / "checkpoints" / "last.ckpt")
    assert torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True) == {"epoch": 1}
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]


def test_an_earlier_checkpoint_stays_where_the_next_cannot_be_written(tmp_path):
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"epoch": 1}, path)
    with pytest.raises(UserError, match=r"No space left on device\. Is there room"):
        WholeCheckpoints().save_checkpoint({"epoch": Unwritable()}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_checkpoint_is_on_the_disk_before_it_takes_its_name_and_the_name_after_it(tmp_path, monkeypatch):
    path, real, order = tmp_path / "last.ckpt", os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda descriptor: (real(descriptor), order.append(path.exists())))
    WholeCheckpoints().save_checkpoint({"epoch": 1}, path)
    assert order == [False, True]  # the file, then its folder
