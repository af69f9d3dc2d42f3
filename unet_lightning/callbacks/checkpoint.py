"""Checkpoints in a run folder that may be moved."""

from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which otherwise forgets the best figure so far where its folder has been moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on with the paths of the folder as it is called now."""
        super().load_state_dict(_moved(state_dict, str(state_dict["dirpath"]), str(self.dirpath)))


def _moved(state: Any, old: str, new: str) -> Any:
    """`state` with the folder `old` replaced by `new` in every path."""
    if isinstance(state, dict):
        return {_moved(key, old, new): _moved(value, old, new) for key, value in state.items()}
    return new + state.removeprefix(old) if isinstance(state, str) and state.startswith(old) else state
