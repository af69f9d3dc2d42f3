"""What networks that this user has trained have seen, by their weights: a plain state dict says nothing of it.

Each checkpoint that a run keeps has a small file in the user's home, named by a digest of its weights. Weights that
another user or machine has trained are unknown where they were saved without their checkpoint.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unet_lightning.errors import UserError
from unet_lightning.files import user_folder, write_text
from unet_lightning.models.contents import DATA_STATE, data_state

KEPT = ("dataset", "train_ids", "val_ids", "contents", "inherited", "inherited_images", "unknown_weights")
TASK_PREFIX = "network."

log = logging.getLogger(__name__)


class KnownNetworks:
    """The networks of the checkpoints that a run writes."""

    def __init__(self) -> None:
        self.files: dict[Path, Path] = {}  # of each checkpoint

    def remember(self, path: Path, checkpoint: Mapping[str, Any]) -> None:
        """Keeps what the network of a checkpoint has seen; forgets that of the earlier one in its place."""
        state = checkpoint.get(DATA_STATE) or {}
        weights = {
            name.removeprefix(TASK_PREFIX): value
            for name, value in checkpoint.get("state_dict", {}).items()
            if name.startswith(TASK_PREFIX)
        }
        if not weights or state.get("dataset") is None:
            return
        before = self.files.pop(path, None)
        try:
            self.files[path] = file = file_of(weights)
            write_text(file, json.dumps({name: state[name] for name in KEPT if name in state}))
            if before is not None and before not in self.files.values():
                before.unlink(missing_ok=True)
        except (OSError, RuntimeError, UserError) as error:
            log.debug(f"What this network has seen is in its checkpoint alone: {error}")


def recall(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The state of the data module that trained a network, by its weights; empty where nobody knows it."""
    try:
        path = file_of(weights)
        return data_state(path, {DATA_STATE: json.loads(path.read_text(encoding="utf-8"))})
    except (OSError, RuntimeError, ValueError, UserError):
        return {}


def file_of(weights: Mapping[str, Tensor]) -> Path:
    """Where it is kept what a network has seen; RuntimeError where the user has no home."""
    return user_folder() / "networks" / f"{fingerprint(weights)}.json"


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """A digest of the parameters and averages of a network, the same where they were saved in half precision."""
    found = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu()
        if value.is_floating_point():
            found.update(f"{name} {tuple(value.shape)} ".encode())
            found.update(value.to(torch.float16).contiguous().numpy().view(np.uint8).data)
    return found.hexdigest()[:32]
