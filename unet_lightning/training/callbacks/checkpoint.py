"""Checkpoints: files that are whole or not there, in a run folder that may be moved or come from somebody else."""

import contextlib
import math
import os
from pathlib import Path, PurePath
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from unet_lightning.errors import ConfigError, RunError
from unet_lightning.files import whole_file
from unet_lightning.models.contents import rename_data_state
from unet_lightning.models.weights import read_checkpoint
from unet_lightning.training.known import KnownNetworks

SCORES = ("best_model_score", "current_score", "kth_value")
HERE = "checkpoints"  # stands for the folder in a checkpoint
PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the file, waits for the disk, then renames.

    Lightning writes into the temporary folder first, which may be another file system: moving from there is copying,
    and a copy can be torn.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known = KnownNetworks()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes a checkpoint; an earlier one stays until this one is whole.

        Raises:
            UserError: it cannot be written: no room, no permission, no folder.
        """
        path = Path(path)
        with whole_file(path) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)
        self.known.remember(path, checkpoint)
        with contextlib.suppress(OSError):  # Windows does not open folders
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the name too
            finally:
                os.close(folder)

    def load_checkpoint(self, path: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Reads a checkpoint, also one of a version that called the data module otherwise."""
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *arguments, **named)
        rename_data_state(checkpoint)
        return checkpoint


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which otherwise forgets the best figure so far where its folder has been moved.

    Lightning removes the file that a checkpoint calls its earlier best: here it must lie in the same folder.

    Args:
        filename: without a folder: files lie in `checkpoints/` of the run folder.
        arguments: of ModelCheckpoint.

    Raises:
        ConfigError: the name of a file with a folder.
    """

    def __init__(self, filename: str | None = None, **arguments: Any) -> None:
        if filename is not None and PurePath(filename).name != filename:
            raise ConfigError(f"A checkpoint is called by a name without a folder, found {filename}.")
        super().__init__(filename=filename, **arguments)
        self.step = math.inf  # optimizer steps of the checkpoint that the run goes on from

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Chooses the folder; Lightning would take that of the first logger."""
        if self.dirpath is None:
            self.dirpath = str(Path(trainer.default_root_dir, "checkpoints"))
        super().setup(trainer, pl_module, stage)

    def state_dict(self) -> dict[str, Any]:
        """What Lightning keeps, with paths from the folder on: a checkpoint is given to others."""
        state, home = super().state_dict(), str(self.dirpath)
        state |= {name: _moved(state[name], home, HERE) for name in PATHS if state.get(name)}
        state["best_k_models"] = {_moved(path, home, HERE): score for path, score in self.best_k_models.items()}
        return state | {"dirpath": HERE}

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Notes where the run goes on from."""
        self.step = checkpoint["global_step"]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on with the paths of the folder as it is called now.

        A run that was killed after it had written best.ckpt, and before last.ckpt, has a best.ckpt of an epoch that is
        trained again: its figure is then the one to beat, as it is that of the file.

        Raises:
            RunError: the checkpoint names a file outside its folder, or lacks what this callback keeps.
        """
        state_dict = self._of_newer_file() or state_dict
        old, new = state_dict.get("dirpath"), str(self.dirpath)
        files = state_dict.get("best_k_models", {})
        if not isinstance(old, str) or not isinstance(files, dict) or "best_model_score" not in state_dict:
            raise RunError(f"The checkpoint in {new} says nothing of its files: begin a new run with model.weights.")
        kept = {name: state_dict[name] for name in SCORES if name in state_dict}
        kept |= {name: _moved(state_dict[name], old, new) for name in PATHS if name in state_dict}
        kept["best_k_models"] = {_moved(path, old, new): score for path, score in files.items()}
        super().load_state_dict({"best_model_path": ""} | kept | {"dirpath": self.dirpath})

    def _of_newer_file(self) -> dict[str, Any] | None:
        """What the file of the best figure says of it, where it is of a later step than the run goes on from."""
        path = Path(str(self.dirpath), f"{self.filename}{self.FILE_EXTENSION}")
        if self.monitor is None or not path.is_file():
            return None
        found = read_checkpoint(path)
        step, states = found.get("global_step"), found.get("callbacks")
        state = states.get(self.state_key) if isinstance(states, dict) else None
        return state if isinstance(state, dict) and isinstance(step, int) and step > self.step else None


def _moved(path: Any, old: str, new: str) -> str:
    """A file of the folder `old` as one of the folder `new`; empty where there is none yet.

    Raises:
        RunError: it is outside.
    """
    if path == "":
        return ""
    inside = isinstance(path, str) and path.startswith((old + os.sep, old + "/"))
    inside = inside and path.endswith(ModelCheckpoint.FILE_EXTENSION)
    found = PurePath(new, path[len(old) + 1 :]) if inside else PurePath(os.sep)
    # A folder below may be a link to elsewhere.
    if ".." in found.parts or not PurePath(os.path.realpath(found.parent)).is_relative_to(os.path.realpath(new)):
        raise RunError(
            f"A checkpoint in {new} names {str(path)[:200]} as one of its own files, which lie in {old[:200]}: it was "
            "not gone on with. Begin a new run with model.weights set to it."
        )
    return str(found)
