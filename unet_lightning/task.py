"""The LightningModule: network, loss and metrics around one shared step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryF1Score
from torchmetrics.functional.classification import binary_f1_score

from unet_lightning.data.labels import IGNORE, VESSEL, Batch, one_against_rest
from unet_lightning.errors import ConfigError
from unet_lightning.losses.combined import loss_of_outputs
from unet_lightning.models.context import same_size
from unet_lightning.models.probability import vessel_probability
from unet_lightning.specs import build

# An image without vessels in which none is found is perfect, not 0.
DICE: dict[str, Any] = {"ignore_index": IGNORE, "zero_division": 1.0}


class SegmentationTask(L.LightningModule):
    """Trains a segmentation network; validation and test log Dice inside the field of view.

    Two classes: at threshold 0.5. More: the mean over the classes but the background, one against the rest, each pixel
    of its most probable class.

    Hyper-parameters are plain data, `{"_target_": "package.Class", ...}` (see `build`), so that a checkpoint loads
    without running code.

    Args:
        model: the network.
        loss: called with logits `(B, C, H, W)` and target `(B, H, W)`.
        optimizer: called with the network's parameters.
        scheduler: called with the optimizer, `total_steps` and `steps_per_epoch`, stepped after each optimizer step;
            None keeps the learning rate.
        channels_last: memory format of network and images; faster on CPU and CUDA.

    Raises:
        ConfigError: from `build`.
    """

    def __init__(
        self,
        model: Mapping[str, Any],
        loss: Mapping[str, Any],
        optimizer: Mapping[str, Any],
        scheduler: Mapping[str, Any] | None = None,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # the program logs the whole config
        self.network = build(model)
        self.loss = build(loss)
        self.optimizer, self.scheduler = optimizer, scheduler
        self.weights_from: dict[str, Any] = {}  # the data that given weights have seen, where they tell
        self.planned_steps: int | None = None  # of the run that a checkpoint comes from
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.memory_format)
        self.configure_metrics()

    def configure_metrics(self) -> None:
        """Dice of each image, Dice of all pixels, and the mean loss; each exact over several processes."""
        for split in ("val", "test"):
            # Sums and counts alone: processes may have different numbers of images.
            setattr(self, f"{split}_loss", MeanMetric())
            setattr(self, f"{split}_dice_per_image", MeanMetric())
            setattr(self, f"{split}_dice_pooled", BinaryF1Score(**DICE))

    def rehearse(self, classes: Sequence[str]) -> None:
        """Takes a blank image through network and loss, and builds the optimizer: what does not fit shows now.

        Args:
            classes: of the labels, background first.

        Raises:
            ConfigError: network, labels, loss and optimizer do not go together.
        """
        size = 64  # pixels
        training = self.training
        self.eval()  # BatchNorm's statistics stay
        try:
            with torch.no_grad():
                target = torch.zeros(1, size, size, dtype=torch.int64)
                target[:, size // 2 :] = VESSEL
                outputs = self(torch.zeros(1, 3, size, size))
                if outputs["out"].shape[1] != len(classes):
                    raise ConfigError(
                        f"The network gives {outputs['out'].shape[1]} classes, the labels have {len(classes)} "
                        f"({', '.join(classes)}): set model.num_classes={len(classes)}."
                    )
                loss_of_outputs(self.loss, outputs, target)
            build(self.optimizer, params=self.network.parameters())
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            raise ConfigError(f"Network, loss and optimizer do not go together: {error}") from error
        finally:
            self.train(training)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimizer and, where there is one, a learning rate for each step."""
        optimizer = build(self.optimizer, params=self.network.parameters())
        if self.scheduler is None:
            return {"optimizer": optimizer}
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise ConfigError(
                "A scheduler needs an end: set trainer.max_epochs or trainer.max_steps, or scheduler=none."
            )
        if self.planned_steps not in (None, steps):
            raise ConfigError(
                f"The learning rate of this run was planned over {self.planned_steps} optimizer steps, now there are "
                f"{int(steps)}. Resume with the same trainer.max_epochs, or begin a new run with model.weights set to "
                "its last.ckpt."
            )
        self.trainer.fit_loop.setup_data()  # the loaders tell how long an epoch is
        per_epoch = math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)
        schedule = build(self.scheduler, optimizer=optimizer, total_steps=int(steps), steps_per_epoch=per_epoch)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps how many steps the schedule was planned over."""
        steps = self.trainer.estimated_stepping_batches
        checkpoint["planned_steps"] = None if self.scheduler is None else int(steps)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the plan of the run that goes on; `configure_optimizers` compares."""
        self.planned_steps = checkpoint["planned_steps"]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Logits: `(B, 3, H, W)` float32 in, `{"out": (B, C, H, W)}` out."""
        return same_size(self.network, image.contiguous(memory_format=self.memory_format))

    def shared_step(self, batch: Batch, split: str) -> tuple[Tensor, Tensor]:
        """Loss and logits `(B, C, H, W)` of a batch; in val and test the metrics are updated too."""
        outputs = self(batch.image)
        loss = loss_of_outputs(self.loss, outputs, batch.target)
        if split != "train":
            getattr(self, f"{split}_loss").update(loss, weight=len(batch.target))
            for number, called in enumerate(self.called(outputs["out"]), start=1):
                target = one_against_rest(batch.target, number)
                dice = binary_f1_score(called, target, multidim_average="samplewise", **DICE)  # (B,)
                getattr(self, f"{split}_dice_per_image").update(dice)
                getattr(self, f"{split}_dice_pooled").update(called, target)
        return loss, outputs["out"]

    @staticmethod
    def called(logits: Tensor) -> list[Tensor]:
        """For each class but the background its pixels, `(B, H, W)`, vessel above 0.5.

        Of two classes it is the probability; of more, 1 where the class is the most probable.
        """
        if logits.shape[1] == 2:
            return [vessel_probability(logits)]
        winner = logits.argmax(dim=1)
        return [(winner == number).float() for number in range(1, logits.shape[1])]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One optimizer step's loss."""
        loss, _ = self.shared_step(batch, "train")
        size = len(batch.target)
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=size)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One whole photograph; callbacks get its logits."""
        return {"logits": self.shared_step(batch, "val")[1]}

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """One whole photograph."""
        self.shared_step(batch, "test")

    def on_validation_epoch_end(self) -> None:
        """Logs and resets the validation metrics."""
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        """Logs and resets the test metrics."""
        self._log_metrics("test")

    def _log_metrics(self, split: str) -> None:
        for name in ("loss", "dice_per_image", "dice_pooled"):
            metric = getattr(self, f"{split}_{name}")
            # Every process has the same figure already; sync_dist tells Lightning so.
            self.log(f"{split}/{name}", metric.compute(), prog_bar=name == "dice_per_image", sync_dist=True)
            metric.reset()
