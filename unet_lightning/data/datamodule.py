"""A data set for Lightning: splits, normalisation, loaders."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import lightning as L
from torch import multiprocessing
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from unet_lightning.data.content import Content
from unet_lightning.data.dataset import SegmentationDataset
from unet_lightning.data.kept import Kept, bytes_of
from unet_lightning.data.labels import Batch, collate
from unet_lightning.data.normalisation import channel_statistics, check_statistics, given_statistics
from unet_lightning.data.sampling import EpochLoader, EpochSampler, TransformedDataset, Visit
from unet_lightning.data.seen import Seen, inherited_images, inherited_state, lineage, warn_of_copies
from unet_lightning.data.shares import check_labels, checked_share, classes_of
from unet_lightning.data.splits import validated
from unet_lightning.data.transforms import to_input
from unet_lightning.errors import ConfigError
from unet_lightning.text import as_id

# What of an image a run must find again when it goes on.
WORDS = {"photograph": "the photograph", "label": "the label", "fov": "the {field}"}
SPLITS = ("train", "val", "test", "all")
MAX_WORKERS = 8


class SegmentationDataModule(L.LightningDataModule):
    """Train and val are parts of the data set's train split; test is its test split, for evaluation only; all is both.

    Of `folds` cross-validation folds, instead of `val_ids`, fold k validates on the images of every `folds`-th patient
    (on every `folds`-th image where patients are unknown). `auto` normalises by mean and standard deviation of the
    training photographs inside the field of view.
    """

    def __init__(
        self,
        dataset: Callable[..., SegmentationDataset],  # called with root and split: train, test or all
        root: str | Path | None,
        augment: v2.Transform,  # of uint8 training samples
        val_ids: Sequence[str] | None = None,  # None trains on all images and validates on none
        folds: int | None = None,
        fold: int | None = None,  # from 0
        normalize: Literal["auto"] | Mapping[str, Sequence[float]] = "auto",  # or mean and std, in [0, 1]
        most_foreground: float = SegmentationDataset.most_foreground,  # a greater share is refused; see there
        batch_size: int = 4,  # in each process; validation and test load one photograph at a time
        repeats: int = 1,  # visits to each training photograph in an epoch
        num_workers: int | Literal["auto"] = "auto",  # auto: 0 where the CPU trains (they would compete), else up to 8
        seed: int = 0,  # of order and augmentation
        cache: str | int = "auto",  # memory for decoded images in each process, such as 2GB; auto: a quarter of it all
    ) -> None:
        super().__init__()
        if not callable(dataset) or not callable(augment) or not isinstance(root, str | Path | None):
            raise ConfigError(
                "data needs dataset (_target_, and _partial_: true), augment (_target_) and root (a folder), found "
                f"{type(dataset).__name__}, {type(augment).__name__} and {type(root).__name__}."
            )
        if not (
            val_ids is None or (isinstance(val_ids, list | tuple) and all(type(one) in (str, int) for one in val_ids))
        ):
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
        self.most_foreground, self.kept = checked_share(most_foreground), Kept(bytes_of(cache))
        self.dataset, self.augment = dataset, augment
        self.root = root and os.path.expanduser(root)
        self.val_ids = val_ids and [as_id(one) if isinstance(one, str) else one for one in val_ids]
        self.folds, self.fold = folds, fold
        self.batch_size, self.repeats, self.num_workers, self.seed = batch_size, repeats, num_workers, seed
        self.mean, self.std = given_statistics(normalize)
        self.train: SegmentationDataset | None = None
        self.val: SegmentationDataset | None = None
        self.inherited: list[Seen] = []  # what the initial weights have seen
        self.unknown: list[str] = []  # files of weights among those it began from that do not say what they have seen

    def photographs(self, split: str) -> SegmentationDataset:
        """The photographs of a split, as uint8 and without augmentation."""
        if split not in SPLITS:
            raise ConfigError(f"split must be {', '.join(SPLITS)}, found {split}.")
        if split in ("test", "all"):
            return self._open(split)
        development = self._open("train")
        held_out = validated(development, self.val_ids, self.folds, self.fold or 0)
        remaining = [name for name in development.image_ids if name not in held_out]
        if split == "train" and not remaining:
            raise ConfigError("data.val_ids holds every image: none is left to train on.")
        return development.subset(held_out if split == "val" else remaining)

    def _open(self, split: str) -> SegmentationDataset:
        """All photographs of a split of the data set."""
        dataset = self.dataset(root=self.root, split=split)
        dataset.most_foreground, dataset.kept = self.most_foreground, self.kept
        return dataset

    def setup(self, stage: str) -> None:
        """Decodes the photographs, and computes the normalisation unless it is known."""
        if stage in ("fit", "validate") and self.val is None:
            self.train, self.val = self.photographs("train"), self.photographs("val")
            _ = self.train.facts, self.val.facts  # so that errors come early
            check_labels(self.train, self.val, self._rank_and_world_size[0] == 0)
            warn_of_copies(self.train, self.val, self._rank_and_world_size[0] == 0)
            if self.mean is None:
                self.mean, self.std = channel_statistics(one.moments for one in self.train.facts)
            check_statistics(self.mean, self.train.found_form.channels)

    def check_processes(self, world_size: int) -> None:
        """Raises ConfigError where there are fewer validation photographs than processes: training would hang."""
        if self.val is not None and 0 < len(self.val) < world_size:
            raise ConfigError(
                f"{len(self.val)} validation images for {world_size} processes: choose at least one for each process "
                "by data.val_ids or data.folds, or set trainer.devices lower."
            )

    def inherit(self, state: Mapping[str, Any], weights: str | None = None) -> None:
        """Notes what the initial weights have seen.

        Args:
            state: the `state_dict` of the data module of their run; empty where it is unknown.
            weights: the name of their file; None where training begins from chance.
        """
        self.inherited, self.unknown = lineage(state) if state else [], list(state.get("unknown_weights", []))
        if weights is not None and not state:
            self.unknown.append(weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint stores, as plain data: the normalisation, and the images that the network has seen."""
        return {
            "dataset": self.train.name if self.train else None,
            "train_ids": self.train.image_ids if self.train else [],
            "val_ids": self.val.image_ids if self.val else [],
            "contents": {name: dict(content) for name, content in self._contents().items()},
            **inherited_state(self.inherited),
            "unknown_weights": self.unknown,
            **classes_of(self.train),
            "mean": self.mean,
            "std": self.std,
            "task": self.train.task if self.train else None,
            "form": self.train.found_form.plain() if self.train else None,
            "fov": self.train.fov_rule if self.train else None,
            "diameter": self.train.diameter if self.train else None,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the normalisation of a checkpoint; ConfigError where its run had another data set, split or files."""
        if self.train is not None and self.train.name != state_dict["dataset"]:
            raise ConfigError(f"The checkpoint was trained on {state_dict['dataset']}, the data is {self.train.name}.")
        for name, dataset in (("train_ids", self.train), ("val_ids", self.val)):
            if dataset is not None and dataset.image_ids != state_dict[name]:
                raise ConfigError(
                    f"The checkpoint's {name} are {', '.join(state_dict[name])}, the data has "
                    f"{', '.join(dataset.image_ids)}. Resume with the same split, or start a new run."
                )
        self._check_contents(state_dict.get("contents") or {})
        self.mean, self.std = state_dict["mean"], state_dict["std"]
        self.inherited = inherited_images(state_dict)
        self.unknown = state_dict.get("unknown_weights", [] if self.inherited else self.unknown)

    def _contents(self) -> dict[str, Content]:
        """What the images to train and to validate on are."""
        parts = [part for part in (self.train, self.val) if part]
        return {name: part.content(index) for part in parts for index, name in enumerate(part.image_ids)}

    def _check_contents(self, recorded: Mapping[str, Content]) -> None:
        """Raises ConfigError where a photograph, label or field of view is another one than is recorded."""
        now = self._contents()
        other = [
            f"{WORDS[kind].format(field=self.train.terms.field if self.train else 'mask')} of {name}"
            for name in recorded.keys() & now.keys()
            for kind in WORDS
            if recorded[name].get(kind) != now[name].get(kind)
        ]
        if other:
            more = f", and {len(other) - 5} more" if len(other) > 5 else ""
            raise ConfigError(
                f"The run began with other pixels: {', '.join(sorted(other)[:5])}{more} in {self.root} changed since. "
                "Set data.root to the files that it began with, or begin a new run: rerun=<run folder>."
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Augmented crops, in an order that depends on seed and epoch."""
        assert self.train is not None
        sampler = EpochSampler(len(self.train), self.repeats, self.seed, *self._rank_and_world_size)
        ranks = self.trainer.num_devices if self.trainer else 1  # of this machine
        auto = min(MAX_WORKERS, (os.cpu_count() or 1) // ranks) if self._on_gpu else 0
        workers = auto if self.num_workers == "auto" else self.num_workers
        if workers:
            self.train.keep()  # once, for all of them
        return self._loader(self.train, sampler, [self.augment], self.batch_size, workers)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Whole photographs, dealt to the ranks, none twice."""
        assert self.val is not None
        rank, world_size = self._rank_and_world_size
        return self._loader(self.val, [Visit(item, seed=0) for item in range(rank, len(self.val), world_size)])

    def test_dataloader(self) -> DataLoader[Batch]:
        """Whole photographs of the test split."""
        test = self.photographs("test")
        return self._loader(test, [Visit(item, seed=0) for item in range(len(test))])

    def _loader(
        self,
        dataset: SegmentationDataset,
        sampler: Iterable[Visit],
        augment: Sequence[v2.Transform] = (),
        batch_size: int = 1,
        workers: int = 0,
    ) -> DataLoader[Batch]:
        """Batches of normalised samples, padded."""
        if self.mean is None or self.std is None:
            raise ConfigError("The normalisation is not known: fit first, or set data.normalize to mean and std.")
        if workers and multiprocessing.get_start_method() != "fork":
            # Else each image takes a file descriptor, of which many systems allow 1024.
            multiprocessing.set_sharing_strategy("file_system")  # type: ignore[no-untyped-call]
        transform = v2.Compose([*augment, to_input(self.mean, self.std)])
        return EpochLoader(
            cast(Dataset[Batch], TransformedDataset(dataset, transform)),  # collate makes the batches
            batch_size,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self._on_gpu,
            collate_fn=collate,
        )

    @property
    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"

    @property
    def _rank_and_world_size(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
