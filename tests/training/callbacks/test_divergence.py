from types import SimpleNamespace

import pytest
import torch
from torch import nn

from unet_lightning.data.labels import Batch
from unet_lightning.training.callbacks.divergence import Diverged, Divergence


def batch(*image_ids):
    return Batch(torch.zeros(len(image_ids), 3, 2, 2), torch.zeros(len(image_ids), 2, 2), list(image_ids))


def trainer(epoch=2, step=11, folder="run/checkpoints"):
    return SimpleNamespace(
        current_epoch=epoch, global_step=step, checkpoint_callback=SimpleNamespace(dirpath=str(folder))
    )


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_the_place_and_the_last_good_checkpoint_are_named(loss, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "last.ckpt").touch()
    run = trainer(folder=tmp_path)
    with pytest.raises(Diverged) as ended:
        Divergence().on_train_batch_end(run, nn.Identity(), {"loss": torch.tensor(loss)}, batch("21", "22"), 0)
    message = str(ended.value)
    assert "epoch 2, optimizer step 11, images 21, 22" in message
    assert f"The last good checkpoint is {tmp_path}/last.ckpt" in message and "model.weights=last.ckpt" in message


def test_in_the_first_epoch_there_is_no_checkpoint_to_name():
    with pytest.raises(Diverged, match="no checkpoint yet"):
        Divergence().on_train_batch_end(trainer(0), nn.Identity(), {"loss": torch.tensor(torch.nan)}, batch("21"), 0)


def test_numbers_pass():
    callback = Divergence()
    for step in range(3):
        callback.on_train_batch_end(trainer(), nn.Identity(), {"loss": torch.tensor(float(step))}, batch("21"), step)
    callback.on_train_epoch_end(trainer(), nn.Linear(2, 2))
    assert callback.seen == []


def test_weights_that_the_last_step_has_spoilt_are_seen_before_a_checkpoint():
    network = nn.Linear(2, 2)
    with torch.no_grad():
        network.bias[0] = torch.nan
    for hook in ("on_train_epoch_end", "on_validation_start"):
        with pytest.raises(Diverged, match="bias"):
            getattr(Divergence(), hook)(trainer(), network)
