"""Weights from a file into a network: the tutorial's checkpoints, our own, or a plain state dict."""

import argparse
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError, RunError, UserError
from unet_lightning.models.contents import check_archive, check_values, data_state, rename_data_state
from unet_lightning.specs import build, trusted_names

TASK_PREFIX = "network."  # the name of the network within SegmentationTask


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint file as plain data: no code in it is run, and nothing far larger than the file is made of it."""
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long
        raise RunError(f"No checkpoint: looked for {path}.")
    try:
        check_archive(path)
        # The tutorial keeps its command line beside the weights: a Namespace, which is data.
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")  # of torch's parser, on a file that it refuses next
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        check_values(path, checkpoint)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        raise RunError(
            f"The checkpoint {path} is no checkpoint, or holds objects that would run code when loaded; it was not "
            "loaded. Save the state dict alone: torch.save(network.state_dict(), path)."
        ) from error
    except Exception as error:  # whatever a parser stumbles over
        raise RunError(f"The checkpoint {path} is broken, or no checkpoint: {str(error)[:300]}") from error
    if not isinstance(checkpoint, dict):
        raise RunError(f"The checkpoint {path} holds {type(checkpoint).__name__}, expected a mapping of tensors.")
    rename_data_state(checkpoint)
    return checkpoint


def load_weights(network: nn.Module, path: Path) -> dict[str, Any]:
    """Puts the weights of a file into `network`, and gives the state of the data module that a file of ours carries.

    Args:
        network: any network; every parameter and buffer must be in the file, with its shape.
        path: `{"model": state dict}` (the tutorial's), `{"state_dict": ...}` (Lightning's) or a plain state dict.

    Raises:
        RunError: the file is not a checkpoint, or one of another network.
    """
    checkpoint = read_checkpoint(path)
    state, found = data_state(path, checkpoint), tensors_of(checkpoint)
    check_fit(path, network, found)
    network.load_state_dict(found)
    return state


def load_network(path: Path, checkpoint: Mapping[str, Any]) -> nn.Module:
    """The network of one of our checkpoints, which `read_checkpoint` gave, with its weights.

    It is built without memory first: one that is not in the file may be of any size.

    Raises:
        UserError: hyper-parameters and weights are of two networks, or those of none.
    """
    parameters, found = checkpoint.get("hyper_parameters"), tensors_of(checkpoint)
    spec = parameters.get("model") if isinstance(parameters, Mapping) else None
    if not isinstance(spec, Mapping):
        raise RunError(f"The checkpoint {path} was not written by a run: its hyper_parameters have no model.")
    try:
        with torch.device("meta"):
            check_fit(path, build(spec), found)
    except ConfigError:
        if spec.get("_target_") not in trusted_names():
            raise
        # A network of the user's own may need numbers while it is built.
    network: nn.Module = build(spec)
    check_fit(path, network, found)
    network.load_state_dict(found)
    return network


def check_fit(path: Path, network: Any, found: Mapping[str, Tensor]) -> None:
    """Raises RunError where this is no network, or the weights are not its own."""
    if not isinstance(network, nn.Module):
        raise RunError(f"The checkpoint {path} was not written by a run: its model is a {type(network).__name__}.")
    expected, given = ({k: _form(v) for k, v in state.items()} for state in (network.state_dict(), found))
    other = [name for name in expected.keys() & given.keys() if given[name] != expected[name]]
    faults = {
        "missing": expected.keys() - given.keys(),
        "not of this network": given.keys() - expected.keys(),
        "of another shape": [f"{name} {given[name]} instead of {expected[name]}" for name in other],
    }
    if said := [f"{len(names)} {fault} (first: {min(names)[:200]})" for fault, names in faults.items() if names]:
        raise RunError(
            f"The checkpoint {path} is of another model: {'; '.join(said)}. Set model.base_c, "
            "model.bilinear, model.norm and model.num_classes to what it was trained with."
        )


def tensors_of(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights in a checkpoint of any form, named as the network names them."""
    states = (checkpoint.get("model"), checkpoint.get("state_dict"), checkpoint)
    state = next(state for state in states if isinstance(state, Mapping))
    return {k.removeprefix(TASK_PREFIX): v for k, v in state.items() if isinstance(k, str) and isinstance(v, Tensor)}


def _form(value: Any) -> str:
    """Shape, and the kind of number where it is not a float."""
    if not isinstance(value, Tensor):  # a module may keep what it likes beside its parameters
        return type(value).__name__
    return f"{tuple(value.shape)}{'' if value.is_floating_point() else f' {value.dtype}'}"
