"""Weights of a network with other classes, or other channels: what fits is taken, the head is begun anew.

The head is the last convolution, which gives a logit for each class. The first convolution takes the channels: where
there are others it begins with the mean of its weights over the channels that they were trained for.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def ends_of(network: nn.Module) -> tuple[str, str]:
    """The names of the first and the last convolution, in the order in which a network has them; empty without any."""
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    return (names[0], names[-1]) if names else ("", "")


def misfits(network: nn.Module, found: Mapping[str, Tensor]) -> list[str]:
    """The tensors of the first and the last convolution that have other channels, or other classes, than `found`."""
    own, (first, last) = network.state_dict(), ends_of(network)
    names = [f"{first}.weight", f"{last}.weight", f"{last}.bias"]
    other = [name for name in names if name in own and name in found and found[name].shape != own[name].shape]
    kept = [name for name in dict.fromkeys(other) if _in_one_side_alone(found[name], own[name], name.startswith(last))]
    # A bias alone is that of another network.
    return [name for name in kept if name.endswith(".weight") or f"{last}.weight" in kept]


def adapted(network: nn.Module, found: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The weights `found`, with those of `names` (see `misfits`) as the network needs them.

    The last convolution keeps what the network has from chance. The first one takes the mean over channels, times how
    many there were and divided by how many there are: alike in all channels, photographs give what they gave.
    """
    own, (first, last) = network.state_dict(), ends_of(network)
    result = dict(found)
    for name in names:
        if name.startswith(f"{first}.") and first != last:
            before, now = found[name].shape[1], own[name].shape[1]
            mean = found[name].float().mean(dim=1, keepdim=True) * (before / now)
            result[name] = mean.expand_as(own[name]).to(own[name].dtype).clone()
        else:
            result[name] = own[name]
    return result


def alike_but(names: list[str], network: nn.Module, found: Mapping[str, Tensor]) -> bool:
    """Whether all but these tensors are there, and fit."""
    shapes, given = ({name: value.shape for name, value in one.items()} for one in (network.state_dict(), found))
    return given.keys() == shapes.keys() and all(given[name] == shapes[name] or name in names for name in given)


def in_words(names: list[str], network: nn.Module, found: Mapping[str, Tensor]) -> list[str]:
    """Each of these tensors in words, with its shape in the file and what it begins as."""
    own, (first, last) = network.state_dict(), ends_of(network)
    shapes = {name: f"{name} {tuple(found[name].shape)} -> {tuple(own[name].shape)}" for name in names}
    mean = "the mean over its channels"
    return [
        f"{text}: {mean if name.startswith(f'{first}.') and first != last else 'anew'}" for name, text in shapes.items()
    ]


def _in_one_side_alone(one: Tensor, other: Tensor, is_head: bool) -> bool:
    """Whether two tensors differ in the number of classes (of a head), or of channels, and in nothing else."""
    place = 0 if is_head else 1
    shapes = [torch.Size([*shape[:place], *shape[place + 1 :]]) for shape in (one.shape, other.shape)]
    return one.ndim == other.ndim and shapes[0] == shapes[1]
