"""The Lightning side of a data set: splits, normalisation, loaders."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import lightning as L
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from unet_lightning.data.collate import collate
from unet_lightning.data.fundus import FundusDataset
from unet_lightning.data.labels import Batch
from unet_lightning.data.photometry import channel_statistics, median_diameter
from unet_lightning.data.sampling import Draw, EpochSampler, TransformedDataset
from unet_lightning.data.transforms import to_input
from unet_lightning.errors import ConfigError

Split = Literal["train", "val", "test", "all"]
MOST_WORKERS = 8


class SegmentationDataModule(L.LightningDataModule):
    """Train and val are parts of the data set's train split; test is its test split, for evaluation alone, all is both.

    Args:
        dataset: called with `root` and `split` (`train`, `test`, or `all`, which is both).
        root: folder of the data set.
        augment: transform of uint8 training samples.
        val_ids: images of the fixed validation split; None trains on all and validates on none.
        folds: number of cross-validation folds instead of `val_ids`; fold k validates on every `folds`-th image, or
            person, where the data set tells whose the images are.
        fold: which of them, from 0.
        normalize: `auto` (mean and standard deviation of the training photographs inside the field of view), or a
            mapping with `mean` and `std`, one a channel in [0, 1].
        batch_size: training samples a process and step; validation and test take one photograph at a time.
        repeats: visits of each training photograph an epoch.
        num_workers: loading processes; `auto` is none where the CPU trains (they would compete), else up to 8.
        seed: of order and augmentation.

    Raises:
        ConfigError: a value out of range, or values that contradict each other.
        DataError: from the data set.
    """

    def __init__(
        self,
        dataset: Callable[..., FundusDataset],
        root: str | Path,
        augment: v2.Transform,
        val_ids: Sequence[str] | None = None,
        folds: int | None = None,
        fold: int | None = None,
        normalize: Literal["auto"] | Mapping[str, Sequence[float]] = "auto",
        batch_size: int = 4,
        repeats: int = 1,
        num_workers: int | Literal["auto"] = "auto",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not callable(dataset) or not callable(augment) or not isinstance(root, str | Path | None):
            raise ConfigError(
                "data needs dataset (_target_, and _partial_: true), augment (_target_) and root (a folder), found "
                f"{type(dataset).__name__}, {type(augment).__name__} and {type(root).__name__}."
            )
        if not isinstance(val_ids, list | tuple | None):
            raise ConfigError(f'data.val_ids must be a list of names, as text ["21", "22"], found {val_ids}.')
        for name, value in (("batch_size", batch_size), ("repeats", repeats)):
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"data.{name} must be at least 1, found {value}.")
        if (folds is None) != (fold is None):
            raise ConfigError(f"data.folds and data.fold go together: found folds={folds} and fold={fold}.")
        if folds is not None and fold is not None and not (folds >= 2 and 0 <= fold < folds):
            raise ConfigError(
                f"data.folds must be at least 2 and data.fold from 0 to folds - 1: found {folds}, {fold}."
            )
        if num_workers != "auto" and (not isinstance(num_workers, int) or num_workers < 0):
            raise ConfigError(f"data.num_workers must be auto or a number from 0, found {num_workers}.")
        self.dataset, self.root, self.augment = dataset, root, augment
        self.val_ids, self.folds, self.fold = val_ids, folds, fold
        self.batch_size, self.repeats, self.num_workers, self.seed = batch_size, repeats, num_workers, seed
        self.mean: list[float] | None = None
        self.std: list[float] | None = None
        if normalize != "auto":
            self.mean, self.std = _checked_normalisation(normalize)
        self.train: FundusDataset | None = None
        self.val: FundusDataset | None = None
        self.inherited: dict[str, list[str]] = {}  # images that the initial weights have seen, by data set

    def photographs(self, split: Split) -> FundusDataset:
        """The photographs of a split, as uint8 and without augmentation.

        Raises:
            ConfigError: an unknown or empty split, or more folds than images.
        """
        if split not in get_args(Split):
            raise ConfigError(f"split must be {', '.join(get_args(Split))}, found {split}.")
        if split in ("test", "all"):
            return self.dataset(root=self.root, split=split)
        development = self.dataset(root=self.root, split="train")
        ids = development.image_ids
        if self.folds is not None:
            groups = list(dict.fromkeys(map(development.group_of, ids)))
            if self.folds > len(groups):
                raise ConfigError(
                    f"data.folds={self.folds} for {len(ids)} images of {len(groups)} people: at most one fold a person "
                    "(an image, where nothing tells whose it is)."
                )
            chosen_groups = set(groups[self.fold :: self.folds])
            held_out = [image_id for image_id in ids if development.group_of(image_id) in chosen_groups]
        else:
            held_out = list(self.val_ids or [])
        chosen = development.subset(held_out if split == "val" else [i for i in ids if i not in held_out])
        if split == "train" and not len(chosen):
            raise ConfigError("data.val_ids holds every image: none is left to train on.")
        return chosen

    def setup(self, stage: str) -> None:
        """Decodes the photographs and computes the normalisation, unless it is known."""
        if stage in ("fit", "validate") and self.val is None:
            self.train, self.val = self.photographs("train"), self.photographs("val")
            _ = self.train.samples, self.val.samples  # decoded now, for all loading processes, and faults come up now
            if self.mean is None:
                self.mean, self.std = channel_statistics(self.train.samples)

    def check_processes(self, world_size: int) -> None:
        """Raises ConfigError where a process would have no validation photograph: the others would wait for it."""
        if self.val is not None and 0 < len(self.val) < world_size:
            raise ConfigError(
                f"{len(self.val)} validation images for {world_size} processes: give each process one, by "
                "data.val_ids or data.folds, or set trainer.devices lower."
            )

    def inherit(self, state: Mapping[str, Any]) -> None:
        """Takes over which images the initial weights have seen.

        Args:
            state: what `state_dict` gave in the run that the weights are from; empty where nothing is known.
        """
        self.inherited = lineage(state) if state else {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, as plain data: how to normalise, and which images it has seen."""
        return {
            "dataset": self.train.name if self.train else None,
            "train_ids": self.train.image_ids if self.train else [],
            "val_ids": self.val.image_ids if self.val else [],
            "inherited": self.inherited,
            "classes": list(self.train.classes) if self.train else [],
            "mean": self.mean,
            "std": self.std,
            "diameter": median_diameter(self.train) if self.train else None,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the normalisation of a checkpoint.

        Raises:
            ConfigError: the run goes on with other images than it began with.
        """
        if self.train is not None and self.train.name != state_dict["dataset"]:
            raise ConfigError(f"The checkpoint was trained on {state_dict['dataset']}, the data is {self.train.name}.")
        for name, dataset in (("train_ids", self.train), ("val_ids", self.val)):
            if dataset is not None and dataset.image_ids != state_dict[name]:
                raise ConfigError(
                    f"The checkpoint's {name} are {', '.join(state_dict[name])}, the data has "
                    f"{', '.join(dataset.image_ids)}. Resume with the same split, or start a new run."
                )
        self.mean, self.std = state_dict["mean"], state_dict["std"]
        self.inherited = state_dict["inherited"]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Augmented crops in an order of (seed, epoch)."""
        assert self.train is not None
        transform = v2.Compose([self.augment, self._to_input()])
        sampler = EpochSampler(len(self.train), self.repeats, self.seed, self._rank, self._world_size)
        return self._loader(TransformedDataset(self.train, transform), sampler, self.batch_size, self._workers())

    def val_dataloader(self) -> DataLoader[Batch]:
        """Whole photographs; each rank takes its own, none twice."""
        assert self.val is not None
        return self._whole(self.val, range(self._rank, len(self.val), self._world_size))

    def test_dataloader(self) -> DataLoader[Batch]:
        """Whole photographs of the test split."""
        test = self.photographs("test")
        return self._whole(test, range(len(test)))

    def _whole(self, dataset: FundusDataset, items: range) -> DataLoader[Batch]:
        """Photographs one by one, normalised."""
        draws = [Draw(item, seed=0) for item in items]
        return self._loader(TransformedDataset(dataset, self._to_input()), draws, batch_size=1, workers=0)

    def _loader(
        self, dataset: TransformedDataset, sampler: Iterable[Draw], batch_size: int, workers: int
    ) -> DataLoader[Batch]:
        """A loader with the memory that suits the device."""
        return DataLoader(
            cast(Dataset[Batch], dataset),  # collate makes the batches
            batch_size,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self._on_gpu,
            collate_fn=collate,
        )

    def _to_input(self) -> v2.Transform:
        """Normalisation with the figures of the training images."""
        if self.mean is None or self.std is None:
            raise ConfigError("The normalisation is not known: fit first, or give data.normalize its mean and std.")
        return to_input(self.mean, self.std)

    def _workers(self) -> int:
        """Loading processes of this rank."""
        if self.num_workers != "auto":
            return self.num_workers
        local = self.trainer.num_devices if self.trainer else 1
        return min(MOST_WORKERS, (os.cpu_count() or 1) // local) if self._on_gpu else 0

    @property
    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1


def lineage(state: Mapping[str, Any]) -> dict[str, list[str]]:
    """All images that a network and those before it have seen, by data set, from the state of a data module."""
    seen = {name: list(ids) for name, ids in state.get("inherited", {}).items()}
    own = [*seen.get(state["dataset"], []), *state["train_ids"], *state["val_ids"]]
    return seen | {state["dataset"]: list(dict.fromkeys(own))}


def _checked_normalisation(normalize: Any) -> tuple[list[float], list[float]]:
    """Mean and standard deviation as given."""
    if not isinstance(normalize, Mapping) or set(normalize) != {"mean", "std"}:
        raise ConfigError(f"data.normalize must be auto, or a mapping with mean and std; found {normalize}.")
    mean, std = normalize["mean"], normalize["std"]
    three = all(isinstance(figures, Sequence) and len(figures) == 3 for figures in (mean, std))
    if not three or min(mean) < 0 or min(std) <= 0 or max(*mean, *std) > 1:
        raise ConfigError(
            f"data.normalize needs three means and three positive stds, all up to 1; found {mean} and {std}."
        )
    mean, std = list(mean), list(std)
    return mean, std
