"""What a run does beside training."""

from typing import TypeVar

import lightning as L
from lightning.pytorch.callbacks import Callback

AnyCallback = TypeVar("AnyCallback", bound=Callback)


def callbacks_of(trainer: L.Trainer) -> list[Callback]:
    """The callbacks of a trainer, in the order in which they are called; the list may be changed before it trains."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # one of its parts sets it
    return callbacks


def find_callback(trainer: L.Trainer, kind: type[AnyCallback]) -> AnyCallback | None:
    """The first callback of a class, where the trainer has one."""
    return next((one for one in callbacks_of(trainer) if isinstance(one, kind)), None)
