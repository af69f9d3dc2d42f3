"""Checkpoint files that are whole on the disk, or not there."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from unet_lightning.files import whole_file


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the file, waits for the disk, then renames.

    Lightning writes into the temporary folder first, which may be another file system: moving from there is copying,
    and a copy can be torn.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes a checkpoint; an earlier one stays until this one is whole.

        Raises:
            UserError: it cannot be written: no room, no permission, no folder.
        """
        path = Path(path)
        with whole_file(path) as temporary:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name too
        finally:
            os.close(folder)
