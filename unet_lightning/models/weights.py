"""Weights from a file into a network: the tutorial's checkpoints, our own, or a plain state dict."""

import argparse
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unet_lightning.errors import RunError

DATA_STATE = "RetinalDataModule"  # Lightning keeps the state of a data module under the name of its class
TASK_PREFIX = "network."  # the name of the network within VesselSegmentationTask


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint file as plain data: no code in it is run.

    Raises:
        RunError: no such file, broken, or it holds objects other than data.
    """
    if not path.is_file():
        raise RunError(f"No checkpoint: looked for {path}.")
    try:
        # The tutorial keeps its command line beside the weights: a Namespace, which is data.
        with torch.serialization.safe_globals([argparse.Namespace]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise RunError(
            f"The checkpoint {path} is no checkpoint, or holds objects that would run code when loaded; it was not "
            "loaded. Save the state dict alone: torch.save(network.state_dict(), path)."
        ) from error
    except Exception as error:  # whatever a parser stumbles over
        raise RunError(f"The checkpoint {path} is broken, or no checkpoint: {error}") from error
    if not isinstance(checkpoint, dict):
        raise RunError(f"The checkpoint {path} holds {type(checkpoint).__name__}, expected a mapping of tensors.")
    return checkpoint


def load_weights(network: nn.Module, path: Path) -> dict[str, Any]:
    """Puts the weights of a checkpoint into `network`.

    Args:
        network: any network; every parameter and buffer must be in the file, with its shape.
        path: `{"model": state dict}` (the tutorial's), `{"state_dict": ...}` (Lightning's) or a plain state dict.

    Returns:
        the state of the data module that a checkpoint of ours carries, with the images that it has seen; else empty.

    Raises:
        RunError: the file is not a checkpoint, or one of another network.
    """
    checkpoint = read_checkpoint(path)
    states = [checkpoint.get("model"), checkpoint.get("state_dict"), checkpoint]
    found = network_state(next(state for state in states if isinstance(state, Mapping)))
    expected = network.state_dict()
    missing = sorted(expected.keys() - found.keys())
    unexpected = sorted(found.keys() - expected.keys())
    other = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in expected.keys() & found.keys()
        if found[name].shape != expected[name].shape
    ]
    if missing or unexpected or other:
        faults = [("missing", missing), ("not of this network", unexpected), ("of another shape", sorted(other))]
        said = "; ".join(f"{len(names)} {fault} (first: {names[0]})" for fault, names in faults if names)
        raise RunError(
            f"The checkpoint {path} is of another model: {said}. Set model.base_c, model.bilinear and "
            "model.num_classes to what it was trained with."
        )
    network.load_state_dict(found)
    return dict(checkpoint.get(DATA_STATE) or {})


def network_state(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a state dict, named as the network names them."""
    return {name.removeprefix(TASK_PREFIX): value for name, value in state.items() if isinstance(value, Tensor)}
