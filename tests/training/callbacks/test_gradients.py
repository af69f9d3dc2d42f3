import lightning as L
import pytest
import torch
from torch import nn

from unet_lightning.training.callbacks.gradients import GradientNorm


class Line(L.LightningModule):
    """One weight of 0 on inputs x: the loss x * w has the gradient x."""

    def __init__(self, inputs):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(2))
        self.inputs, self.logged = inputs, []

    def training_step(self, batch, batch_idx):
        return (self.weights * batch[0]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.tensor(self.inputs))

    def on_before_zero_grad(self, optimizer):
        self.logged.append(self.trainer.callback_metrics.get("grad_norm"))


def fit(inputs, epochs=1, **options):
    module = Line(inputs)
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[GradientNorm()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
    trainer.fit(module)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


# An epoch of so few batches has none to log and no loading processes to speak of.
pytestmark = pytest.mark.filterwarnings("ignore:The number of training batches", "ignore:The 'train_dataloader'")


def test_the_norm_is_over_all_gradients_before_clipping():
    assert fit([[3.0, 4.0]], gradient_clip_val=0.1)["grad_norm"] == pytest.approx(5)


def test_an_epoch_has_the_mean_of_its_steps_alone():
    found = fit([[3.0, 4.0], [0.0, 1.0]], epochs=2)
    assert (found["train/grad_norm"], found["grad_norm"]) == (pytest.approx(3), pytest.approx(1))


def test_steps_without_a_norm_are_left_out_of_the_mean():
    assert fit([[3.0, 4.0], [torch.inf, 1.0]])["train/grad_norm"] == pytest.approx(5)
