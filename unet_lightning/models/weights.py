"""Weights from a file into a network: the tutorial's checkpoints, our own, or a plain state dict."""

import argparse
import os
import pickle
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unet_lightning.errors import ConfigError, RunError, UserError
from unet_lightning.models.contents import check_archive, check_values, data_state, rename_data_state
from unet_lightning.models.head import adapted, alike_but, in_words, misfits
from unet_lightning.specs import build, trusted_names

# Under which training programs keep the network: the tutorial's first, Lightning's, and what else is common.
KEYS = ("model", "state_dict", "net", "network", "model_state", "model_state_dict", "weights")
# The tutorial keeps its command line beside the weights. Paths are made pure ones: as such they exist on every system.
HARMLESS: list[Any] = [
    argparse.Namespace,
    *(
        (kind, f"{module}.{name}")
        for module in ("pathlib", "pathlib._local")  # as Python 3.13 calls it
        for kind, end in ((PurePosixPath, "PosixPath"), (PureWindowsPath, "WindowsPath"))
        for name in (end, f"Pure{end}")
    ),
]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint file as plain data: no code in it is run, and nothing far larger than the file is made of it."""
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long
        raise RunError(f"No checkpoint: looked for {path}.")
    try:
        check_archive(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(HARMLESS):
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


class Loaded(NamedTuple):
    """What came of putting the weights of a file into a network."""

    state: dict[str, Any]  # of the data module that a file of ours carries
    tensors: dict[str, Tensor]  # in the file, as a network calls them
    not_taken: list[str]  # those that do not fit, in words


def load_weights(network: nn.Module, path: Path, skip: str | None = None) -> Loaded:
    """Puts the weights of a file into `network`.

    Args:
        network: any network; every parameter and buffer must be in the file, with its shape.
        path: `{"model": state dict}` (the tutorial's), `{"state_dict": ...}` (Lightning's), another of `KEYS`, or a
            plain state dict; its numbers may have half precision, and wrappers (`module.`) stand before its names.
        skip: `head` begins the last convolution anew where the classes are others, and the first one with the mean over
            channels where these are: see `models.head`.

    Raises:
        ConfigError: `skip` is something else.
        RunError: the file is not a checkpoint, one of another network, or holds NaN.
    """
    if skip not in (None, "head"):
        raise ConfigError(f"model.weights_skip must be head or null, found {skip}.")
    checkpoint = read_checkpoint(path)
    state, found = data_state(path, checkpoint), tensors_of(checkpoint, network.state_dict().keys())
    names = misfits(network, found)
    if names and not skip and alike_but(names, network, found):
        raise RunError(
            f"The checkpoint {path} is of other classes or channels: {'; '.join(in_words(names, network, found))} by "
            "model.weights_skip=head, which takes all the rest. Set it, or read the data as the weights want them "
            "(data.dataset.channels, data.dataset.classes)."
        )
    fill(path, network, {KEYS[0]: adapted(network, found, names)} if names and skip else checkpoint)
    return Loaded(state, found, in_words(names, network, found))


def load_network(path: Path, checkpoint: Mapping[str, Any]) -> nn.Module:
    """The network of one of our checkpoints, which `read_checkpoint` gave, with its weights.

    It is built without memory first: one that is not in the file may be of any size.

    Raises:
        UserError: hyper-parameters and weights are of two networks, or those of none.
    """
    parameters = checkpoint.get("hyper_parameters")
    spec = parameters.get("model") if isinstance(parameters, Mapping) else None
    if not isinstance(spec, Mapping):
        raise RunError(f"The checkpoint {path} was not written by a run: its hyper_parameters have no model.")
    try:
        with torch.device("meta"):
            found_for(path, build(spec), checkpoint)
    except ConfigError:
        if spec.get("_target_") not in trusted_names():
            raise
        # A network of the user's own may need numbers while it is built.
    network: nn.Module = build(spec)
    fill(path, network, checkpoint)
    return network


def fill(path: Path, network: Any, checkpoint: Mapping[str, Any]) -> None:
    """Puts the weights of a checkpoint into a network.

    Raises:
        RunError: it is no network, the weights are not its own, or some are NaN or infinite.
    """
    found = found_for(path, network, checkpoint)
    for name, value in found.items():
        if value.is_floating_point() and not value.float().isfinite().all():
            raise RunError(
                f"The checkpoint {path} holds NaN or infinite numbers, in {name[:200]}: what such a network finds is "
                "worth nothing. Take an earlier checkpoint, or train anew."
            )
    network.load_state_dict(found)


def found_for(path: Path, network: Any, checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint; RunError where this is no network, or they are not its own."""
    if not isinstance(network, nn.Module):
        raise RunError(f"The checkpoint {path} was not written by a run: its model is a {type(network).__name__}.")
    own = network.state_dict()
    found = tensors_of(checkpoint, own.keys())
    expected, given = ({k: _form(v) for k, v in state.items()} for state in (own, found))
    other = [name for name in expected.keys() & given.keys() if given[name] != expected[name]]
    faults = {
        "missing": expected.keys() - given.keys(),
        "not of this network": given.keys() - expected.keys(),
        "of another shape": [f"{name} {given[name]} instead of {expected[name]}" for name in other],
    }
    first = next((name for name, value in own.items() if isinstance(value, Tensor) and value.ndim == 4), "")
    if first in other and found[first].ndim == 4 and found[first][:, 0].shape == own[first][:, 0].shape:
        takes, wanted = found[first].shape[1], own[first].shape[1]
        raise RunError(
            f"The checkpoint {path} is of a network that takes {takes} channels, the photographs have {wanted}: read "
            f"them so (data.dataset.channels={takes}, of grey and colours), or begin without these weights."
        )
    if said := [f"{len(names)} {fault} (first: {min(names)[:200]})" for fault, names in faults.items() if names]:
        raise RunError(
            f"The checkpoint {path} is of another model: {'; '.join(said)}. Set model.base_c, "
            "model.bilinear, model.norm and model.num_classes to what it was trained with."
        )
    return found


def tensors_of(checkpoint: Mapping[str, Any], names: Collection[str]) -> dict[str, Tensor]:
    """The weights in a checkpoint of any form, as a network with parameters of these `names` calls them.

    What stands before all names is taken off, until one is the network's: `network.` in checkpoints of ours, `module.`
    by DataParallel, `_orig_mod.` by torch.compile.
    """
    kept = next((checkpoint[key] for key in KEYS if isinstance(checkpoint.get(key), Mapping)), checkpoint)
    found = {name: _whole(name, v) for name, v in kept.items() if isinstance(name, str) and isinstance(v, Tensor)}
    while found and not found.keys() & set(names) and len({name.partition(".")[0] for name in found}) == 1:
        if not all("." in name for name in found):
            break
        found = {name.partition(".")[2]: value for name, value in found.items()}
    return found


def _whole(name: str, value: Tensor) -> Tensor:
    """BatchNorm's count of steps as a whole number, where a file has all its numbers in half precision."""
    return value.nan_to_num().long() if name.endswith("num_batches_tracked") else value


def _form(value: Any) -> str:
    """Shape, and the kind of number where it is not a float."""
    if not isinstance(value, Tensor):  # a module may keep what it likes beside its parameters
        return type(value).__name__
    return f"{tuple(value.shape)}{'' if value.is_floating_point() else f' {value.dtype}'}"
