"""What a checkpoint of a run says of the network that was trained."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from unet_lightning.data.form import RGB, Form
from unet_lightning.data.seen import Memory, inherited_images, named, own_images
from unet_lightning.data.terms import TERMS
from unet_lightning.errors import ConfigError, RunError
from unet_lightning.models.contents import DATA_STATE, data_state
from unet_lightning.models.weights import fill, load_network, read_checkpoint
from unet_lightning.training.known import fingerprint

NOBODY = -1  # an epoch, or a seed, that nobody knows
DATA_KEYS = ("dataset", "train_ids", "val_ids", "inherited", "classes", "mean", "std")  # that a checkpoint must have


@dataclass(frozen=True)
class Stamp:
    """What names a network in a protocol."""

    checkpoint: str
    sha256: str = ""
    epoch: int = NOBODY
    seed: int | None = NOBODY


@dataclass(frozen=True)
class Trained(Memory):
    """What a checkpoint says of a trained network."""

    network: nn.Module  # with its weights
    classes: list[str]  # background first
    mean: list[float]  # of each channel of the training photographs, in [0, 1]
    std: list[float]
    diameter: int | None  # of the field of view of the training photographs, pixels; None where they have none
    fov: str  # where pixels counted: `mask`, `auto` (found in each photograph) or `none` (in the whole image)
    dataset: str  # name of the data set trained on
    checkpoint: Path | None  # None: it was trained in this process, and is in memory
    epoch: int  # from 0, or NOBODY
    seed: int  # or NOBODY
    initial_weights: str | None  # the name of the file that training began from: others read it, elsewhere
    initial_ids: dict[str, list[str]]  # what those weights have seen, by data set; empty where nothing is known
    unknown: list[str]  # files of weights that it began from, of which nobody knows what they have seen
    task: str = "vessels"  # of its images: see `data.terms`
    form: Form = RGB  # how photographs are read
    frequent: int | None = None  # number of the most frequent class of the training labels, where it is known
    loose: bool = False  # whether it came as a file of weights, which says nothing of how photographs pass
    looks_for_field: bool = True  # whether a photograph without a mask is looked at for its field of view

    @property
    def val_ids(self) -> list[str]:
        """Names of the images that validation watched."""
        return [one.image_id for one in self.watched]

    @cached_property
    def sha256(self) -> str:
        """Of the checkpoint's file; of a network in memory a digest of its weights."""
        if self.checkpoint is None:
            return fingerprint(self.network.state_dict())
        with self.checkpoint.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def stamp(self) -> Stamp:
        """What names this network in a protocol."""
        if self.checkpoint is None:
            return Stamp("in memory", self.sha256, self.epoch, self.seed)
        home = self.checkpoint.parent
        run = f"{home.parent.name}/checkpoints/" if home.name == "checkpoints" else ""
        return Stamp(f"{run}{self.checkpoint.name}", self.sha256, self.epoch, self.seed)


def read_trained(path: Path, config: dict[str, Any], *, selected: bool, network: nn.Module | None = None) -> Trained:
    """The network of a checkpoint that a run of this config has written; its weights go into `network`, if given.

    Raises:
        RunError: it is broken, or of an older version.
    """
    checkpoint = read_checkpoint(path)
    data = data_state(path, checkpoint)
    if not data or "hyper_parameters" not in checkpoint or not isinstance(checkpoint.get("epoch"), int):
        raise RunError(
            f"The checkpoint {path} was not written by a run: it lacks {DATA_STATE}, hyper_parameters or epoch."
        )
    if lacking := [name for name in DATA_KEYS if data.get(name) is None]:
        raise RunError(f"The checkpoint {path} is of an older version, it lacks {', '.join(lacking)}: train again.")
    if network is None:
        network = load_network(path, checkpoint)
    else:
        fill(path, network, checkpoint)
    weights = config["model"].get("weights")
    found = {"selected": selected, "epoch": checkpoint["epoch"], "seed": config["seed"]}
    return trained_of(network, data, path.resolve(), weights=None if weights is None else Path(weights).name, **found)


def trained_of(
    network: nn.Module,
    data: Mapping[str, Any],
    checkpoint: Path | None,
    *,
    selected: bool,
    epoch: int,
    seed: int = NOBODY,
    weights: str | None = None,
) -> Trained:
    """A network with the state of the data module that it was trained on; `weights` is the file that it began from."""
    inherited = inherited_images(data)
    unknown = data.get("unknown_weights", [] if weights is None or inherited else [weights])
    task = data.get("task") or "vessels"
    # Earlier versions kept the diameter alone.
    fov = data.get("fov") or ("none" if data.get("diameter", 0) is None else "auto")
    return Trained(
        network=network,
        classes=data["classes"],
        mean=data["mean"],
        std=data["std"],
        diameter=data.get("diameter"),
        fov=fov,
        looks_for_field=fov == "auto" or (fov == "mask" and TERMS[task].finds_field),
        task=task,
        dataset=data["dataset"],
        learned=[*inherited, *own_images(data, "train_ids")],
        watched=own_images(data, "val_ids"),
        checkpoint=checkpoint,
        selected=selected,
        epoch=epoch,
        seed=seed,
        initial_weights=weights,
        initial_ids=named(inherited),
        unknown=unknown,
        form=Form.of(data["form"]) if data.get("form") else RGB,
        frequent=_most_frequent(data.get("class_pixels"), len(data["classes"])),
    )


def joint_form(networks: Sequence[Trained]) -> Form:
    """How photographs are read for networks together; ConfigError where they were not trained alike."""
    forms = list(dict.fromkeys(one.form for one in networks))
    if len(forms) > 1:
        raise ConfigError(
            f"The networks were trained on photographs that were read in unlike ways: {'; '.join(map(str, forms))}. "
            "Take networks of one way."
        )
    return forms[0]


def _most_frequent(pixels: Any, classes: int) -> int | None:
    """The number of the class with the most pixels; None where a checkpoint does not say how many there are."""
    known = isinstance(pixels, list) and len(pixels) == classes and all(type(one) is int for one in pixels)
    return pixels.index(max(pixels)) if known and pixels else None
