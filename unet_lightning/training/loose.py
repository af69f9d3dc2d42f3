"""A network that comes as a file of weights, such as the tutorial's, without the run that trained it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.form import Form
from unet_lightning.data.normalisation import check_statistics, given_statistics
from unet_lightning.data.seen import lineage
from unet_lightning.errors import RunError
from unet_lightning.models.contents import DATA_STATE
from unet_lightning.models.unet import UNet
from unet_lightning.models.weights import fill, read_checkpoint, tensors_of
from unet_lightning.training.known import recall
from unet_lightning.training.trained import NOBODY, Trained, read_trained

FIRST, LAST = "in_conv.0.weight", "out_conv.0.weight"  # layers of the U-Net that tell its numbers of channels
# Of DRIVE's training photographs, by which the tutorial normalises.
TUTORIAL = {"mean": [0.709, 0.381, 0.224], "std": [0.127, 0.079, 0.043]}


def load_loose(
    path: Path, model: Mapping[str, Any], normalize: Mapping[str, Any] | None, network: nn.Module | None = None
) -> Trained:
    """The network of a file of weights, and what is known of it; a checkpoint of a run says it all itself.

    Args:
        path: see `load_weights` on its forms.
        model: arguments of the U-Net; what is missing, or None, the shapes in the file tell.
        normalize: mean and std of each channel in training, in [0, 1]; None: the tutorial's.
        network: into which the weights of a checkpoint go, where the checkpoint does not say how to build one.

    Raises:
        RunError: no such file, weights of another network, or numbers that are none.
        ConfigError: a mean or a std that is none.
    """
    checkpoint = read_checkpoint(path)
    if DATA_STATE in checkpoint:
        return read_trained(path, {"seed": NOBODY, "model": {}}, selected=True, network=network)
    if network is not None:
        raise RunError(
            f"{path} is no checkpoint of a training here, which says how photographs pass and what the classes are: "
            "put its weights into the network yourself, and train with it. Leave network out for those of the U-Net."
        )
    found = tensors_of(checkpoint, [FIRST])
    shape = _shape_of(path, found) | {name: one for name, one in model.items() if one is not None}
    mean, std = given_statistics(TUTORIAL if normalize is None else normalize)
    assert mean is not None and std is not None
    check_statistics(mean, shape["in_channels"])
    unet = UNet(**shape)
    fill(path, unet, checkpoint)
    state = recall(unet.state_dict())  # of a run of this user, saved without what its checkpoint says
    seen = lineage(state) if state else []
    number, epoch = len(unet.state_dict()[LAST]), checkpoint.get("epoch")
    names = [*SegmentationDataset.classes] if number == 2 else [f"class_{one}" for one in range(number)]
    return Trained(
        network=unet,
        classes=names,
        mean=mean,
        std=std,
        diameter=None,
        fov="auto",
        dataset=state.get("dataset") or "unknown images",
        learned=seen,
        watched=[],
        checkpoint=path.resolve(),
        selected=False,
        epoch=epoch if isinstance(epoch, int) else NOBODY,
        seed=NOBODY,
        initial_weights=None,
        initial_ids={},
        unknown=state.get("unknown_weights", []) if state else [path.name],
        form=Form(shape["in_channels"], converts=True),
        loose=True,
    )


def assumed(trained: Trained) -> dict[str, str]:
    """The normalisation that was said of a network without a run, as its file does not; empty where it is of a run."""
    return shown_moments(trained.mean, trained.std) if trained.loose else {}


def shown_moments(mean: Sequence[float], std: Sequence[float]) -> dict[str, str]:
    """Mean and std as text."""
    return {name: ",".join(f"{one:g}" for one in values) for name, values in (("mean", mean), ("std", std))}


def words_of_loose(trained: Trained) -> str:
    """What is taken for granted of a network that came as a file."""
    said, name = assumed(trained), trained.checkpoint.name if trained.checkpoint else "The network"
    if not said:
        return f"{name} is a checkpoint of a run, which says how photographs pass."
    return (
        f"{name}: photographs are normalised by mean {said['mean']} and SD {said['std']}, as they "
        "must have been in training, and pass at their own scale, unless scale is a factor."
    )


def _shape_of(path: Path, found: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of the U-Net whose weights these are."""
    if not all(name in found and found[name].ndim == 4 for name in (FIRST, LAST)):
        raise RunError(
            f"{path} holds no weights of the U-Net (model=unet): it lacks {FIRST} or {LAST}. Train from such a file by "
            "model.weights, which takes any network."
        )
    return {
        "in_channels": found[FIRST].shape[1],
        "base_c": found[FIRST].shape[0],
        "num_classes": found[LAST].shape[0],
        "bilinear": "up1.up.weight" not in found,
        "norm": "batch" if "in_conv.1.running_mean" in found else "group",
    }
