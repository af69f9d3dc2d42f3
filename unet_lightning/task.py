"""The LightningModule: network, loss and metrics around one shared step."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import MeanMetric

from unet_lightning.data.labels import VESSEL, Batch
from unet_lightning.errors import ConfigError
from unet_lightning.losses.combined import loss_of_outputs
from unet_lightning.metrics.classes import PooledDice, mean_dice, overlap_counts
from unet_lightning.models.context import rehearsed, same_size
from unet_lightning.models.probability import class_probabilities
from unet_lightning.specs import build

log = logging.getLogger(__name__)


class SegmentationTask(L.LightningModule):
    """Trains a segmentation network; validation and test log Dice inside the field of view.

    With two classes it is the Dice of vessels at threshold 0.5; an image without vessels in which none is found has 1.
    With more it is the mean over the classes but the background, where each pixel has its most probable class: see
    `metrics.classes` for those that an image does not have.

    Each part is an object, or plain data, `{"_target_": "package.Class", ...}` (see `build`): that a checkpoint keeps,
    so that loading it runs no code.

    Args:
        model: the network.
        loss: called with logits `(B, C, H, W)` and target `(B, H, W)`.
        optimizer: called with the network's parameters; or an optimizer that has them.
        scheduler: called with the optimizer, `total_steps` and `steps_per_epoch`, and stepped after each optimizer
            step; None keeps the learning rate constant.
        channels_last: memory format of network and images, faster on CPU and CUDA.

    Raises:
        ConfigError: from `build`.
    """

    def __init__(
        self,
        model: Mapping[str, Any] | nn.Module,
        loss: Mapping[str, Any] | nn.Module,
        optimizer: Mapping[str, Any] | Callable[..., Optimizer] | Optimizer,
        scheduler: Mapping[str, Any] | Callable[..., LRScheduler] | None = None,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        given = {"model": model, "loss": loss, "optimizer": optimizer, "scheduler": scheduler}
        plain = {name: value for name, value in given.items() if isinstance(value, Mapping | None)}
        # Loggers get the whole config instead.
        self.save_hyperparameters(plain | {"channels_last": channels_last}, logger=False)
        self.network, self.loss = _made(model), _made(loss)
        self.optimizer, self.scheduler = optimizer, scheduler
        self.weights_from: dict[str, Any] = {}  # state of the data module that trained the initial weights, if known
        self.not_taken: list[str] = []  # tensors of the initial weights that did not fit, in words
        self.said_no_dice = False
        self.planned_steps: int | None = None  # optimizer steps of the run that is resumed
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.memory_format)
        self.metrics = nn.ModuleDict({split: self.configure_metrics() for split in ("val", "test")})

    def configure_metrics(self) -> nn.ModuleDict:
        """Mean loss, Dice per image, pooled Dice: as sums and counts, since processes may differ in their images."""
        return nn.ModuleDict({"loss": MeanMetric(), "dice_per_image": MeanMetric(), "dice_pooled": PooledDice()})

    def rehearse(self, classes: Sequence[str], channels: int = 3) -> None:
        """Runs network and loss on a blank image and builds the optimizer, so that misfits show before training.

        Args:
            classes: of the labels, background first.
            channels: of the photographs.

        Raises:
            ConfigError: network, labels, loss and optimizer do not fit together.
        """
        size = 64  # pixels
        training = self.training
        self.eval()  # so that BatchNorm keeps its statistics
        try:
            with torch.no_grad():
                target = torch.zeros(1, size, size, dtype=torch.int64)
                target[:, size // 2 :] = VESSEL
                outputs = rehearsed(self.network, channels, size)
                if outputs["out"].shape[1] != len(classes):
                    raise ConfigError(
                        f"The network gives {outputs['out'].shape[1]} classes, the labels have {len(classes)} "
                        f"({', '.join(classes)}): set model.num_classes={len(classes)}, or auto."
                    )
                loss_of_outputs(self.loss, outputs, target)
            self._made_optimizer()
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            raise ConfigError(f"Network, loss and optimizer do not fit together: {error}") from error
        finally:
            self.train(training)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and a learning rate for each step where there is a scheduler."""
        optimizer = self._made_optimizer()
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
                f"{int(steps)}. Resume with the same trainer.max_epochs, or begin a new run from its weights: "
                "rerun=<run folder> model.weights=<run folder> trainer.max_epochs=..."
            )
        self.trainer.fit_loop.setup_data()  # the length of an epoch is known once there are loaders
        per_epoch = math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)
        schedule = _made(self.scheduler, optimizer=optimizer, total_steps=int(steps), steps_per_epoch=per_epoch)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _made_optimizer(self) -> Optimizer:
        """The optimizer; ConfigError where it has none of the network's parameters."""
        optimizer: Optimizer = _made(self.optimizer, params=self.network.parameters())
        trained = {id(one) for group in optimizer.param_groups for one in group["params"]}
        if trained.isdisjoint(map(id, self.network.parameters())):
            raise ConfigError(
                "The optimizer was built with the parameters of another network: build it with those of the network "
                "that the task is given, or give a function of params."
            )
        return optimizer

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stores the number of steps that the learning rate was planned for, and that of processes."""
        steps = self.trainer.estimated_stepping_batches
        checkpoint["planned_steps"] = None if self.scheduler is None else int(steps)
        checkpoint["processes"] = self.trainer.world_size

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes over the number of steps of the run that is resumed; `configure_optimizers` compares it."""
        self.planned_steps = checkpoint["planned_steps"]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The logits `{"out": (B, C, H, W)}` of `(B, C, H, W)` float32 images."""
        return same_size(self.network, image.contiguous(memory_format=self.memory_format))

    def shared_step(self, batch: Batch, split: str) -> tuple[Tensor, Tensor]:
        """Loss and logits `(B, C, H, W)` of a batch; also updates the metrics of val and test."""
        outputs = self(batch.image)
        loss = loss_of_outputs(self.loss, outputs, batch.target)
        if split != "train":
            metrics: Any = self.metrics[split]
            metrics["loss"].update(loss, weight=len(batch.target))
            counts = overlap_counts(self.decisions(outputs["out"]), batch.target)
            dice = mean_dice(counts)  # (B,)
            metrics["dice_per_image"].update(dice[~dice.isnan()])
            metrics["dice_pooled"].update(counts)
        return loss, outputs["out"]

    @staticmethod
    def decisions(logits: Tensor) -> list[Tensor]:
        """The pixels of each class except the background, `(B, H, W)` bool.

        With two classes where the probability of a vessel is above 0.5; with more where a class is the most probable.
        """
        if logits.shape[1] == 2:
            return [class_probabilities(logits)[:, 0] > 0.5]
        winner = logits.argmax(dim=1)
        return [winner == number for number in range(1, logits.shape[1])]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch.

        Raises:
            ConfigError: BatchNorm has a single value a channel.
        """
        try:
            loss, _ = self.shared_step(batch, "train")
        except ValueError as error:
            if "Expected more than 1 value per channel" not in str(error):
                raise
            crop = " x ".join(map(str, batch.image.shape[-2:]))
            raise ConfigError(
                f"BatchNorm has a single value a channel: of {len(batch.image)} crop of {crop} pixels the deepest "
                "level of the network keeps one pixel. Take a larger data.batch_size that leaves no single image at "
                "the end of an epoch, a larger crop (data.augment.crop), or model.norm=group."
            ) from error
        size = len(batch.target)
        self.log("loss", loss.detach(), prog_bar=True, logger=False, batch_size=size)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One whole photograph; its logits are for callbacks."""
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
        metrics: Any = self.metrics[split]
        for name, metric in metrics.items():
            value = metric.compute()
            # All processes have the same figure already; sync_dist says so to Lightning.
            self.log(f"{split}/{name}", value, prog_bar=name == "dice_per_image", sync_dist=True)
            metric.reset()
            if name == "dice_per_image" and value.isnan() and self.trainer.is_global_zero and not self.said_no_dice:
                self.said_no_dice = True
                log.warning(
                    f"No {split} image of epoch {self.current_epoch} has a class but the background, in its label or "
                    "called by the network: there is no Dice, and such images cannot choose an epoch."
                )


def _made(part: Any, **arguments: Any) -> Any:
    """What plain data builds, or a function returns; an optimizer, and without arguments any object, as it is."""
    if isinstance(part, Mapping):
        return build(part, **arguments)
    return part(**arguments) if arguments and not isinstance(part, Optimizer) else part
