"""Which size of training fits a data set and a machine, each value with a reason: `experiment=own`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from unet_lightning.training.machine import Machine

FOV = "data.dataset.fov"
FOLDS = 5  # one image in five validates
ENOUGH = 50  # validation images that choose an epoch well enough
DIVISOR = 16  # four poolings
LEAST_CROP, MOST_CROP = 256, 512  # pixels, of a side
WIDTHS = {"cpu": 8, "cuda": 32, "mps": 16}
MANY_CORES = 8  # from so many on a CPU trains twice the width
PIXELS = {"cpu": 4 * 256**2, "cuda": 16 * 256**2, "mps": 8 * 256**2}  # of a step
MOST_BATCH = 16
# A pixel of a crop needs 80 bytes for each of base_c channels until the step is over (measured, base_c 8 to 32), and
# gradients, workspaces, copies and freed memory that is kept on a CPU take as much again (see experiments/benchmarks).
BYTES = 160
SHARE = 0.5  # of the memory may be filled by a step
EPOCH = 40  # steps, so that validations are as far apart for few images as for many
STEPS = {"cpu": 1600, "cuda": 3000, "mps": 2000}  # of a training
BEGUN = 0.25  # of them where training begins from weights
VISITS = 10  # of each image at least
VALIDATION = 0.25  # a validation may take so much of the time of the training between two
FORWARD = 0.3  # a pixel that is only looked at takes this share of the time of one that is trained on (measured)


@dataclass(frozen=True)
class Circumstances:
    """What values are chosen from."""

    images: int  # to train and to validate on
    groups: int  # such as patients
    height: int  # median, pixels
    width: int
    masks: bool  # whether files say where pixels count
    finds_field: bool  # whether photographs show it: see `Terms`
    machine: "Machine"
    width_of_weights: int | None = None  # base_c of the weights that training begins from

    def __str__(self) -> str:
        groups = f" of {self.groups} groups" if self.groups < self.images else ""
        return f"{self.images} images{groups} of {self.height} x {self.width} pixels on {self.machine}"


class Choice(NamedTuple):
    """A value, and why."""

    value: Any
    reason: str


def choose(facts: Circumstances, given: Mapping[str, Any]) -> dict[str, Choice]:
    """A value for each field of SIZED that is not `given`, by its dotted name."""
    values, found = dict(given), dict[str, Choice]()
    for key, rule in _RULES.items():
        if key not in given:
            found[key] = rule(facts, values)
            values[key] = found[key].value
    return found


def _fov(facts: Circumstances, _: Mapping[str, Any]) -> Choice:
    if facts.masks:
        return Choice("mask", "the data set has masks of where pixels count")
    if facts.finds_field:
        return Choice("auto", "no masks: the field of view is found in each photograph")
    return Choice("none", "no masks: the whole image counts")


def _folds(facts: Circumstances, values: Mapping[str, Any]) -> Choice:
    if values.get("data.val_ids"):
        return Choice(None, "data.val_ids names the images that validate")
    if facts.groups < 2:
        return Choice(None, "a single group: nothing is left to validate on")
    folds = min(facts.groups, max(FOLDS, facts.images // ENOUGH))
    few = f"; figures of so few are uncertain, a cross-validation is data.fold=0,...,{folds - 1} with -m"
    each = "groups" if facts.groups < facts.images else "images"
    return Choice(folds, f"one in {folds} {each} validates{few if facts.images < 2 * ENOUGH else ''}")


def _fold(facts: Circumstances, values: Mapping[str, Any]) -> Choice:
    if values["data.folds"] is None:
        return Choice(None, "as data.folds")
    return Choice(0, "the first fold")


def _crop(facts: Circumstances, _: Mapping[str, Any]) -> Choice:
    side = min(facts.height, facts.width)
    wanted = min(max(side // 4, LEAST_CROP), MOST_CROP)
    if side < wanted:
        return Choice(max(side // DIVISOR, 1) * DIVISOR, f"the photographs have {side} pixels on their shorter side")
    return Choice(
        wanted // DIVISOR * DIVISOR,
        f"a quarter of the shorter side ({side}), from {LEAST_CROP} to {MOST_CROP} pixels, in whole {DIVISOR}",
    )


def _width(facts: Circumstances, _: Mapping[str, Any]) -> Choice:
    if facts.width_of_weights is not None:
        return Choice(facts.width_of_weights, "as in the weights that training begins from")
    width, cores = WIDTHS[facts.machine.device], facts.machine.cores
    if facts.machine.device != "cpu":
        return Choice(width, "a GPU")
    many = cores >= MANY_CORES
    return Choice(width * (1 + many), f"a CPU of {'at least' if many else 'less than'} {MANY_CORES} cores")


def _batch(facts: Circumstances, values: Mapping[str, Any]) -> Choice:
    pixels, width = int(values["data.augment.crop"]) ** 2, int(values["model.base_c"])
    wanted = min(max(round(PIXELS[facts.machine.device] / pixels), 2), MOST_BATCH)
    memory = facts.machine.memory
    fitting = int(SHARE * memory * 1e9 / (BYTES * width * pixels))
    if fitting < wanted:
        return Choice(max(fitting, 1), f"crops that fit into half of {memory:.0f} GB")
    return Choice(wanted, f"{wanted * pixels / 1e6:.2g} million pixels a step, from 2 to {MOST_BATCH} crops")


def _train_images(facts: Circumstances, values: Mapping[str, Any]) -> int:
    """How many images are trained on, about: groups may have different numbers of them."""
    folds, named = values["data.folds"], values.get("data.val_ids") or ()
    return max(1, facts.images - (len(named) if folds is None else round(facts.images / folds)))


def _repeats(facts: Circumstances, values: Mapping[str, Any]) -> Choice:
    train, batch = _train_images(facts, values), int(values["data.batch_size"])
    repeats = max(1, math.ceil(EPOCH * batch / train))
    return Choice(repeats, f"{_steps(train, repeats, batch)} steps an epoch, of about {train} images")


def _steps(train: int, repeats: int, batch: int) -> int:
    return math.ceil(train * repeats / batch)


def _epochs(facts: Circumstances, values: Mapping[str, Any]) -> Choice:
    repeats = int(values["data.repeats"])
    steps = _steps(_train_images(facts, values), repeats, int(values["data.batch_size"]))
    begun = facts.width_of_weights is not None
    wanted = round(STEPS[facts.machine.device] * (BEGUN if begun else 1))
    epochs = max(math.ceil(wanted / steps), math.ceil(VISITS * (BEGUN if begun else 1) / repeats))
    how = ", as it begins from weights" if begun else ""
    return Choice(epochs, f"{epochs * steps} steps in all{how}")


def _every(facts: Circumstances, values: Mapping[str, Any]) -> Choice:
    train, batch = _train_images(facts, values), int(values["data.batch_size"])
    steps = _steps(train, int(values["data.repeats"]), batch)
    trained = steps * batch * int(values["data.augment.crop"]) ** 2
    looked_at = (facts.images - train) * facts.height * facts.width * FORWARD
    most = max(1, int(values["trainer.max_epochs"]) // 5)  # at least five times
    every = min(max(1, math.ceil(looked_at / (VALIDATION * trained))), most)
    return Choice(every, f"validations then take about {looked_at / (every * trained):.0%} of the time of training")


# In the order in which values are chosen.
_RULES = {
    FOV: _fov,
    "data.folds": _folds,
    "data.fold": _fold,
    "data.augment.crop": _crop,
    "model.base_c": _width,
    "data.batch_size": _batch,
    "data.repeats": _repeats,
    "trainer.max_epochs": _epochs,
    "trainer.check_val_every_n_epoch": _every,
}
SIZED = tuple(_RULES)
